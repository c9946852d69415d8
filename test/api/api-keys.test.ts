/** API keys: made, listed and revoked by admins of accounts, and by operators for staff. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiKeyView } from '../../contract/account-views.ts';
import { createApiKey, findKeyHolder, type Scope } from '../../db/api-keys.ts';
import { LIVE_KEYS } from '../../db/manage-api-keys.ts';
import { auditEvents, idempotencyRecords, people } from '../../db/schema.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
const ALL: Scope[] = ['read', 'write', 'admin'];

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

async function adminKey(scopes = ALL) {
  const account = await createAccount(api.db);
  const { id, key } = await createApiKey(api.db, { organizationId: account.id, name: 'admin', scopes });
  return { accountId: account.id, member: account.key, keyId: id, key };
}
async function operatorKey() {
  const operator = await createStaff(api.db, 'operator');
  const { key } = await createApiKey(api.db, { personId: operator.id, name: 'admin', scopes: ALL });
  return { id: operator.id, key };
}
const create = (key: string, body: object = {}, headers = {}) =>
  api.call(key, 'POST', '/v1/api-keys', { name: 'Shop system', ...body }, headers);
const list = async (key: string, query = ''): Promise<ApiKeyView[]> =>
  (await api.call(key, 'GET', `/v1/api-keys${query}`)).json().items;
const revoke = (key: string, id: string) => api.call(key, 'DELETE', `/v1/api-keys/${id}`);
const works = async (key: string) => (await api.call(key, 'GET', '/v1/numbers')).statusCode === 200;
const auditOf = (targetId: string) =>
  api.db.select().from(auditEvents).where(eq(auditEvents.targetId, targetId)).orderBy(auditEvents.seq);

describe('a new key', () => {
  it('is shown once, works, and has read and write unless asked otherwise', async () => {
    const admin = await adminKey();
    const response = await create(admin.key);
    expect(response.statusCode, response.body).toBe(201);
    const { key, ...record } = response.json();
    expect(record).toEqual({
      id: expect.stringMatching(/^key_/),
      name: 'Shop system',
      prefix: key.slice(0, 16),
      scopes: ['read', 'write'],
      personId: null,
      createdAt: expect.any(String),
      createdBy: { type: 'customer', id: admin.keyId },
      lastUsedAt: null,
      expiresAt: null,
      revokedAt: null,
    });
    expect(await works(key)).toBe(true);
    const [listed] = await list(admin.key);
    expect(listed).toEqual({ ...record, lastUsedAt: listed?.lastUsedAt });
    expect((await api.call(key, 'GET', '/v1/api-keys')).statusCode).toBe(403);
  });

  it('is not kept for a repeat, which gets its record and no secret', async () => {
    const admin = await adminKey();
    const repeated = { 'idempotency-key': 'create-once' };
    const first = (await create(admin.key, {}, repeated)).json();
    const second = await create(admin.key, {}, repeated);
    expect(second.statusCode, second.body).toBe(201);
    expect(second.json()).toEqual({ ...first, key: null });
    const stored = await api.db.select().from(idempotencyRecords);
    expect(JSON.stringify(stored)).not.toContain(first.key.slice(17));
    expect(await list(admin.key)).toHaveLength(3);
  });

  it('gets no scope that its maker lacks', async () => {
    const admin = await adminKey(['read', 'admin']);
    expect(problemOf(await create(admin.key, { scopes: ['read', 'write'] })).code).toBe('forbidden');
    expect((await create(admin.key, { scopes: ['read', 'admin'] })).json().scopes).toEqual(['read', 'admin']);
    expect(problemOf(await create(admin.member, { scopes: ['read'] })).code).toBe('forbidden');
  });

  it.each([
    [{ name: '' }, '/name'],
    [{ name: 'x'.repeat(101) }, '/name'],
    [{ scopes: [] }, '/scopes'],
    [{ scopes: ['read', 'read'] }, '/scopes'],
    [{ scopes: ['everything'] }, '/scopes/0'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ secret: 'mine' }, '/secret'],
  ])('is refused with %j', async (body, pointer) => {
    const problem = problemOf(await create((await adminKey()).key, body));
    expect([problem.code, problem.errors[0]?.pointer]).toEqual(['invalid_request', pointer]);
  });

  it('keeps its expiry', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    expect((await create((await adminKey()).key, { expiresAt })).json().expiresAt).toBe(expiresAt);
  });

  it(`is refused beyond ${LIVE_KEYS} that work, however many are asked for at once`, async () => {
    const admin = await adminKey();
    const made = await Promise.all(Array.from({ length: LIVE_KEYS + 4 }, () => create(admin.key)));
    const codes = made.map(({ statusCode }) => statusCode);
    // The account had two.
    expect(codes.filter((code) => code === 201)).toHaveLength(LIVE_KEYS - 2);
    expect(codes.filter((code) => code === 409)).toHaveLength(6);
    const refused = made.find(({ statusCode }) => statusCode === 409);
    expect(refused && problemOf(refused)).toMatchObject({
      code: 'limit_reached',
      detail: `There are ${LIVE_KEYS} keys that work, the most there may be. Revoke one that is not needed any more: DELETE /v1/api-keys/{id}.`,
    });
    const [newest] = await list(admin.key);
    await revoke(admin.key, newest?.id ?? '');
    expect((await create(admin.key)).statusCode).toBe(201);
  });
});

describe('revoking', () => {
  it('stops a key at its very next call, and may be repeated', async () => {
    const admin = await adminKey();
    const { id, key } = (await create(admin.key)).json();
    expect(await works(key)).toBe(true);
    expect((await revoke(admin.key, id)).statusCode).toBe(204);
    expect(problemOf(await api.call(key, 'GET', '/v1/numbers')).code).toBe('unauthenticated');
    expect((await revoke(admin.key, id)).statusCode).toBe(204);
    const [revoked] = await list(admin.key);
    expect(revoked).toMatchObject({ id, revokedAt: expect.any(String) });
    expect((await auditOf(id)).map(({ type }) => type)).toEqual(['key.created', 'key.revoked']);
  });

  it('takes a key itself', async () => {
    const admin = await adminKey();
    expect((await revoke(admin.key, admin.keyId)).statusCode).toBe(204);
    expect(await works(admin.key)).toBe(false);
  });

  it("answers another account's key as one that does not exist, and leaves it alone", async () => {
    const [admin, other, operator] = [await adminKey(), await adminKey(), await operatorKey()];
    const foreign = (await create(other.key)).json();
    expect(problemOf(await revoke(admin.key, foreign.id)).code).toBe('not_found');
    expect(problemOf(await revoke(operator.key, foreign.id)).code).toBe('not_found');
    expect(await works(foreign.key)).toBe(true);
    expect((await list(admin.key)).map(({ id }) => id)).not.toContain(foreign.id);
    expect(problemOf(await revoke(admin.key, 'key_unknown')).code).toBe('not_found');
  });
});

describe('the list', () => {
  it('goes by pages, newest first', async () => {
    const admin = await adminKey();
    for (let made = 0; made < 3; made += 1) await create(admin.key, { name: `key ${made}` });
    const first = await api.call(admin.key, 'GET', '/v1/api-keys?limit=2');
    const { items, nextCursor } = first.json();
    expect(items.map(({ name }: ApiKeyView) => name)).toEqual(['key 2', 'key 1']);
    const rest = await list(admin.key, `?cursor=${nextCursor}`);
    const [next, ...oldest] = rest.map(({ name }) => name);
    // Those two may have been made within a millisecond.
    expect([next, oldest.toSorted()]).toEqual(['key 0', ['admin', 'test']]);
  });
});

describe('keys of staff', () => {
  it('are made, listed and revoked by operators', async () => {
    const operator = await operatorKey();
    const support = await createStaff(api.db, 'support');
    const { id, key, personId } = (await create(operator.key, { personId: support.id })).json();
    expect(personId).toBe(support.id);
    expect((await api.call(key, 'GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await list(operator.key, `?personId=${support.id}`)).map((one) => one.id)).toContain(id);
    expect((await list(operator.key)).every((one) => one.personId !== null)).toBe(true);
    expect((await revoke(operator.key, id)).statusCode).toBe(204);
    expect((await api.call(key, 'GET', '/v1/reviews')).statusCode).toBe(401);
    const [created] = await auditOf(id);
    expect(created).toMatchObject({
      type: 'key.created',
      actor: { type: 'operator', id: operator.id },
      accountId: null,
      data: { personId: support.id },
    });
  });

  it('are for staff people, and of support never for admin', async () => {
    const operator = await operatorKey();
    const support = await createStaff(api.db, 'support');
    const customer = (await adminKey()).key;
    const refusals = [
      await create(operator.key, { personId: support.id, scopes: ALL }),
      await create(operator.key, { personId: 'usr_unknown' }),
      await create(operator.key),
      await create(customer, { personId: support.id }),
      await api.call(customer, 'GET', `/v1/api-keys?personId=${support.id}`),
      await create(support.key, { personId: support.id }),
    ].map((response) => [problemOf(response).code, problemOf(response).errors[0]?.pointer]);
    expect(refusals).toEqual([
      ['invalid_request', '/scopes'],
      ['invalid_request', '/personId'],
      ['invalid_request', '/personId'],
      ['forbidden', undefined],
      ['forbidden', undefined],
      ['forbidden', undefined],
    ]);
  });

  it('lose the scope admin with the role', async () => {
    const { id, key } = await operatorKey();
    expect((await api.call(key, 'GET', '/v1/api-keys')).statusCode).toBe(200);
    await api.db.update(people).set({ role: 'support' }).where(eq(people.id, id));
    expect(problemOf(await create(key, { personId: id })).code).toBe('forbidden');
    expect((await api.call(key, 'GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await findKeyHolder(api.db, key))?.scopes).toEqual(['read', 'write']);
  });
});
