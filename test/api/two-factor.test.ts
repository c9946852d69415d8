/** Two-factor authentication, with the codes that an authenticator app shows. */
import { createOTP } from '@better-auth/utils/otp';
import { symmetricEncrypt } from 'better-auth/crypto';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { generate } from 'otplib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { timeStepOf } from '../../auth/two-factor.ts';
import { type Database, openDatabase } from '../../db/client.ts';
import { auditEvents, twoFactors, verifications } from '../../db/schema.ts';
import { waitingForLocks } from '../support/database.ts';
import { Browser, createUser, PASSWORD, setUpTwoFactor, signIn } from '../support/people.ts';
import { MAIL_DOWN, problemOf, startTestApi, TEMPORAL_DOWN, type TestApi } from './harness.ts';

let api: TestApi;
/** A second process of the API. */
let other: FastifyInstance;
let otherDb: Database;

beforeAll(async () => {
  api = await startTestApi({ STAFF_TWO_FACTOR: 'required' });
  otherDb = openDatabase(api.config, { name: 'test' });
  other = await buildApp({
    db: otherDb,
    config: api.config,
    workflows: TEMPORAL_DOWN,
    mail: MAIL_DOWN,
  });
});
afterAll(async () => {
  await other.close();
  await otherDb.close();
  await api.close();
});

const typesOf = async (personId: string) => {
  const rows = await api.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, personId))
    .orderBy(auditEvents.seq);
  return rows.map(({ type }) => type);
};

const refusalsOf = async (personId: string) => {
  const refused = and(eq(auditEvents.targetId, personId), eq(auditEvents.type, 'two-factor.refused'));
  const rows = await api.db.select().from(auditEvents).where(refused);
  return rows.map(({ data }) => data['why']);
};

/** Sends requests while a lock keeps them from writing two-factor rows, until all of them want to. */
async function whileLocked<T>(lock: SQL, send: () => Promise<T>[]): Promise<T[]> {
  const { sent } = await api.db.transaction(async (tx) => {
    await tx.execute(lock);
    const sent = send();
    await expect.poll(() => waitingForLocks(api.db), { timeout: 10_000 }).toBe(sent.length);
    // Not the promises themselves, which would be waited for.
    return { sent };
  });
  return Promise.all(sent);
}

/** Somebody with two-factor authentication. */
async function person(role: 'user' | 'support' | 'operator' = 'support') {
  const user = await createUser(api.db, role);
  const browser = await signIn(api.app, user);
  return { ...user, browser, ...(await setUpTwoFactor(browser)) };
}

/** A browser that has sent the password, and not yet the code. */
async function halfway(email: string, app = api.app) {
  const browser = new Browser(app);
  const answer = await browser.call('POST', '/v1/session', { email, password: PASSWORD });
  expect([answer.statusCode, answer.json()]).toEqual([202, { twoFactor: 'needed' }]);
  return browser;
}

const sendCode = (browser: Browser, body: Record<string, string>) =>
  browser.call('POST', '/v1/session/two-factor', body);

describe('staff who need two-factor authentication', () => {
  it('can do nothing before they have set it up, but sign out', async () => {
    const user = await createUser(api.db, 'support');
    const browser = await signIn(api.app, user);
    expect((await browser.call('GET', '/v1/session')).json()).toMatchObject({ twoFactorNeeded: true });
    expect(problemOf(await browser.call('GET', '/v1/reviews')).code).toBe('two_factor_needed');
    expect(problemOf(await browser.call('PATCH', '/v1/person', { name: 'X' })).code).toBe(
      'two_factor_needed',
    );
    const other = await signIn(api.app, user);
    await setUpTwoFactor(browser);
    expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await browser.call('GET', '/v1/session')).json()).toMatchObject({
      twoFactorNeeded: false,
      person: { twoFactorEnabled: true },
    });
    // A session from before it ends.
    expect((await other.call('GET', '/v1/session')).statusCode).toBe(401);
    expect((await browser.call('DELETE', '/v1/session')).statusCode).toBe(204);
    expect(await typesOf(user.id)).toEqual([
      'session.started',
      'session.started',
      'two-factor.enabled',
      'session.ended',
    ]);
  });

  it('are staff alone', async () => {
    const browser = await signIn(api.app, await createUser(api.db));
    expect((await browser.call('GET', '/v1/session')).json()).toMatchObject({ twoFactorNeeded: false });
    expect((await browser.call('PATCH', '/v1/person', { name: 'Wanda' })).statusCode).toBe(200);
  });
});

describe('setting it up', () => {
  it('needs the password, and a right code to be on', async () => {
    const user = await createUser(api.db);
    const browser = await signIn(api.app, user);
    const path = '/v1/session/two-factor';
    const early = await browser.call('POST', `${path}/confirmation`, { code: '123456' });
    expect(problemOf(early).errors).toMatchObject([{ pointer: '/code' }]);
    const wrong = await browser.call('POST', `${path}/setup`, { password: 'not the password' });
    expect(problemOf(wrong).errors).toMatchObject([{ pointer: '/password', code: 'wrong' }]);
    const setup = await browser.call('POST', `${path}/setup`, { password: PASSWORD });
    expect(setup.json().totpUri).toMatch(
      /^otpauth:\/\/totp\/Number%20approval:.*issuer=Number%20approval(&|$)/,
    );
    expect(setup.json().backupCodes).toHaveLength(10);
    const other = await browser.call('POST', `${path}/confirmation`, { code: '000000' });
    expect(problemOf(other).errors).toMatchObject([{ pointer: '/code', code: 'wrong' }]);
    // Signing in still takes the password alone.
    await signIn(api.app, user);
    const { code, used } = await setUpTwoFactor(browser);
    expect((await browser.call('POST', `${path}/setup`, { password: PASSWORD })).statusCode).toBe(409);
    const again = await browser.call('POST', `${path}/confirmation`, { code: used });
    expect(problemOf(again).errors).toMatchObject([
      { pointer: '/code', code: 'wrong', detail: expect.stringContaining('Wait for the next one') },
    ]);
    const repeated = await browser.call('POST', `${path}/confirmation`, { code: await code() });
    expect(repeated.statusCode).toBe(204);
    expect((await typesOf(user.id)).filter((type) => type === 'two-factor.enabled')).toHaveLength(1);
  });

  it('twice at once, over two processes, leaves one app: that of the later one', async () => {
    const user = await createUser(api.db);
    const browsers = await Promise.all([signIn(api.app, user), signIn(other, user)]);
    const path = '/v1/session/two-factor';
    const setups = await whileLocked(sql`lock table ${twoFactors} in share mode`, () =>
      browsers.map((browser) => browser.call('POST', `${path}/setup`, { password: PASSWORD })),
    );
    expect(setups.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect(await api.db.$count(twoFactors, eq(twoFactors.personId, user.id))).toBe(1);
    const statuses = [];
    for (const setup of setups) {
      const secret = new URL(setup.json().totpUri).searchParams.get('secret') ?? '';
      const code = await generate({ secret });
      statuses.push((await browsers[0]?.call('POST', `${path}/confirmation`, { code }))?.statusCode);
    }
    expect(statuses.sort()).toEqual([204, 422]);
  });

  it('keeps no secret readable in the database', async () => {
    const { id, used, backupCodes, browser } = await person();
    const [row] = await api.db.select().from(twoFactors).where(eq(twoFactors.personId, id));
    expect(row?.secret).toBeTruthy();
    for (const backup of backupCodes) expect(row?.backupCodes).not.toContain(backup);
    const log = JSON.stringify(await api.db.select().from(auditEvents));
    for (const secret of [used, ...backupCodes, ...browser.cookies.values()]) {
      expect(log).not.toContain(secret);
    }
  });
});

describe('signing in with it', () => {
  it('takes the code of now, after the password', async () => {
    const { id, email, code } = await person();
    const browser = await halfway(email);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
    const wrong = await sendCode(browser, { code: '000000' });
    expect([wrong.statusCode, problemOf(wrong).code]).toEqual([401, 'wrong_credentials']);
    expect(problemOf(wrong).detail).toContain('not the code of now');
    const right = await sendCode(browser, { code: await code() });
    expect(right.json()).toMatchObject({ person: { id } });
    expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
    expect(await typesOf(id)).toEqual([
      'session.started',
      'two-factor.enabled',
      'two-factor.refused',
      'session.started',
    ]);
  });

  it('takes each backup code once', async () => {
    const { email, backupCodes } = await person();
    const [backupCode = ''] = backupCodes;
    expect((await sendCode(await halfway(email), { backupCode })).statusCode).toBe(200);
    const again = problemOf(await sendCode(await halfway(email), { backupCode }));
    expect([again.code, again.detail]).toEqual([
      'wrong_credentials',
      expect.stringContaining('a backup code that was not used yet'),
    ]);
  });

  it('takes each code once: neither the one of the set-up nor one of a sign-in again', async () => {
    const { id, email, code, used } = await person();
    const refused = async (code: string) => {
      const answer = await sendCode(await halfway(email), { code });
      expect([answer.statusCode, problemOf(answer).code, problemOf(answer).detail]).toEqual([
        401,
        'wrong_credentials',
        expect.stringContaining('Wait for the next one'),
      ]);
    };
    await refused(used);
    const next = await code();
    expect((await sendCode(await halfway(email), { code: next })).statusCode).toBe(200);
    await refused(next);
    // Nor an earlier one than the latest.
    await refused(used);
    expect(await refusalsOf(id)).toEqual(['code-used', 'code-used', 'code-used']);
  });

  it('takes a used code for no try: the sign-in goes on with the next one', async () => {
    const { email, code, used } = await person();
    const browser = await halfway(email);
    for (let tries = 0; tries < 6; tries++) await sendCode(browser, { code: used });
    expect((await sendCode(browser, { code: await code() })).statusCode).toBe(200);
  });

  it('uses up no code that it did not take', async () => {
    const { id, email, code } = await person();
    const lock = (lockedUntil: Date | null) =>
      api.db.update(twoFactors).set({ lockedUntil }).where(eq(twoFactors.personId, id));
    const next = await code();
    await lock(new Date(Date.now() + 60_000));
    const locked = await sendCode(await halfway(email), { code: next });
    expect(problemOf(locked).detail).toContain('wrong codes in a row');
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(locked.headers['retry-after'])).toBeLessThanOrEqual(60);
    await lock(null);
    await sendCode(new Browser(api.app), { code: next });
    await sendCode(await halfway(email), { code: '000000' });
    expect((await sendCode(await halfway(email), { code: next })).statusCode).toBe(200);
  });

  it.each(['code', 'backupCode'] as const)(
    'takes one of two at once, over two processes: %s',
    async (what) => {
      const { id, email, code, backupCodes } = await person();
      const body = { [what]: what === 'code' ? await code() : (backupCodes[0] ?? '') };
      const browsers = await Promise.all([halfway(email), halfway(email, other)]);
      const locked = sql`select from ${twoFactors} where ${twoFactors.personId} = ${id} for update`;
      const answers = await whileLocked(locked, () => browsers.map((browser) => sendCode(browser, body)));
      expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 401]);
      const started = (await typesOf(id)).filter((type) => type === 'session.started');
      // The first by the password, before the set-up.
      expect(started).toHaveLength(2);
    },
  );

  it('takes no code without a password, or after five wrong ones', async () => {
    const { email, code } = await person();
    const stranger = await sendCode(new Browser(api.app), { code: await code() });
    expect(problemOf(stranger).detail).toContain('POST /v1/session');
    const browser = await halfway(email);
    for (let tries = 0; tries < 5; tries++) await sendCode(browser, { code: '000000' });
    expect((await sendCode(browser, { code: await code() })).statusCode).toBe(401);
  });

  it('stops taking codes for a while after ten wrong ones, over all sign-ins', async () => {
    const { email, code } = await person();
    for (let tries = 0; tries < 10; tries++) await sendCode(await halfway(email), { code: '000000' });
    const locked = await sendCode(await halfway(email), { code: await code() });
    expect([locked.statusCode, problemOf(locked).code]).toEqual([429, 'rate_limited']);
    const wait = Number(locked.headers['retry-after']);
    expect(wait).toBeGreaterThan(840);
    expect(wait).toBeLessThanOrEqual(900);
    expect(problemOf(locked).detail).toContain(`${wait} seconds`);
  });

  it('says what to do where the app was set up under another AUTH_SECRET', async () => {
    const { id, email, code, backupCodes } = await person();
    const key = 'another secret of at least 32 characters';
    const secret = await symmetricEncrypt({ key, data: 'anything' });
    await api.db.update(twoFactors).set({ secret, backupCodes: secret }).where(eq(twoFactors.personId, id));
    for (const body of [{ code: await code() }, { backupCode: backupCodes[0] ?? '' }]) {
      const refused = await sendCode(await halfway(email), body);
      expect([refused.statusCode, problemOf(refused).detail]).toEqual([
        401,
        expect.stringContaining('Ask an operator'),
      ]);
    }
    expect(await refusalsOf(id)).toEqual(['auth-secret-changed', 'auth-secret-changed']);
  });

  it('leaves nothing in the database that ends a sign-in under way for somebody else', async () => {
    const { email } = await person();
    const browser = await halfway(email);
    const pending = decodeURIComponent(browser.cookies.get('numbers.two_factor') ?? '').split('.')[0] ?? '';
    expect(pending).toMatch(/^2fa-/);
    expect(JSON.stringify(await api.db.select().from(verifications))).not.toContain(pending);
  });
});

it('knows the time step of just those codes that better-auth takes', async () => {
  const otp = createOTP('a secret of the tests');
  const secret = new URL(otp.url('tests', 'wanda')).searchParams.get('secret') ?? '';
  onTestFinished(() => void vi.useRealTimers());
  vi.setSystemTime(Date.now());
  const now = Math.floor(Date.now() / 30_000);
  const near = [-2, -1, 0, 1, 2].map((steps) => now + steps);
  const known = await Promise.all(
    near.map(async (step) => {
      const code = await generate({ secret, epoch: step * 30 });
      return [await timeStepOf('a secret of the tests', code), await otp.verify(code)];
    }),
  );
  expect(known).toEqual([
    [null, false],
    [now - 1, true],
    [now, true],
    [now + 1, true],
    [null, false],
  ]);
});

describe('switching it off', () => {
  it('takes the password; a second phone can be set up then', async () => {
    const { id, browser } = await person();
    const remove = (password: string) => browser.call('DELETE', '/v1/session/two-factor', { password });
    expect(problemOf(await remove('not the password')).errors).toMatchObject([{ pointer: '/password' }]);
    expect((await remove(PASSWORD)).statusCode).toBe(204);
    expect(problemOf(await browser.call('GET', '/v1/reviews')).code).toBe('two_factor_needed');
    await setUpTwoFactor(browser);
    expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await typesOf(id)).slice(-2)).toEqual(['two-factor.disabled', 'two-factor.enabled']);
  });

  it('is done by an operator for who has lost the phone', async () => {
    const { id, browser, email } = await person();
    const operator = await person('operator');
    const path = `/v1/people/${id}/two-factor`;
    expect((await browser.call('DELETE', path)).statusCode).toBe(403);
    expect((await operator.browser.call('DELETE', path)).statusCode).toBe(204);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
    await signIn(api.app, { email });
    expect((await operator.browser.call('DELETE', '/v1/people/usr_none/two-factor')).statusCode).toBe(404);
    expect((await typesOf(id)).filter((type) => type === 'two-factor.disabled')).toHaveLength(1);
  });
});
