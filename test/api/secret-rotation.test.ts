/** A rotation of AUTH_SECRET: what was signed or encrypted before goes on while the earlier secret is a fallback. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { symmetricDecrypt } from 'better-auth/crypto';
import { eq } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { generate } from 'otplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { decrypt, encrypt } from '../../auth/secrets.ts';
import { ConfigError, loadConfig } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import { emails, metaConnections, metaNumbers, people, sessions, twoFactors } from '../../db/schema.ts';
import { acceptNumber } from '../support/accepted.ts';
import { startProvider } from '../support/oidc.ts';
import { Browser, createUser, PASSWORD, setUpTwoFactor, signIn } from '../support/people.ts';
import { createAccount } from '../support/stack.ts';
import {
  caller,
  MAIL_DOWN,
  problemOf,
  startTestApi,
  submit,
  TEMPORAL_DOWN,
  type TestApi,
} from './harness.ts';

const OLDEST = 'the secret of the first release as it was';
const OLD = 'the secret that was in use until just now';
const NEW = 'the secret that is in use from today on';
const PUBLIC_URL = 'http://numbers.example';

let api: TestApi;
let provider: Awaited<ReturnType<typeof startProvider>>;
/** Processes of the API: before, while and after the secret is rotated. */
let before: FastifyInstance;
let during: FastifyInstance;
let after: FastifyInstance;

beforeAll(async () => {
  provider = await startProvider(`${PUBLIC_URL}/v1/session/oidc/callback`);
  api = await startTestApi({ PUBLIC_URL, STAFF_TWO_FACTOR: 'optional', ...provider.env });
  [before, during, after] = await Promise.all([start(OLD), start(NEW, OLD, OLDEST), start(NEW)]);
});
afterAll(async () => {
  await Promise.all([before, during, after].map((app) => app.close()));
  await api.close();
  provider.stop();
});

function start(secret: string, ...fallbacks: string[]): Promise<FastifyInstance> {
  const config = { ...api.config, AUTH_SECRET: secret, AUTH_SECRET_FALLBACKS: fallbacks };
  return buildApp({ db: api.db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
}

/** The same browser, whose calls another process answers. */
function at(app: FastifyInstance, { cookies }: Browser): Browser {
  const browser = new Browser(app);
  for (const [name, value] of cookies) browser.cookies.set(name, value);
  return browser;
}

const statusOf = async (browser: Browser) => (await browser.call('GET', '/v1/session')).statusCode;

describe('a session', () => {
  it('goes on, and has a cookie of the new secret when it is prolonged', async () => {
    const user = await createUser(api.db);
    const old = await signIn(before, user);
    expect(await statusOf(at(after, old))).toBe(401);
    const browser = at(during, old);
    expect(await statusOf(browser)).toBe(200);
    expect(browser.cookies).toEqual(old.cookies);
    const soon = new Date(Date.now() + 3_600_000);
    await api.db.update(sessions).set({ expiresAt: soon }).where(eq(sessions.personId, user.id));
    expect(await statusOf(browser)).toBe(200);
    expect(browser.cookies).not.toEqual(old.cookies);
    expect(await statusOf(at(after, browser))).toBe(200);
  });

  it('is signed out', async () => {
    const old = await signIn(before, await createUser(api.db));
    expect((await at(during, old).call('DELETE', '/v1/session')).statusCode).toBe(204);
    expect(await statusOf(old)).toBe(401);
  });

  it('is nobody’s whose cookie none of the secrets signed', async () => {
    const stranger = await start('a secret of somebody else and of none of ours');
    const browser = await signIn(stranger, await createUser(api.db));
    expect(await statusOf(at(during, browser))).toBe(401);
    await stranger.close();
  });
});

describe('two-factor authentication', () => {
  /** Somebody who set it up in the first release that had it. */
  async function person(app = before) {
    const user = await createUser(api.db, 'support');
    return { ...user, ...(await setUpTwoFactor(await signIn(app, user))) };
  }

  async function halfway(app: FastifyInstance, email: string): Promise<Browser> {
    const browser = new Browser(app);
    const answer = await browser.call('POST', '/v1/session', { email, password: PASSWORD });
    expect(answer.statusCode).toBe(202);
    return browser;
  }

  const sendCode = (browser: Browser, body: Record<string, string>) =>
    browser.call('POST', '/v1/session/two-factor', body);

  async function rowOf(personId: string) {
    const [row] = await api.db.select().from(twoFactors).where(eq(twoFactors.personId, personId));
    return row ?? expect.fail('There is no row');
  }

  it.each([
    ['the last secret', OLD],
    ['an earlier one', OLDEST],
  ])('that was set up with %s takes codes, and is encrypted anew by the first', async (_name, secret) => {
    const app = await start(secret);
    const { id, email, code, backupCodes } = await person(app);
    await app.close();
    const bare = await rowOf(id);
    // As the releases before had it.
    expect(await symmetricDecrypt({ key: secret, data: bare.backupCodes })).toBe(JSON.stringify(backupCodes));
    expect((await sendCode(await halfway(during, email), { code: await code() })).statusCode).toBe(200);
    // Without the fallback, from here on.
    const [first = '', second = ''] = backupCodes;
    expect((await sendCode(await halfway(after, email), { backupCode: first })).statusCode).toBe(200);
    expect((await sendCode(await halfway(during, email), { backupCode: second })).statusCode).toBe(200);
    const again = await sendCode(await halfway(during, email), { backupCode: first });
    expect(problemOf(again).code).toBe('wrong_credentials');
  });

  it('takes backup codes that are encrypted with a fallback, each once', async () => {
    const { email, backupCodes } = await person();
    const [backupCode = ''] = backupCodes;
    expect((await sendCode(await halfway(during, email), { backupCode })).statusCode).toBe(200);
    expect((await sendCode(await halfway(during, email), { backupCode })).statusCode).toBe(401);
  });

  it('goes on where the sign-in or the set-up began with the old secret', async () => {
    const { id, email, code } = await person();
    const begun = at(during, await halfway(before, email));
    expect((await sendCode(begun, { code: await code() })).json()).toMatchObject({ person: { id } });
    const browser = await signIn(before, await createUser(api.db));
    const path = '/v1/session/two-factor';
    const setup = (await browser.call('POST', `${path}/setup`, { password: PASSWORD })).json();
    const secret = new URL(setup.totpUri).searchParams.get('secret') ?? '';
    const confirmation = { code: await generate({ secret }) };
    const confirmed = await at(during, browser).call('POST', `${path}/confirmation`, confirmation);
    expect(confirmed.statusCode, confirmed.body).toBe(204);
  });

  it('has to be set up anew where its secret is no fallback any more', async () => {
    const { email, code, backupCodes } = await person();
    for (const body of [{ code: await code() }, { backupCode: backupCodes[0] ?? '' }]) {
      const refused = await sendCode(await halfway(after, email), body);
      expect(problemOf(refused).detail).toContain('not valid any more');
    }
    // Nothing was lost by it.
    expect((await sendCode(await halfway(during, email), { code: await code() })).statusCode).toBe(200);
  });

  it('of a session that goes on is told to be set up anew, and can be', async () => {
    const user = await createUser(api.db);
    const first = await signIn(before, user);
    const { code } = await setUpTwoFactor(first);
    const browser = at(during, first);
    const soon = new Date(Date.now() + 3_600_000);
    await api.db.update(sessions).set({ expiresAt: soon }).where(eq(sessions.personId, user.id));
    await statusOf(browser);
    const late = at(after, browser);
    const path = '/v1/session/two-factor';
    const refused = await late.call('POST', `${path}/confirmation`, { code: await code() });
    expect(problemOf(refused).errors).toMatchObject([
      { pointer: '/code', detail: expect.stringContaining('set it up anew') },
    ]);
    expect((await late.call('DELETE', path, { password: PASSWORD })).statusCode).toBe(204);
    await setUpTwoFactor(late);
  });

  it('works at processes of both secrets while they are exchanged', async () => {
    const first = await start(OLD, NEW);
    const { email, code, backupCodes } = await person(first);
    const [one = '', two = ''] = backupCodes;
    expect((await sendCode(await halfway(during, email), { backupCode: one })).statusCode).toBe(200);
    expect((await sendCode(await halfway(first, email), { backupCode: two })).statusCode).toBe(200);
    expect((await sendCode(await halfway(during, email), { code: await code() })).statusCode).toBe(200);
    await first.close();
  });

  it('is encrypted anew by deploy/keys.ts, which tells of what is lost', async () => {
    await api.db.delete(twoFactors);
    const [old, oldest, current] = [await person(), await start(OLDEST), await person(after)];
    const older = await person(oldest);
    await oldest.close();
    const reencrypt = async (...fallbacks: string[]) => {
      const env = {
        ...process.env,
        DATABASE_URL: api.config.DATABASE_URL,
        AUTH_SECRET: NEW,
        AUTH_SECRET_FALLBACKS: fallbacks.join(','),
      };
      return promisify(execFile)(process.execPath, ['deploy/keys.ts', 'reencrypt'], { env });
    };
    const kept = await rowOf(current.id);
    await expect(reencrypt(OLD)).rejects.toMatchObject({
      stdout: expect.stringContaining('of 1 people'),
      stderr: expect.stringContaining(`fits those of: ${older.id}\n`),
    });
    expect((await reencrypt(OLD, OLDEST)).stdout).toContain('of 1 people');
    expect((await reencrypt()).stdout).toContain('of 0 people');
    expect(await rowOf(current.id)).toEqual(kept);
    for (const { email, code } of [old, older]) {
      expect((await sendCode(await halfway(after, email), { code: await code() })).statusCode).toBe(200);
    }
  });
});

it('what is kept for Meta is encrypted anew by deploy/keys.ts', async () => {
  const { id: accountId } = await createAccount(api.db);
  const row = await acceptNumber(api.db, accountId);
  const [connectionId, secrets] = [newId('mtc'), [OLD] as const];
  const token = await encrypt(secrets, 'EAAtoken');
  const values = { id: connectionId, accountId, wabaId: '1', tokenHash: 'x', token };
  await api.db.insert(metaConnections).values(values);
  const [pin, code] = [await encrypt(secrets, '123456'), await encrypt(secrets, '654321')];
  await api.db.insert(metaNumbers).values({ numberId: row.id, connectionId, digits: '1', pin, code });
  const reencrypt = (...fallbacks: string[]) =>
    promisify(execFile)(process.execPath, ['deploy/keys.ts', 'reencrypt'], {
      env: {
        ...process.env,
        DATABASE_URL: api.config.DATABASE_URL,
        AUTH_SECRET: NEW,
        AUTH_SECRET_FALLBACKS: fallbacks.join(','),
      },
    });
  await expect(reencrypt()).rejects.toMatchObject({
    stderr: expect.stringContaining(`${connectionId} (tokens of Meta), ${row.id} (PINs of numbers)`),
  });
  expect((await reencrypt(OLD)).stdout).toContain('1 tokens of Meta.');
  expect((await reencrypt()).stdout).toContain('0 PINs of numbers.');
  const [connection] = await api.db.select().from(metaConnections);
  const [number] = await api.db.select().from(metaNumbers);
  const kept = [connection?.token, number?.pin, number?.code];
  expect(await Promise.all(kept.map((data) => decrypt([NEW], data ?? '')))).toEqual(
    ['EAAtoken', '123456', '654321'].map((text) => ({ text, byFallback: false })),
  );
});

it('a sign-in at the OpenID Connect provider that began before is completed', async () => {
  const user = await createUser(api.db, 'support');
  const browser = new Browser(before);
  const begun = await browser.call('GET', '/v1/session/oidc');
  const visitor = { sub: user.id, email: user.email, verified: true };
  const back = await provider.visit(String(begun.headers['location']), visitor);
  const completed = at(during, browser);
  expect((await completed.call('GET', back.slice(PUBLIC_URL.length))).statusCode).toBe(303);
  expect((await completed.call('GET', '/v1/session')).json()).toMatchObject({ person: { id: user.id } });
});

describe('a decision link', () => {
  let accountKey: string;

  beforeEach(async () => {
    const supporter = await createUser(api.db, 'support');
    await api.db.update(people).set({ decisionEmails: true }).where(eq(people.id, supporter.id));
    accountKey = (await createAccount(api.db)).key;
  });

  /** Its path, as a process writes it into the email. */
  async function linkOf(app: FastifyInstance): Promise<string> {
    const { id } = await submit(caller(app), accountKey);
    const rows = await api.db.select().from(emails).where(eq(emails.kind, 'review-request'));
    const { data } = rows.find(({ data }) => data['numberId'] === id) ?? expect.fail('No email');
    return String(data['link']).slice(PUBLIC_URL.length);
  }

  const open = async (app: FastifyInstance, url: string) =>
    (await app.inject({ method: 'GET', url })).statusCode;

  it('opens until its secret is no fallback any more', async () => {
    const link = await linkOf(before);
    expect([await open(before, link), await open(during, link), await open(after, link)]).toEqual([
      200, 200, 410,
    ]);
  });

  it('is signed with the new secret from then on', async () => {
    const link = await linkOf(during);
    expect([await open(before, link), await open(during, link), await open(after, link)]).toEqual([
      410, 200, 200,
    ]);
  });
});

describe('AUTH_SECRET_FALLBACKS', () => {
  const load = (env: Record<string, string>) =>
    loadConfig({ DATABASE_URL: 'postgres://localhost/numbers', ...env });

  it('is a list of secrets', () => {
    const { AUTH_SECRET_FALLBACKS } = load({ AUTH_SECRET: NEW, AUTH_SECRET_FALLBACKS: `${OLD}, ${OLDEST}` });
    expect(AUTH_SECRET_FALLBACKS).toEqual([OLD, OLDEST]);
  });

  it('has none of less than 32 characters, and says so without showing it', () => {
    const short = 'a secret that is short';
    for (const fallbacks of [short, `${OLD},${short}`]) {
      const loading = () => load({ AUTH_SECRET: NEW, AUTH_SECRET_FALLBACKS: fallbacks });
      expect(loading).toThrow(ConfigError);
      expect(loading).toThrow(/^AUTH_SECRET_FALLBACKS: at least 32 characters[^\n]*$/);
      expect(loading).not.toThrow(short);
    }
  });

  it('is nothing without AUTH_SECRET', () => {
    expect(() => load({ AUTH_SECRET_FALLBACKS: OLD })).toThrow('AUTH_SECRET is not set.');
  });
});
