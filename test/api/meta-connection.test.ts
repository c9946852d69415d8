/** An account's own WhatsApp Business Account: checked at Meta (a simulator, over real HTTP) before it is kept. */
import { and, eq } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { decrypt, secretsOf } from '../../auth/secrets.ts';
import { createClient } from '../../client/index.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { findConnection } from '../../db/meta-connections.ts';
import { changeMetaNumber, ensureMetaNumber } from '../../db/meta-numbers.ts';
import { auditEvents, idempotencyRecords, metaConnections, numbers } from '../../db/schema.ts';
import { OUR_ACCOUNT, STACK_ACCOUNTS, STACK_APP } from '../../dev/meta/accounts.ts';
import { failureSchema } from '../../dev/meta/failures.ts';
import { type MetaSimulator, startMetaSimulator } from '../../dev/meta/simulator.ts';
import { acceptNumber } from '../support/accepted.ts';
import { metaEnv, readMeta, THEIR_ACCOUNT } from '../support/meta.ts';
import { createAccount } from '../support/stack.ts';
import { MAIL_DOWN, problemOf, startTestApi, TEMPORAL_DOWN, type TestApi } from './harness.ts';

let simulator: MetaSimulator;
let api: TestApi;

beforeAll(async () => {
  simulator = await startMetaSimulator({ port: 0, ...STACK_APP, accounts: STACK_ACCOUNTS });
  api = await startTestApi(metaEnv(simulator));
});
afterAll(async () => {
  await api.close();
  await simulator.close();
});
afterEach(async () => {
  await api.db.delete(metaConnections);
  simulator.simulation.failures.clear();
  for (const known of Object.values(simulator.simulation.state.tokens)) known.state = 'valid';
});

async function admin() {
  const { id } = await createAccount(api.db);
  const scopes = ['read' as const, 'write' as const, 'admin' as const];
  const { key } = await createApiKey(api.db, { organizationId: id, name: 'admin', scopes });
  return { id, key };
}

const { wabaId, token: accessToken } = THEIR_ACCOUNT;
const PATH = '/v1/meta-connection';
const put = (key: string, body: object = { wabaId, accessToken }, headers = {}) =>
  api.call(key, 'PUT', PATH, body, headers);
const get = async (key: string) => (await api.call(key, 'GET', PATH)).json();
const known = (token: string) => {
  const found = simulator.simulation.state.tokens[token];
  if (!found) throw new Error('unknown token');
  return found;
};

it('is checked, subscribed to, kept encrypted, and told without its token', async () => {
  const { id, key } = await admin();
  expect(await get(key)).toEqual({
    servedBy: 'service',
    wabaId: null,
    name: null,
    state: null,
    problem: null,
    checkedAt: null,
  });
  const response = await put(key);
  expect(response.statusCode, response.body).toBe(200);
  expect(response.json()).toEqual({
    servedBy: 'account',
    wabaId,
    name: 'Widgets Inc.',
    state: 'active',
    problem: null,
    checkedAt: expect.any(String),
  });
  expect(await get(key)).toEqual(response.json());
  expect(simulator.simulation.account(wabaId)?.subscribed).toBe(true);
  const row = await findConnection(api.db, id);
  expect(JSON.stringify(row)).not.toContain(accessToken);
  expect(await decrypt(secretsOf(api.config), row?.token ?? '')).toMatchObject({ text: accessToken });
  const [entry] = await api.db
    .select()
    .from(auditEvents)
    .where(and(eq(auditEvents.accountId, id), eq(auditEvents.type, 'meta-connection.changed')));
  expect(entry).toMatchObject({ targetId: row?.id, data: { wabaId } });
  expect(JSON.stringify(entry)).not.toContain(accessToken);
});

it('a repeat with the same key asks Meta nothing, and what is stored of it has no token', async () => {
  const { id, key } = await admin();
  const headers = { 'idempotency-key': 'connect-1' };
  const first = await put(key, undefined, headers);
  simulator.simulation.calls.length = 0;
  expect((await put(key, undefined, headers)).json()).toEqual(first.json());
  expect(simulator.simulation.calls).toEqual([]);
  const stored = await api.db.select().from(idempotencyRecords).where(eq(idempotencyRecords.scope, id));
  expect(JSON.stringify(stored)).not.toContain(accessToken);
});

it('a new token makes a connection that had stopped active again', async () => {
  const { id, key } = await admin();
  await put(key);
  const problem = { message: 'Refused.', code: 190, subcode: null, fbtraceId: 'A1', until: null };
  await api.db
    .update(metaConnections)
    .set({ state: 'token_refused', problem })
    .where(eq(metaConnections.accountId, id));
  expect(await get(key)).toMatchObject({
    state: 'token_refused',
    problem: { message: 'Refused.', code: 190, fbtraceId: 'A1' },
  });
  expect(await api.app.metrics.metrics()).toContain('meta_connections{state="token_refused"} 1\n');
  simulator.simulation.state.tokens['EAAnewTokenOfWidgets'] = { wabaId, state: 'valid' };
  expect((await put(key, { wabaId, accessToken: 'EAAnewTokenOfWidgets' })).json()).toMatchObject({
    state: 'active',
    problem: null,
  });
  expect(await api.db.select().from(metaConnections)).toHaveLength(1);
});

it.each([
  ['of nobody', { wabaId, accessToken: 'EAAnobodysToken' }, '/accessToken', 'not_valid'],
  ['for another account', { wabaId: OUR_ACCOUNT.wabaId, accessToken }, '/wabaId', 'not_covered'],
  ['with spaces', { wabaId, accessToken: 'EAA with spaces' }, '/accessToken', undefined],
])('a token %s is refused at its field', async (_what, body, pointer, code) => {
  const { id, key } = await admin();
  const response = await put(key, body);
  expect(response.statusCode).toBe(422);
  expect(problemOf(response).errors).toMatchObject([{ pointer, ...(code && { code }) }]);
  expect(response.body).not.toContain(body.accessToken);
  expect(await findConnection(api.db, id)).toBeNull();
});

it('a token that has expired, lacks a permission or cannot read the account is refused', async () => {
  const { key } = await admin();
  const codes: unknown[] = [];
  for (const state of ['expired', 'permissionless'] as const) {
    known(accessToken).state = state;
    codes.push(problemOf(await put(key)).errors[0]?.code);
  }
  known(accessToken).state = 'valid';
  for (const [path, code] of [
    [`/${wabaId}`, 200],
    ['/subscribed_apps', 100],
    ['/debug_token', 100],
  ]) {
    simulator.simulation.failures.add(failureSchema.parse({ path, code }));
    codes.push(problemOf(await put(key)).errors[0]?.code);
  }
  expect(codes).toEqual(['not_valid', 'permission_missing', 'not_readable', 'not_readable', 'other_app']);
});

it('a Meta that is away is told as that, and the same request goes well afterwards', async () => {
  const { key } = await admin();
  const headers = { 'idempotency-key': 'away-1' };
  for (const path of ['/debug_token', `/${wabaId}`, '/subscribed_apps']) {
    simulator.simulation.failures.add(failureSchema.parse({ path, code: 2 }));
    const response = await put(key, undefined, headers);
    expect([response.statusCode, problemOf(response).code]).toEqual([503, 'unavailable']);
    expect(response.headers['retry-after']).toBeDefined();
  }
  expect((await put(key, undefined, headers)).statusCode).toBe(200);
});

it("another account's WhatsApp Business Account is taken, and nothing of it is told", async () => {
  const [one, two] = [await admin(), await admin()];
  expect((await put(one.key)).statusCode).toBe(200);
  const response = await put(two.key);
  expect([response.statusCode, problemOf(response).code]).toEqual([409, 'waba_taken']);
  expect(await get(two.key)).toMatchObject({ servedBy: 'service', wabaId: null });
  expect(await findConnection(api.db, two.id)).toBeNull();
});

it('cannot be exchanged while numbers live in it; afterwards they are not looked for under their old ids', async () => {
  const { id, key } = await admin();
  await put(key);
  const connection = await findConnection(api.db, id);
  const number = await acceptNumber(api.db, id, { status: 'APPROVED' });
  await ensureMetaNumber(api.db, number, connection?.id ?? '');
  await changeMetaNumber(api.db, number.id, { phoneNumberId: '1234567', registeredAt: new Date() });
  const { state } = simulator.simulation;
  state.accounts.push({ wabaId: '90001', businessId: '90002', name: 'Other', subscribed: false });
  state.businesses['90002'] = { limit: 'TIER_250', maxNumbers: 2 };
  state.tokens['EAAtokenOfOther'] = { wabaId: '90001', state: 'valid' };
  const other = { wabaId: '90001', accessToken: 'EAAtokenOfOther' };
  const refused = await put(key, other);
  expect([refused.statusCode, problemOf(refused).code]).toEqual([409, 'waba_in_use']);
  expect((await put(key)).statusCode).toBe(200);

  await api.db.update(numbers).set({ status: 'RELEASED' }).where(eq(numbers.id, number.id));
  expect((await put(key, other)).statusCode).toBe(409);
  await changeMetaNumber(api.db, number.id, { deregisteredAt: new Date(Date.now() + 1_000) });
  expect((await put(key, other)).json()).toMatchObject({ wabaId: '90001', name: 'Other' });
  expect((await readMeta(api.db, number.id)).phoneNumberId).toBeNull();
  await api.db.delete(numbers).where(eq(numbers.id, number.id));
});

it('without Meta configured there is nothing to connect, and support brings numbers there', async () => {
  const plain = await startTestApi();
  const { id } = await createAccount(plain.db);
  const scopes = ['read' as const, 'write' as const, 'admin' as const];
  const { key } = await createApiKey(plain.db, { organizationId: id, name: 'admin', scopes });
  expect((await plain.call(key, 'GET', PATH)).json()).toMatchObject({ servedBy: 'support' });
  const response = await plain.call(key, 'PUT', PATH, { wabaId, accessToken });
  expect([response.statusCode, problemOf(response).code]).toEqual([409, 'meta_not_configured']);
  await plain.close();
});

it('is reached by the client', async () => {
  const app: FastifyInstance = await buildApp({
    db: api.db,
    config: api.config,
    workflows: TEMPORAL_DOWN,
    mail: MAIL_DOWN,
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const { key } = await admin();
  const client = createClient({ baseUrl: url, apiKey: key });
  expect(await client.metaConnection.set({ wabaId, accessToken })).toMatchObject({ servedBy: 'account' });
  expect(await client.metaConnection.get()).toMatchObject({ wabaId, state: 'active' });
  await app.close();
});
