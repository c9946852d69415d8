/** Sessions of people as callers: roles, accounts, the end of sessions, and calls from other sites. */
import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../db/api-keys.ts';
import { auditEvents, memberships, organizations, people, sessions } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { Browser, createUser, PASSWORD, signIn, type TestPerson } from '../support/people.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let other: typeof account;
let member: TestPerson;
let support: TestPerson;
let operator: TestPerson;

beforeAll(async () => {
  api = await startTestApi();
  account = await createAccount(api.db);
  other = await createAccount(api.db, 'Other');
  member = await createUser(api.db, 'user', { [account.id]: 'member', [other.id]: 'admin' });
  support = await createUser(api.db, 'support');
  operator = await createUser(api.db, 'operator');
});
afterAll(() => api.close());

const auditOf = (targetId: string, type: string) =>
  api.db
    .select()
    .from(auditEvents)
    .where(and(eq(auditEvents.targetId, targetId), eq(auditEvents.type, type as 'session.started')))
    .orderBy(auditEvents.seq);

describe('signing in', () => {
  it('answers who one is, with a cookie that scripts cannot read', async () => {
    const browser = new Browser(api.app);
    const signedIn = await browser.call('POST', '/v1/session', {
      email: member.email.toUpperCase(),
      password: PASSWORD,
    });
    expect(signedIn.statusCode).toBe(200);
    expect(signedIn.json()).toMatchObject({
      person: { id: member.id, email: member.email, role: 'customer', twoFactorEnabled: false },
      accounts: [
        { id: account.id, name: 'Widgets Inc.', role: 'member' },
        { id: other.id, name: 'Other', role: 'admin' },
      ],
      activeAccountId: account.id,
      twoFactorNeeded: false,
    });
    const cookie = String(signedIn.headers['set-cookie']);
    expect(cookie).toMatch(/^numbers\.session_token=/);
    expect(cookie).toMatch(/; HttpOnly(;|$)/);
    expect(cookie).toMatch(/; SameSite=Lax(;|$)/);
    expect(cookie).not.toMatch(/; Secure/);
    expect((await browser.call('GET', '/v1/session')).json()).toEqual(signedIn.json());
  });

  it('asks for https where the public address is of it', async () => {
    const secure = await startTestApi({ PUBLIC_URL: 'https://numbers.example' });
    const person = await createUser(secure.db);
    const browser = new Browser(secure.app);
    const answer = await browser.call('POST', '/v1/session', { email: person.email, password: PASSWORD });
    expect(String(answer.headers['set-cookie'])).toMatch(/^__Secure-numbers\.session_token=.*; Secure/);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(200);
    await secure.close();
  });

  it('refuses in the same words whatever is wrong, and notes it', async () => {
    const unknown = `nobody-${member.email}`;
    const withPassword = async (email: string, password: string) => {
      const response = await api.call(null, 'POST', '/v1/session', { email, password });
      expect(response.headers['set-cookie']).toBeUndefined();
      const { code, detail } = problemOf(response);
      return { status: response.statusCode, code, detail };
    };
    const wrong = await withPassword(member.email, 'not the password');
    expect(wrong).toMatchObject({ status: 401, code: 'wrong_credentials' });
    expect(await withPassword(unknown, PASSWORD)).toEqual(wrong);
    const noPassword = await createUser(api.db);
    await api.db.execute(`delete from credentials where person_id = '${noPassword.id}'`);
    expect(await withPassword(noPassword.email, PASSWORD)).toEqual(wrong);

    const [refused] = await auditOf(member.id, 'session.refused');
    expect(refused).toMatchObject({
      actor: null,
      ipAddress: '127.0.0.1',
      data: { email: member.email, by: 'password' },
    });
    expect(JSON.stringify(await api.db.select().from(auditEvents))).not.toContain('not the password');
  });

  it('draws another token each time, and keeps no one else’s cookie alive', async () => {
    const first = await signIn(api.app, member);
    const second = await signIn(api.app, member);
    expect([...first.cookies.values()]).not.toEqual([...second.cookies.values()]);
    const forged = new Browser(api.app);
    for (const [name, value] of first.cookies) forged.cookies.set(name, `${value.slice(0, -8)}AAAA%3D%3D`);
    expect((await forged.call('GET', '/v1/session')).statusCode).toBe(401);
  });

  it('ends with DELETE /v1/session', async () => {
    const browser = await signIn(api.app, member);
    const stolen = new Browser(api.app);
    for (const [name, value] of browser.cookies) stolen.cookies.set(name, value);
    expect((await browser.call('DELETE', '/v1/session')).statusCode).toBe(204);
    expect(browser.cookies.size).toBe(0);
    expect((await stolen.call('GET', '/v1/session')).statusCode).toBe(401);
    expect(await auditOf(member.id, 'session.ended')).toHaveLength(1);
  });
});

describe('a session', () => {
  it('acts for its account, and for another after a switch', async () => {
    const browser = await signIn(api.app, member);
    const submitted = async () => (await browser.call('POST', '/v1/numbers', submission())).json();
    expect(await submitted()).toMatchObject({
      accountId: account.id,
      submittedBy: { type: 'customer', id: member.id },
    });
    const switched = await browser.call('PATCH', '/v1/session', { activeAccountId: other.id });
    expect(switched.json()).toMatchObject({ activeAccountId: other.id });
    expect((await submitted()).accountId).toBe(other.id);
    const foreign = await createAccount(api.db, 'Foreign');
    const refused = await browser.call('PATCH', '/v1/session', { activeAccountId: foreign.id });
    expect(problemOf(refused).errors).toMatchObject([{ pointer: '/activeAccountId' }]);
  });

  it('is of no account once its membership is gone or its account closed', async () => {
    const closing = await createAccount(api.db, 'Closing');
    const person = await createUser(api.db, 'user', { [account.id]: 'member', [closing.id]: 'admin' });
    const browser = await signIn(api.app, person);
    const list = async () => (await browser.call('GET', '/v1/numbers')).statusCode;
    const advice = async () => problemOf(await browser.call('GET', '/v1/numbers')).detail;
    await browser.call('PATCH', '/v1/session', { activeAccountId: closing.id });
    expect(await list()).toBe(200);
    await api.db.update(organizations).set({ closedAt: new Date() }).where(eq(organizations.id, closing.id));
    expect(await list()).toBe(403);
    expect(await advice()).toContain('Choose one of your accounts: PATCH /v1/session.');
    expect((await api.call(closing.key, 'GET', '/v1/numbers')).statusCode).toBe(401);
    const me = (await browser.call('GET', '/v1/session')).json();
    expect([me.activeAccountId, me.accounts.map(({ id }: { id: string }) => id)]).toEqual([
      null,
      [account.id],
    ]);
    await browser.call('PATCH', '/v1/session', { activeAccountId: account.id });
    expect(await list()).toBe(200);
    await api.db.delete(memberships).where(eq(memberships.personId, person.id));
    expect(await list()).toBe(403);
    expect(await advice()).toContain('Ask an admin of an account to invite you.');
  });

  it('of staff sees all, also where they belong to an account, and tells who is at work', async () => {
    const both = await createUser(api.db, 'support', { [account.id]: 'member' });
    const browser = await signIn(api.app, both);
    expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await browser.call('POST', '/v1/numbers', submission())).statusCode).toBe(403);
    expect((await browser.call('GET', '/v1/session')).json().activeAccountId).toBeNull();
    const switched = await browser.call('PATCH', '/v1/session', { activeAccountId: account.id });
    expect(switched.statusCode).toBe(403);
    const lastActive = async () =>
      (await api.db.select().from(people).where(eq(people.id, both.id)))[0]?.lastActiveAt;
    await expect.poll(lastActive).toBeInstanceOf(Date);
  });

  it('gives way to a key', async () => {
    const browser = await signIn(api.app, support);
    const list = await browser.call('GET', '/v1/reviews', undefined, {
      authorization: `Bearer ${account.key}`,
    });
    expect(list.statusCode).toBe(403);
    const wrong = await browser.call('GET', '/v1/reviews', undefined, { authorization: 'Bearer wna_wrong' });
    expect(wrong.statusCode).toBe(401);
  });

  it('is what routes for people need: a key is none', async () => {
    const answer = await api.call(account.key, 'GET', '/v1/session');
    expect(problemOf(answer).code).toBe('forbidden');
  });

  it('is prolonged while it is used, and ends when it is not', async () => {
    const browser = await signIn(api.app, member);
    const token = decodeURIComponent(browser.cookies.get('numbers.session_token') ?? '').split('.')[0] ?? '';
    const expire = (inHours: number) =>
      api.db
        .update(sessions)
        .set({ expiresAt: new Date(Date.now() + inHours * 3_600_000) })
        .where(eq(sessions.token, token));
    const expiresAt = async () =>
      (await api.db.select().from(sessions).where(eq(sessions.token, token)))[0]?.expiresAt.getTime() ?? 0;
    await expire(1);
    const used = await browser.call('GET', '/v1/session');
    expect(String(used.headers['set-cookie'])).toContain('Max-Age=604800');
    expect(await expiresAt()).toBeGreaterThan(Date.now() + 160 * 3_600_000);
    expect((await browser.call('GET', '/v1/session')).headers['set-cookie']).toBeUndefined();
    await expire(-1);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
  });

  it('ends with its person, as do keys of theirs: with the next request', async () => {
    const person = await createUser(api.db, 'support');
    const browser = await signIn(api.app, person);
    const { key } = await createApiKey(api.db, { personId: person.id, name: 'test', scopes: ['read'] });
    const list = async () => [
      (await browser.call('GET', '/v1/reviews')).statusCode,
      (await api.call(key, 'GET', '/v1/reviews')).statusCode,
    ];
    expect(await list()).toEqual([200, 200]);
    const boss = await signIn(api.app, operator);
    const disabled = await boss.call('PATCH', `/v1/people/${person.id}`, { disabled: true, reason: 'Left.' });
    expect(disabled.json()).toMatchObject({ disabled: true, disabledReason: 'Left.' });
    expect(await list()).toEqual([401, 401]);
    expect(await api.db.select().from(sessions).where(eq(sessions.personId, person.id))).toEqual([]);
    const again = await api.call(null, 'POST', '/v1/session', { email: person.email, password: PASSWORD });
    expect(problemOf(again).code).toBe('forbidden');
    await boss.call('PATCH', `/v1/people/${person.id}`, { disabled: false });
    expect(await list()).toEqual([401, 200]);
    await signIn(api.app, person);
  });
});

describe('a call from another site', () => {
  const host = 'localhost:3000';
  const CASES: [string, Record<string, string>, number][] = [
    ['no browser', {}, 200],
    ['a page of ours', { 'sec-fetch-site': 'same-origin' }, 200],
    ['a page of ours whose origin is not told', { 'sec-fetch-site': 'same-origin', origin: 'null' }, 200],
    ['a page of ours in an old browser', { origin: 'http://localhost:3000', host }, 200],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['another subdomain', { 'sec-fetch-site': 'same-site' }, 403],
    ['nowhere, e.g. a bookmark', { 'sec-fetch-site': 'none' }, 403],
    ['another site in an old browser', { origin: 'https://evil.example', host }, 403],
    ['a page without an origin in an old browser', { origin: 'null', host }, 403],
  ];
  it.each(CASES)('with the cookie of a session, from %s', async (_, headers, status) => {
    const browser = await signIn(api.app, member);
    const change = await browser.call('PATCH', '/v1/session', { activeAccountId: other.id }, headers);
    expect(change.statusCode, change.body).toBe(status);
    if (status === 403) expect(problemOf(change).code).toBe('cross_origin');
    // Reading is harmless: another site's page does not see the answer.
    expect((await browser.call('GET', '/v1/session', undefined, headers)).statusCode).toBe(200);
  });

  it('signs nobody in, and is no matter for keys', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    const body = { email: member.email, password: PASSWORD };
    const signedIn = await api.call(null, 'POST', '/v1/session', body, headers);
    expect(problemOf(signedIn).code).toBe('cross_origin');
    expect((await api.call(account.key, 'POST', '/v1/numbers', submission(), headers)).statusCode).toBe(201);
  });
});
