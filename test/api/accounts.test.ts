/** Accounts as operators run them, the closing of one as far as the API does it, and the audit log. */
import { and, eq, isNull } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, type Scope } from '../../db/api-keys.ts';
import { recordAudit } from '../../db/audit.ts';
import { eraseAccount } from '../../db/erase-account.ts';
import { apiKeys, auditEvents, emails, organizations } from '../../db/schema.ts';
import { type Browser, createUser, signIn } from '../support/people.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let operator: { id: string; key: string };
const ALL: Scope[] = ['read', 'write', 'admin'];

beforeAll(async () => {
  api = await startTestApi({ ACCOUNT_ERASURE_DAYS: '30' });
  const { id } = await createStaff(api.db, 'operator');
  operator = { id, key: (await createApiKey(api.db, { personId: id, name: 'admin', scopes: ALL })).key };
});
afterAll(() => api.close());

const asOperator = (method: 'GET' | 'POST' | 'PATCH', url: string, body?: unknown, headers = {}) =>
  api.call(operator.key, method, url, body, headers);
const newAccount = (changes = {}) => ({
  name: 'Gadgets GmbH',
  notificationEmails: ['notices@gadgets.example'],
  admin: { name: 'Gerd', email: 'gerd@gadgets.example' },
  ...changes,
});
const adminKeyOf = async (accountId: string) =>
  (await createApiKey(api.db, { organizationId: accountId, name: 'admin', scopes: ALL })).key;
const auditOf = (accountId: string) =>
  api.db.select().from(auditEvents).where(eq(auditEvents.accountId, accountId)).orderBy(auditEvents.seq);

describe('an operator', () => {
  it('creates an account, once per Idempotency-Key, and invites its first admin', async () => {
    const headers = { 'idempotency-key': 'gadgets' };
    const created = await asOperator('POST', '/v1/accounts', newAccount(), headers);
    expect(created.statusCode, created.body).toBe(201);
    const account = created.json();
    expect(account).toMatchObject({
      name: 'Gadgets GmbH',
      notificationEmails: ['notices@gadgets.example'],
      closedAt: null,
      invitation: { email: 'gerd@gadgets.example', role: 'admin', accountId: account.id },
    });
    expect(created.headers['location']).toBe(`/v1/accounts/${account.id}`);
    expect((await asOperator('POST', '/v1/accounts', newAccount(), headers)).json()).toEqual(account);
    const sent = await api.db.select().from(emails).where(eq(emails.recipient, 'gerd@gadgets.example'));
    expect(sent).toMatchObject([{ kind: 'invitation', accountId: account.id, data: { name: 'Gerd' } }]);
    expect((await auditOf(account.id)).map(({ type }) => type)).toEqual([
      'account.created',
      'invitation.created',
    ]);
    const { invitation, ...rest } = account;
    expect((await asOperator('GET', `/v1/accounts/${account.id}`)).json()).toEqual(rest);
  });

  it('finds accounts by part of their name, by pages, newest first', async () => {
    const ids = [];
    for (const name of ['Hundred % Ltd', 'Hundred x Ltd', 'hundred % too'])
      ids.unshift((await createAccount(api.db, name)).id);
    const idsOf = (response: Awaited<ReturnType<typeof asOperator>>) =>
      response.json().items.map(({ id }: { id: string }) => id);
    const first = await asOperator('GET', `/v1/accounts?limit=1&q=${encodeURIComponent('HUNDRED %')}`);
    expect(idsOf(first)).toEqual([ids[0]]);
    const next = String(first.headers['link']).slice(1).split('>')[0] ?? '';
    expect(idsOf(await asOperator('GET', next))).toEqual([ids[2]]);
    expect(idsOf(await asOperator('GET', '/v1/accounts'))).toEqual(expect.arrayContaining(ids));
  });

  it('changes one, and is refused what is none or not valid', async () => {
    const { id } = await createAccount(api.db);
    const changed = await asOperator('PATCH', `/v1/accounts/${id}`, { name: 'Renamed' });
    expect(changed.json()).toMatchObject({ id, name: 'Renamed' });
    const unknown = await asOperator('PATCH', '/v1/accounts/org_unknown', { name: 'Renamed' });
    expect(problemOf(unknown).code).toBe('not_found');
    expect(problemOf(await asOperator('GET', '/v1/accounts/org_unknown')).code).toBe('not_found');
    const nobody = problemOf(await asOperator('POST', '/v1/accounts', newAccount({ admin: {} })));
    expect(nobody.errors[0]?.pointer).toBe('/admin/email');
  });
});

describe('closing an account', () => {
  async function team() {
    const account = await createAccount(api.db);
    const admin = await createUser(api.db, 'user', { [account.id]: 'admin' });
    const member = await createUser(api.db, 'user', { [account.id]: 'member' });
    const browser = await signIn(api.app, admin);
    return { account, admin, member, browser };
  }
  const close = (browser: Browser, name: string) => browser.call('POST', '/v1/account/closure', { name });

  it('ends keys, sessions and invitations at once, and tells admins and notification addresses', async () => {
    const { account, admin, browser } = await team();
    const other = await createAccount(api.db);
    await submit(api.call, account.key);
    await browser.call('POST', '/v1/invitations', { email: 'late@widgets.example' });
    expect(problemOf(await close(browser, 'Widgets')).errors[0]?.pointer).toBe('/name');
    expect((await api.call(account.key, 'GET', '/v1/account')).statusCode).toBe(200);

    const closed = (await close(browser, 'Widgets Inc.')).json();
    expect(Date.parse(closed.eraseAt) - Date.parse(closed.closedAt)).toBe(30 * 24 * 3_600_000);
    expect((await api.call(account.key, 'GET', '/v1/account')).statusCode).toBe(401);
    expect((await api.call(account.key, 'POST', '/v1/numbers', {})).statusCode).toBe(401);
    const left = await browser.call('GET', '/v1/account');
    expect(left.statusCode).toBe(403);
    expect(left.body).toContain('of no open account');
    expect((await api.call(other.key, 'GET', '/v1/account')).statusCode).toBe(200);
    const live = and(eq(apiKeys.organizationId, account.id), isNull(apiKeys.revokedAt));
    expect(await api.db.select().from(apiKeys).where(live)).toEqual([]);

    const told = await api.db
      .select()
      .from(emails)
      .where(and(eq(emails.accountId, account.id), eq(emails.kind, 'account-closed')));
    expect(told.map(({ recipient }) => recipient).sort()).toEqual([account.email, admin.email].sort());
    expect(told[0]?.data).toEqual({ accountName: 'Widgets Inc.', eraseAt: closed.eraseAt });
    expect((await auditOf(account.id)).map(({ type }) => type)).toEqual([
      'invitation.created',
      'key.revoked',
      'invitation.revoked',
      'account.closed',
    ]);
    const [row] = await api.db.select().from(organizations).where(eq(organizations.id, account.id));
    expect(row?.closedBy).toEqual({ type: 'customer', id: admin.id });
  });

  it('is for its admins and for operators, who give a reason', async () => {
    const { account, member } = await team();
    const browser = await signIn(api.app, member);
    expect(problemOf(await close(browser, 'Widgets Inc.')).code).toBe('forbidden');
    expect(problemOf(await api.call(account.key, 'POST', '/v1/account/closure', { name: 'x' })).code).toBe(
      'forbidden',
    );
    const url = `/v1/accounts/${account.id}/closure`;
    expect(problemOf(await asOperator('POST', url, {})).errors[0]?.pointer).toBe('/reason');
    const headers = { 'idempotency-key': account.id };
    const closed = await asOperator('POST', url, { reason: 'Unpaid.' }, headers);
    expect(closed.json().closedAt).toEqual(expect.any(String));
    expect((await asOperator('POST', url, { reason: 'Unpaid.' }, headers)).json()).toEqual(closed.json());
    expect(problemOf(await asOperator('POST', url, { reason: 'Unpaid.' })).code).toBe('account_closed');
    const none = await asOperator('POST', '/v1/accounts/org_unknown/closure', { reason: 'Unpaid.' });
    expect(problemOf(none).code).toBe('not_found');
    const last = (await auditOf(account.id)).at(-1);
    expect(last).toMatchObject({
      type: 'account.closed',
      actor: { id: operator.id },
      data: { reason: 'Unpaid.' },
    });
  });

  it('leaves nothing to change, to make a key for, or to join', async () => {
    const account = await createAccount(api.db);
    const key = await adminKeyOf(account.id);
    const { id } = (await api.call(key, 'POST', '/v1/invitations', { email: 'w@widgets.example' })).json();
    await asOperator('POST', `/v1/accounts/${account.id}/closure`, { reason: 'Unpaid.' });
    const codes = [
      await asOperator('PATCH', `/v1/accounts/${account.id}`, { name: 'Open' }),
      await asOperator('POST', '/v1/invitations', { email: 'x@widgets.example', accountId: account.id }),
      await api.call(operator.key, 'DELETE', `/v1/invitations/${id}`),
    ].map((response) => problemOf(response).code);
    expect(codes).toEqual(['account_closed', 'account_closed', 'not_found']);
    // Made on the server all the same, it does not work.
    expect((await api.call(await adminKeyOf(account.id), 'GET', '/v1/account')).statusCode).toBe(401);
  });

  it('happens once, however many ask at once', async () => {
    const account = await createAccount(api.db);
    const url = `/v1/accounts/${account.id}/closure`;
    const answers = await Promise.all([1, 2, 3].map(() => asOperator('POST', url, { reason: 'Unpaid.' })));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409, 409]);
    expect(await api.db.select().from(emails).where(eq(emails.accountId, account.id))).toHaveLength(1);
  });
});

describe('the audit log', () => {
  it('is read by operators, newest first, by pages and filters', async () => {
    const account = await createAccount(api.db);
    const key = await adminKeyOf(account.id);
    const made = [];
    for (const name of ['one', 'two', 'three'])
      made.push((await api.call(key, 'POST', '/v1/api-keys', { name })).json());
    await api.call(key, 'DELETE', `/v1/api-keys/${made[0].id}`);

    const read = async (query: string) => (await asOperator('GET', `/v1/audit?${query}`)).json();
    const whole = await read(`accountId=${account.id}`);
    expect(
      whole.items.map(({ type, targetId }: { type: string; targetId: string }) => [type, targetId]),
    ).toEqual([
      ['key.revoked', made[0].id],
      ['key.created', made[2].id],
      ['key.created', made[1].id],
      ['key.created', made[0].id],
    ]);
    expect(whole.items[1]).toEqual({
      id: expect.stringMatching(/^aud_/),
      at: expect.any(String),
      type: 'key.created',
      actor: { type: 'customer', id: expect.stringMatching(/^key_/) },
      accountId: account.id,
      targetId: made[2].id,
      ipAddress: '127.0.0.1',
      userAgent: 'lightMyRequest',
      requestId: expect.any(String),
      data: { name: 'three', scopes: ['read', 'write'], expiresAt: null },
    });
    const first = await read(`accountId=${account.id}&limit=3`);
    const rest = await read(`accountId=${account.id}&limit=3&cursor=${first.nextCursor}`);
    expect([...first.items, ...rest.items]).toEqual(whole.items);
    expect(rest.nextCursor).toBeNull();

    const count = async (query: string) => (await read(query)).items.length;
    const of = `accountId=${account.id}`;
    expect(await count(`${of}&type=key.revoked`)).toBe(1);
    expect(await count(`${of}&type=key.revoked&type=key.created`)).toBe(4);
    expect(await count(`targetId=${made[0].id}`)).toBe(2);
    expect(await count(`actorId=${whole.items[0].actor.id}`)).toBe(4);
    expect(await count(`${of}&since=${whole.items[0].at}`)).toBeLessThanOrEqual(4);
    expect(await count(`${of}&since=2999-01-01T00:00:00Z`)).toBe(0);
    expect(problemOf(await asOperator('GET', '/v1/audit?type=nothing')).code).toBe('malformed_request');
    expect(problemOf(await asOperator('GET', '/v1/audit?cursor=x')).code).toBe('malformed_request');
    // Of keys there is no name; of people there is, of customers too.
    const member = await createUser(api.db, 'user', { [account.id]: 'member' });
    await signIn(api.app, member);
    const [signedIn] = (await read(`actorId=${member.id}`)).items;
    expect(signedIn.actor).toEqual({ type: 'customer', id: member.id, name: 'A user' });
    // Whole keys and their secrets are nowhere in it.
    expect(JSON.stringify(whole)).not.toContain(made[2].key.slice(17));
  });

  it('names nobody in the entries of an account that was erased, who belongs to another as well', async () => {
    const erased = await createAccount(api.db);
    const other = await createAccount(api.db);
    const member = await createUser(api.db, 'user', { [erased.id]: 'admin', [other.id]: 'admin' });
    const actor = { type: 'customer', id: member.id } as const;
    for (const { id } of [erased, other]) {
      await recordAudit(api.db, { type: 'account.changed', actor, accountId: id, targetId: id });
    }
    await recordAudit(api.db, { type: 'session.started', actor, targetId: member.id });
    const namesOf = async () => {
      const { items } = (await asOperator('GET', `/v1/audit?actorId=${member.id}`)).json();
      return items.map(({ accountId, actor }: { accountId: string | null; actor: { name?: string } }) => [
        accountId,
        actor.name,
      ]);
    };
    const named = [
      [null, 'A user'],
      [other.id, 'A user'],
      [erased.id, 'A user'],
    ];
    expect(await namesOf()).toEqual(named);
    await eraseAccount(api.db, erased.id);
    expect(await namesOf()).toEqual([...named.slice(0, 2), [erased.id, undefined]]);
  });
});
