/** An account and its members, as these see and change them. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEvents, memberships, people } from '../../db/schema.ts';
import { type Browser, createUser, signIn } from '../support/people.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const as = (browser: Browser, method: 'GET' | 'PATCH' | 'DELETE', url: string, body?: unknown) =>
  browser.call(method, url, body);

/** An account with an admin and a member, both signed in. */
async function team() {
  const account = await createAccount(api.db);
  const join = async (role: 'admin' | 'member') => {
    const person = await createUser(api.db, 'user', { [account.id]: role });
    return { ...person, browser: await signIn(api.app, person) };
  };
  return { account, admin: await join('admin'), member: await join('member'), join };
}
const auditOf = (accountId: string) =>
  api.db.select().from(auditEvents).where(eq(auditEvents.accountId, accountId)).orderBy(auditEvents.seq);

describe('the account', () => {
  it('is read by its members and its keys, changed by its admins', async () => {
    const { account, admin, member } = await team();
    const read = await as(member.browser, 'GET', '/v1/account');
    expect(read.json()).toEqual({
      id: account.id,
      name: 'Widgets Inc.',
      notificationEmails: [account.email],
      createdAt: expect.any(String),
      closedAt: null,
      eraseAt: null,
      erasedAt: null,
    });
    expect((await api.call(account.key, 'GET', '/v1/account')).json()).toEqual(read.json());
    const changes = {
      name: ' Widgets Ltd ',
      notificationEmails: ['New@Widgets.example', 'new@widgets.example'],
    };
    expect(problemOf(await as(member.browser, 'PATCH', '/v1/account', changes)).code).toBe('forbidden');
    const changed = await as(admin.browser, 'PATCH', '/v1/account', changes);
    expect(changed.json()).toMatchObject({
      name: 'Widgets Ltd',
      notificationEmails: ['new@widgets.example'],
    });
    expect((await as(member.browser, 'GET', '/v1/account')).json()).toEqual(changed.json());
    await as(admin.browser, 'PATCH', '/v1/account', { name: 'Widgets Ltd' });
    expect(await auditOf(account.id)).toMatchObject([
      {
        type: 'account.changed',
        actor: { type: 'customer', id: admin.id },
        targetId: account.id,
        data: { fields: ['name', 'notificationEmails'] },
        ipAddress: '127.0.0.1',
        userAgent: 'lightMyRequest',
        requestId: changed.headers['x-request-id'],
      },
    ]);
  });

  it.each([
    [{ name: '' }, '/name'],
    [{ name: 'Two\nlines' }, '/name'],
    [{ notificationEmails: [] }, '/notificationEmails'],
    [
      { notificationEmails: Array.from({ length: 11 }, (_, n) => `n${n}@widgets.example`) },
      '/notificationEmails',
    ],
    [{ notificationEmails: ['nobody'] }, '/notificationEmails/0'],
    [{ slug: 'mine' }, '/slug'],
  ])('refuses %j', async (body, pointer) => {
    const { admin } = await team();
    const problem = problemOf(await as(admin.browser, 'PATCH', '/v1/account', body));
    expect([problem.code, problem.errors[0]?.pointer]).toEqual(['invalid_request', pointer]);
  });
});

describe('members', () => {
  it('are listed to each other, by pages, and to nobody else', async () => {
    const { admin, member } = await team();
    const other = await team();
    const first = (await as(member.browser, 'GET', '/v1/members?limit=1')).json();
    expect(first.items).toEqual([
      {
        personId: admin.id,
        name: 'A user',
        email: admin.email,
        role: 'admin',
        joinedAt: expect.any(String),
      },
    ]);
    const rest = (await as(member.browser, 'GET', `/v1/members?cursor=${first.nextCursor}`)).json();
    expect(rest).toMatchObject({ items: [{ personId: member.id, role: 'member' }], nextCursor: null });
    const theirs = await api.call(other.account.key, 'GET', '/v1/members');
    expect(theirs.body).not.toContain(admin.id);
  });

  it('get their role from an admin, at once', async () => {
    const { account, admin, member } = await team();
    const patch = (browser: Browser, role: string) =>
      as(browser, 'PATCH', `/v1/members/${member.id}`, { role });
    expect(problemOf(await patch(member.browser, 'admin')).code).toBe('forbidden');
    expect((await patch(admin.browser, 'admin')).json()).toMatchObject({
      personId: member.id,
      role: 'admin',
    });
    expect((await as(member.browser, 'PATCH', '/v1/account', {})).statusCode).toBe(200);
    expect((await patch(member.browser, 'member')).json().role).toBe('member');
    expect((await as(member.browser, 'PATCH', '/v1/account', {})).statusCode).toBe(403);
    expect(problemOf(await patch(admin.browser, 'owner')).errors[0]?.pointer).toBe('/role');
    expect((await auditOf(account.id)).map(({ type, data }) => [type, data])).toEqual([
      ['member.changed', { role: 'admin', before: 'member' }],
      ['member.changed', { role: 'member', before: 'admin' }],
    ]);
  });

  it('lose the account at once when they are removed', async () => {
    const { account, admin, member } = await team();
    const elsewhere = await createAccount(api.db);
    await api.db
      .insert(memberships)
      .values({ id: `mem_${member.id}`, organizationId: elsewhere.id, personId: member.id });
    await member.browser.call('PATCH', '/v1/session', { activeAccountId: account.id });
    const remove = () => as(admin.browser, 'DELETE', `/v1/members/${member.id}`);
    expect((await remove()).statusCode).toBe(204);
    // Not even as a member of another account: the session was told to act for this one.
    expect(problemOf(await as(member.browser, 'GET', '/v1/account')).code).toBe('forbidden');
    expect(problemOf(await remove()).code).toBe('not_found');
    expect(await auditOf(account.id)).toMatchObject([{ type: 'member.removed', targetId: member.id }]);
  });

  it('leave by themselves, and remove nobody else', async () => {
    const { account, admin, member } = await team();
    const other = `/v1/members/${admin.id}`;
    const refused = problemOf(await as(member.browser, 'DELETE', other));
    expect(refused).toMatchObject({
      code: 'forbidden',
      detail:
        'This call needs the scope "admin". Your sign-in has: read, write. An admin of the account can do it, or make you an admin.',
    });
    expect(problemOf(await as(member.browser, 'PATCH', other, { role: 'member' })).detail).toBe(
      refused.detail,
    );
    // A key is nobody who could leave.
    expect(problemOf(await api.call(account.key, 'DELETE', `/v1/members/${member.id}`))).toMatchObject({
      code: 'forbidden',
      detail:
        'This call needs the scope "admin". This key has: read, write. An admin of the account can do it, or create a key that has it.',
    });
    expect((await as(member.browser, 'DELETE', `/v1/members/${member.id}`)).statusCode).toBe(204);
    expect((await as(admin.browser, 'GET', '/v1/members')).json().items).toHaveLength(1);
  });

  it("of another account answer as people who don't exist", async () => {
    const { admin } = await team();
    const other = await team();
    for (const id of [other.member.id, (await createUser(api.db)).id, 'usr_unknown']) {
      const change = await as(admin.browser, 'PATCH', `/v1/members/${id}`, { role: 'admin' });
      const removal = await as(admin.browser, 'DELETE', `/v1/members/${id}`);
      expect([problemOf(change).code, problemOf(removal).code]).toEqual(['not_found', 'not_found']);
    }
    expect((await as(other.member.browser, 'GET', '/v1/account')).statusCode).toBe(200);
  });
});

describe('the last admin', () => {
  it('neither leaves nor becomes a member', async () => {
    const { account, admin, member } = await team();
    const own = `/v1/members/${admin.id}`;
    expect(problemOf(await as(admin.browser, 'DELETE', own)).code).toBe('last_admin');
    expect(problemOf(await as(admin.browser, 'PATCH', own, { role: 'member' })).code).toBe('last_admin');
    await as(admin.browser, 'PATCH', `/v1/members/${member.id}`, { role: 'admin' });
    // Somebody who cannot sign in is none.
    await api.db.update(people).set({ banned: true }).where(eq(people.id, member.id));
    expect(problemOf(await as(admin.browser, 'DELETE', own)).code).toBe('last_admin');
    await api.db.update(people).set({ banned: false }).where(eq(people.id, member.id));
    expect((await as(admin.browser, 'DELETE', own)).statusCode).toBe(204);
    expect(await auditOf(account.id)).toHaveLength(2);
  });

  it('stays when two admins remove each other in the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { account, admin, join } = await team();
      const second = await join('admin');
      const answers = await Promise.all([
        as(admin.browser, 'DELETE', `/v1/members/${second.id}`),
        as(second.browser, 'DELETE', `/v1/members/${admin.id}`),
        as(admin.browser, 'PATCH', `/v1/members/${admin.id}`, { role: 'member' }),
        as(second.browser, 'PATCH', `/v1/members/${second.id}`, { role: 'member' }),
      ]);
      expect(answers.some(({ statusCode }) => statusCode < 300)).toBe(true);
      const left = await api.db.select().from(memberships).where(eq(memberships.organizationId, account.id));
      expect(left.filter(({ role }) => role === 'admin')).toHaveLength(1);
    }
  });
});
