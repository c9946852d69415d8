/** Who may call what, for every operation of the OpenAPI document; and that accounts never see each other. */
import { eq } from 'drizzle-orm';
import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../api/auth.ts';
import { newId } from '../../contract/ids.ts';
import { createApiKey, hashApiKey } from '../../db/api-keys.ts';
import { apiKeys, people } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { type Operation, operationsOf } from '../support/openapi.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { documentOf, problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let keys: Record<Role | 'other', string>;
let accountId: string;
let numberId: string;

beforeAll(async () => {
  api = await startTestApi();
  const account = await createAccount(api.db);
  accountId = account.id;
  const operator = await createStaff(api.db, 'operator');
  const withAdmin = async (owner: { organizationId: string } | { personId: string }) =>
    (await createApiKey(api.db, { ...owner, name: 'test', scopes: ['read', 'write', 'admin'] })).key;
  keys = {
    customer: await withAdmin({ organizationId: accountId }),
    other: await withAdmin({ organizationId: (await createAccount(api.db, 'Other')).id }),
    support: (await createStaff(api.db, 'support')).key,
    operator: await withAdmin({ personId: operator.id }),
  };
  numberId = (await submit(api.call, keys.customer)).id;
});
afterAll(() => api.close());

/** Who may call each operation. A new operation has to be added here. */
const RULES: Record<string, Role[] | 'public' | 'person'> = {
  'POST /v1/numbers': ['customer'],
  'GET /v1/numbers': ['customer', 'support', 'operator'],
  'GET /v1/numbers/{id}': ['customer', 'support', 'operator'],
  'PATCH /v1/numbers/{id}': ['customer'],
  'DELETE /v1/numbers/{id}': ['customer'],
  'POST /v1/numbers/{id}/resubmission': ['customer'],
  'POST /v1/numbers/{id}/withdrawal': ['customer'],
  'GET /v1/numbers/{id}/events': ['customer', 'support', 'operator'],
  'GET /v1/callback-profiles': ['customer'],
  'POST /v1/callback-profiles': ['customer'],
  'GET /v1/callback-profiles/{id}': ['customer'],
  'PATCH /v1/callback-profiles/{id}': ['customer'],
  'DELETE /v1/callback-profiles/{id}': ['customer'],
  'POST /v1/numbers/check': ['customer'],
  'GET /v1/account': ['customer'],
  'PATCH /v1/account': ['customer'],
  'POST /v1/account/closure': ['customer'],
  'GET /v1/members': ['customer'],
  'PATCH /v1/members/{personId}': ['customer'],
  'DELETE /v1/members/{personId}': ['customer'],
  'GET /v1/invitations': ['customer', 'operator'],
  'POST /v1/invitations': ['customer', 'operator'],
  'DELETE /v1/invitations/{id}': ['customer', 'operator'],
  'POST /v1/invitations/{token}/acceptance': 'public',
  'GET /v1/api-keys': ['customer', 'operator'],
  'POST /v1/api-keys': ['customer', 'operator'],
  'DELETE /v1/api-keys/{id}': ['customer', 'operator'],
  'GET /v1/accounts': ['operator'],
  'POST /v1/accounts': ['operator'],
  'GET /v1/accounts/{id}': ['operator'],
  'PATCH /v1/accounts/{id}': ['operator'],
  'POST /v1/accounts/{id}/closure': ['operator'],
  'GET /v1/audit': ['operator'],
  'POST /v1/images': ['customer'],
  'GET /v1/images/{id}': ['customer', 'support', 'operator'],
  'GET /v1/reviews': ['support', 'operator'],
  'GET /v1/reviews/summary': ['support', 'operator'],
  'POST /v1/reviews/next': ['support'],
  'PUT /v1/numbers/{id}/claim': ['support'],
  'DELETE /v1/numbers/{id}/claim': ['support'],
  'GET /v1/stream': ['customer', 'support', 'operator'],
  'POST /v1/numbers/{id}/verification': ['support'],
  'POST /v1/numbers/{id}/facebook-decision': ['support'],
  'POST /v1/session': 'public',
  'GET /v1/session': 'person',
  'PATCH /v1/session': 'person',
  'DELETE /v1/session': 'person',
  'POST /v1/session/two-factor': 'public',
  'DELETE /v1/session/two-factor': 'person',
  'POST /v1/session/two-factor/setup': 'person',
  'POST /v1/session/two-factor/confirmation': 'person',
  'POST /v1/email-verifications': 'public',
  'POST /v1/email-verifications/{token}': 'public',
  'POST /v1/password-resets': 'public',
  'POST /v1/password-resets/{token}': 'public',
  'PATCH /v1/person': 'person',
  'GET /v1/people': ['operator'],
  'POST /v1/people': ['operator'],
  'PATCH /v1/people/{id}': ['operator'],
  'DELETE /v1/people/{id}/two-factor': ['operator'],
  'POST /v1/numbers/{id}/comments': ['customer', 'support', 'operator'],
  'GET /v1/business-categories': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /problems/{code}': 'public',
};

const BODIES: Record<string, () => unknown> = {
  'POST /v1/numbers': submission,
  'POST /v1/numbers/check': submission,
  'PATCH /v1/numbers/{id}': () => ({ address: 'x' }),
  'POST /v1/session': () => ({ email: 'nobody@people.example', password: 'a password of the tests' }),
  'POST /v1/session/two-factor': () => ({ code: '000000' }),
  'POST /v1/email-verifications': () => ({ email: 'nobody@people.example' }),
  'POST /v1/password-resets': () => ({ email: 'nobody@people.example' }),
  'POST /v1/password-resets/{token}': () => ({ password: 'a password of the tests' }),
  'POST /v1/people': () => ({ name: 'P', email: `${newId('usr')}@staff.example`, role: 'support' }),
  'PATCH /v1/people/{id}': () => ({ name: 'x' }),
  'POST /v1/callback-profiles': () => ({ name: 'x', url: 'https://example.com' }),
  'PATCH /v1/callback-profiles/{id}': () => ({ name: 'x' }),
  'PATCH /v1/account': () => ({ name: 'Widgets Ltd' }),
  'POST /v1/account/closure': () => ({ name: 'of another account' }),
  'PATCH /v1/members/{personId}': () => ({ role: 'member' }),
  'POST /v1/invitations': () => ({ email: 'wanda@widgets.example' }),
  'POST /v1/invitations/{token}/acceptance': () => ({ password: 'x' }),
  'POST /v1/api-keys': () => ({ name: 'test' }),
  'POST /v1/accounts': () => ({
    name: 'New',
    notificationEmails: ['new@widgets.example'],
    admin: { email: 'new@widgets.example' },
  }),
  'PATCH /v1/accounts/{id}': () => ({ name: 'Widgets Ltd' }),
  'POST /v1/accounts/{id}/closure': () => ({ reason: 'test' }),
  'POST /v1/numbers/{id}/verification': () => ({ outcome: 'approved' }),
  'POST /v1/numbers/{id}/facebook-decision': () => ({ outcome: 'approved' }),
  'POST /v1/numbers/{id}/comments': () => ({ text: 'x' }),
};

const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

function send(key: string | null, operation: Operation, id = numberId) {
  const url = operation.path
    .replace('{code}', 'internal')
    .replace('{token}', 'x')
    .replace(/\{\w+\}/, id);
  return api.call(key, operation.method, url, BODIES[nameOf(operation)]?.());
}

/** The code of a problem; undefined where there is none. */
const codeOf = (response: LightMyRequestResponse): string | undefined =>
  response.statusCode < 400 ? undefined : response.json().code;

it('has a rule here for every operation', () => {
  expect(operationsOf(documentOf(api.app)).map(nameOf).sort()).toEqual(Object.keys(RULES).sort());
});

describe.each(Object.entries(RULES))('%s', (name, rule) => {
  const operation = () => {
    const found = operationsOf(documentOf(api.app)).find((one) => nameOf(one) === name);
    if (!found) throw new Error(`no operation ${name}`);
    return found;
  };

  it('is open or asks for a key', async () => {
    const response = await send(null, operation());
    expect(operation().roles).toEqual(rule === 'public' ? [] : [rule].flat());
    if (rule === 'public') {
      // A wrong password, or a link that is not valid: but anybody may try.
      expect(codeOf(response)).not.toBe('unauthenticated');
    } else {
      expect(response.statusCode).toBe(401);
      expect(response.headers['www-authenticate']).toBe('Bearer');
      expect(problemOf(response).code).toBe('unauthenticated');
    }
  });

  it.each(['customer', 'support', 'operator'] as const)('knows its rule for a %s', async (role) => {
    const code = codeOf(await send(keys[role], operation()));
    // What is for people takes no key of anybody.
    const allowed = rule === 'public' || (rule !== 'person' && rule.includes(role));
    expect(code === 'forbidden').toBe(!allowed);
    expect(code).not.toBe('unauthenticated');
  });

  if (!name.includes('{id}') || rule === 'public' || !rule.includes('customer')) return;

  it("answers another account's id as one that does not exist", async () => {
    const foreign = await send(keys.other, operation());
    const unknown = await send(keys.other, operation(), newId('num'));
    expect(foreign.statusCode).toBe(404);
    const bare = (response: typeof foreign) => {
      const { instance, requestId, ...rest } = problemOf(response);
      return rest;
    };
    expect(bare(foreign)).toEqual(bare(unknown));
    expect(Object.keys(foreign.headers).sort()).toEqual(Object.keys(unknown.headers).sort());
  });
});

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
