/** What the matrix of operations and callers (matrix.test.ts) does not show: lists by account, and the life of a key. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../api/auth.ts';
import { newId } from '../../contract/ids.ts';
import { createApiKey, hashApiKey } from '../../db/api-keys.ts';
import { apiKeys, people } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let keys: Record<Role | 'other', string>;
let accountId: string;
let numberId: string;

beforeAll(async () => {
  api = await startTestApi();
  const account = await createAccount(api.db);
  accountId = account.id;
  keys = {
    customer: account.key,
    other: (await createAccount(api.db, 'Other')).key,
    support: (await createStaff(api.db, 'support')).key,
    operator: (await createStaff(api.db, 'operator')).key,
  };
  numberId = (await submit(api.call, keys.customer)).id;
});
afterAll(() => api.close());

describe('lists', () => {
  it("show an account its own numbers, staff everybody's", async () => {
    const { id: foreignId } = await submit(api.call, keys.other);
    const idsOf = async (key: string, query = '') =>
      (await api.call(key, 'GET', `/v1/numbers?limit=100${query}`))
        .json()
        .items.map((item: { id: string }) => item.id);
    expect(await idsOf(keys.customer)).not.toContain(foreignId);
    expect(await idsOf(keys.other)).toContain(foreignId);
    expect(await idsOf(keys.operator)).toEqual(expect.arrayContaining([foreignId, numberId]));
    expect(await idsOf(keys.support, `&accountId=${accountId}`)).not.toContain(foreignId);
  });

  it('refuse the filter accountId to customers, even for their own', async () => {
    const response = await api.call(keys.customer, 'GET', `/v1/numbers?accountId=${accountId}`);
    expect(problemOf(response).code).toBe('forbidden');
  });
});

describe('keys', () => {
  const statusOf = async (key: string | null, method: 'GET' | 'POST' = 'GET') =>
    (await api.call(key, method, '/v1/numbers', method === 'POST' ? submission() : undefined)).statusCode;
  const keyOfAccount = (options: Partial<Parameters<typeof createApiKey>[1]> = {}) =>
    createApiKey(api.db, { organizationId: accountId, name: 'test', scopes: ['read', 'write'], ...options });

  it.each(['', 'x', 'wna_', `wna_${'0'.repeat(12)}_${'A'.repeat(43)}`])('refuses %j', async (key) => {
    expect(await statusOf(key)).toBe(401);
  });

  it('refuses one with another secret or other schemes', async () => {
    const { key } = await keyOfAccount();
    const forged = key.slice(0, -4) + (key.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expect(await statusOf(forged)).toBe(401);
    const basic = await api.call(null, 'GET', '/v1/numbers', undefined, { authorization: `Basic ${key}` });
    expect(basic.statusCode).toBe(401);
  });

  it('stops a revoked key at once, and an expired one', async () => {
    const { id, key } = await keyOfAccount();
    expect(await statusOf(key)).toBe(200);
    await api.db.update(apiKeys).set({ revokedAt: new Date() }).where(eq(apiKeys.id, id));
    expect(await statusOf(key)).toBe(401);
    const expired = await keyOfAccount({ expiresAt: new Date(Date.now() - 1000) });
    expect(await statusOf(expired.key)).toBe(401);
  });

  it('keeps to its scopes', async () => {
    const reader = await keyOfAccount({ scopes: ['read'] });
    expect([await statusOf(reader.key), await statusOf(reader.key, 'POST')]).toEqual([200, 403]);
    const writer = await keyOfAccount({ scopes: ['write'] });
    expect([await statusOf(writer.key), await statusOf(writer.key, 'POST')]).toEqual([403, 201]);
    expect(problemOf(await api.call(keys.operator, 'GET', '/v1/api-keys')).detail).toBe(
      'This call needs the scope "admin". This key has: read, write. An operator can create a key that has it.',
    );
  });

  it('refuses people who are banned, or no staff', async () => {
    const person = async (values: Partial<typeof people.$inferInsert>) => {
      const id = newId('usr');
      await api.db.insert(people).values({ id, name: 'P', email: `${id}@staff.example`, ...values });
      return (await createApiKey(api.db, { personId: id, name: 'test', scopes: ['read', 'write'] })).key;
    };
    expect(await statusOf(await person({ role: 'support', banned: true }))).toBe(401);
    const past = new Date(Date.now() - 1000);
    expect(await statusOf(await person({ role: 'support', banned: true, banExpires: past }))).toBe(200);
    expect(await statusOf(await person({ role: 'user' }))).toBe(403);
  });

  it('stores a hash, and notes the use', async () => {
    const { id, key } = await keyOfAccount();
    const read = async () => (await api.db.select().from(apiKeys).where(eq(apiKeys.id, id)))[0];
    expect(JSON.stringify(await read())).not.toContain(key.slice(-43));
    expect((await read())?.hash).toBe(hashApiKey(key));
    await statusOf(key);
    await expect.poll(async () => (await read())?.lastUsedAt).toBeInstanceOf(Date);
  });
});
