/** Two-factor authentication, with the codes that an authenticator app shows. */
import { symmetricEncrypt } from 'better-auth/crypto';
import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEvents, twoFactors, verifications } from '../../db/schema.ts';
import { Browser, createUser, PASSWORD, setUpTwoFactor, signIn } from '../support/people.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({ STAFF_TWO_FACTOR: 'required' });
});
afterAll(() => api.close());

const typesOf = async (personId: string) => {
  const rows = await api.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, personId))
    .orderBy(auditEvents.seq);
  return rows.map(({ type }) => type);
};

/** Somebody with two-factor authentication. */
async function person(role: 'user' | 'support' | 'operator' = 'support') {
  const user = await createUser(api.db, role);
  const browser = await signIn(api.app, user);
  return { ...user, browser, ...(await setUpTwoFactor(browser)) };
}

/** A browser that has sent the password, and not yet the code. */
async function halfway(email: string) {
  const browser = new Browser(api.app);
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
    expect(setup.json()).toMatchObject({ totpUri: expect.stringMatching(/^otpauth:\/\/totp\//) });
    expect(setup.json().backupCodes).toHaveLength(10);
    const other = await browser.call('POST', `${path}/confirmation`, { code: '000000' });
    expect(problemOf(other).errors).toMatchObject([{ pointer: '/code', code: 'wrong' }]);
    // Signing in still takes the password alone.
    await signIn(api.app, user);
    const { code } = await setUpTwoFactor(browser);
    expect((await browser.call('POST', `${path}/setup`, { password: PASSWORD })).statusCode).toBe(409);
    const repeated = await browser.call('POST', `${path}/confirmation`, { code: await code() });
    expect(repeated.statusCode).toBe(204);
    expect((await typesOf(user.id)).filter((type) => type === 'two-factor.enabled')).toHaveLength(1);
  });

  it('keeps no secret readable in the database', async () => {
    const { id, code, backupCodes, browser } = await person();
    const [row] = await api.db.select().from(twoFactors).where(eq(twoFactors.personId, id));
    expect(row?.secret).toBeTruthy();
    for (const backup of backupCodes) expect(row?.backupCodes).not.toContain(backup);
    const log = JSON.stringify(await api.db.select().from(auditEvents));
    for (const secret of [await code(), ...backupCodes, ...browser.cookies.values()]) {
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
    const again = await sendCode(await halfway(email), { backupCode });
    expect(problemOf(again).code).toBe('wrong_credentials');
  });

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
    expect([locked.statusCode, problemOf(locked).detail]).toEqual([
      401,
      expect.stringContaining('15 minutes'),
    ]);
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
    const [event] = await api.db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.targetId, id), eq(auditEvents.type, 'two-factor.refused')));
    expect(event?.data).toEqual({ by: 'two-factor', why: 'auth-secret-changed' });
  });

  it('leaves nothing in the database that ends a sign-in under way for somebody else', async () => {
    const { email } = await person();
    const browser = await halfway(email);
    const pending = decodeURIComponent(browser.cookies.get('numbers.two_factor') ?? '').split('.')[0] ?? '';
    expect(pending).toMatch(/^2fa-/);
    expect(JSON.stringify(await api.db.select().from(verifications))).not.toContain(pending);
  });
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
