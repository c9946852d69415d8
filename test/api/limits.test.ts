/** Limits: requests of an address, of a key, and tries where something could be guessed. */

import { eq } from 'drizzle-orm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { timeOfId } from '../../contract/ids.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { numbers } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { startSession } from '../support/session.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
const start = async (env: Record<string, string>) => {
  api = await startTestApi({ TRUST_PROXY: '127.0.0.1', ...env });
  return createAccount(api.db);
};
afterEach(async () => {
  vi.useRealTimers();
  await api.close();
});

const list = (key: string | null, address: string) =>
  api.call(key, 'GET', '/v1/numbers?limit=1', undefined, { 'x-forwarded-for': address });
const statusesOf = async (calls: (() => ReturnType<typeof list>)[]) => {
  const statuses: number[] = [];
  for (const call of calls) statuses.push((await call()).statusCode);
  return statuses;
};
const times = <T>(count: number, one: T) => Array.from({ length: count }, () => one);

describe('requests with one key', () => {
  it('are bounded over all addresses, and every answer says what is left', async () => {
    const { id, key } = await start({ RATE_LIMIT_PER_MINUTE: '3', RATE_LIMIT_ADDRESS_PER_MINUTE: '90' });
    const first = await list(key, '203.0.113.1');
    expect(first.headers).toMatchObject({
      'ratelimit-policy': '"key";q=3;w=60, "address";q=90;w=60',
      ratelimit: '"key";r=2;t=60, "address";r=89;t=60',
    });
    expect(await statusesOf(times(2, () => list(key, '203.0.113.2')))).toEqual([200, 200]);
    const refused = await list(key, '203.0.113.3');
    expect(refused.statusCode).toBe(429);
    expect(problemOf(refused)).toMatchObject({
      code: 'rate_limited',
      detail: expect.stringMatching(/key.* 3 /),
    });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
    expect(refused.headers['ratelimit']).toMatch(/^"key";r=0;t=\d+, "address";r=89;t=60$/);
    expect(await api.app.metrics.metrics()).toContain('http_requests_limited_total{limit="key"} 1');

    const other = await createApiKey(api.db, { organizationId: id, name: 'other', scopes: ['read'] });
    expect((await list(other.key, '203.0.113.3')).statusCode).toBe(200);
  });

  it('are taken again when the minute is over', async () => {
    const { key } = await start({ RATE_LIMIT_PER_MINUTE: '1' });
    expect(await statusesOf(times(2, () => list(key, '203.0.113.1')))).toEqual([200, 429]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    expect((await list(key, '203.0.113.1')).statusCode).toBe(200);
  });
});

describe('requests of one person', () => {
  it('are bounded over all their sessions, and not by those of their keys', async () => {
    await start({ RATE_LIMIT_PER_MINUTE: '2' });
    const { id, key } = await createStaff(api.db, 'support');
    const sessions = [await startSession(api.db, id), await startSession(api.db, id)];
    const calls = [...sessions, ...sessions].map(
      ({ cookie }) =>
        () =>
          api.call(null, 'GET', '/v1/reviews', undefined, { cookie }),
    );
    expect(await statusesOf(calls)).toEqual([200, 200, 429, 429]);
    expect((await calls[0]?.())?.headers['ratelimit']).toMatch(/^"person";r=0;/);
    expect((await list(key, '203.0.113.1')).statusCode).toBe(200);
  });
});

describe('requests of one address', () => {
  it('are bounded with any key, with none, and where there is nothing; others go on', async () => {
    const { key } = await start({ RATE_LIMIT_ADDRESS_PER_MINUTE: '4' });
    const of = (key: string | null, url: string) => () =>
      api.call(key, 'GET', url, undefined, { 'x-forwarded-for': '203.0.113.1' });
    const calls = [of(key, '/v1/numbers'), of('wna_guess', '/v1/numbers'), of(null, '/openapi.json')];
    expect(await statusesOf([...calls, of(null, '/nowhere')])).toEqual([200, 401, 200, 404]);
    // Who guesses keys learns nothing more, not even of a right one.
    const refused = await statusesOf([...calls, of(null, '/nowhere')]);
    expect(refused).toEqual([429, 429, 429, 429]);
    expect((await list(key, '203.0.113.2')).statusCode).toBe(200);
  });

  it('count an IPv6 network as one, and a mapped IPv4 address as itself', async () => {
    const { key } = await start({ RATE_LIMIT_ADDRESS_PER_MINUTE: '1' });
    const addresses = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1', '203.0.113.9'];
    const mapped = '::ffff:203.0.113.9';
    const calls = [...addresses, mapped].map((address) => () => list(key, address));
    expect(await statusesOf(calls)).toEqual([200, 429, 200, 200, 429]);
  });

  it('are those of the proxy where it is not trusted', async () => {
    const { key } = await start({ RATE_LIMIT_ADDRESS_PER_MINUTE: '1', TRUST_PROXY: 'false' });
    const calls = ['203.0.113.1', '203.0.113.2'].map((address) => () => list(key, address));
    expect(await statusesOf(calls)).toEqual([200, 429]);
  });

  it('never stop health checks', async () => {
    await start({ RATE_LIMIT_ADDRESS_PER_MINUTE: '1' });
    const health = () => api.call(null, 'GET', '/livez');
    expect(await statusesOf(times(3, health))).toEqual([200, 200, 200]);
    expect((await health()).headers['ratelimit']).toBeUndefined();
    expect((await api.call(null, 'GET', '/readyz')).statusCode).toBe(200);
  });

  it('are remembered for more addresses than the library would', async () => {
    await start({ RATE_LIMIT_ADDRESS_PER_MINUTE: '2' });
    const of = (n: number) =>
      api.call(null, 'GET', '/nowhere', undefined, { 'x-forwarded-for': `10.0.${n >> 8}.${n & 255}` });
    await of(0);
    for (let n = 1; n <= 5_100; n++) await of(n);
    expect((await of(0)).headers['ratelimit']).toContain('r=0');
  });
});

describe('tries where something could be guessed', () => {
  it('are bounded by address over all such routes, and count as its requests', async () => {
    await start({ SIGN_INS_PER_MINUTE: '2', RATE_LIMIT_ADDRESS_PER_MINUTE: '90' });
    const config = { access: 'public', limit: 'sign-in' } as const;
    api.app.get('/v1/one', { config, schema: { hide: true } }, async () => 'one');
    api.app.get('/v1/two', { config, schema: { hide: true } }, async () => 'two');
    const of = (url: string, address: string) => () =>
      api.call(null, 'GET', url, undefined, { 'x-forwarded-for': address });
    expect((await of('/v1/one', '203.0.113.1')()).headers['ratelimit']).toBe(
      '"sign-in";r=1;t=60, "address";r=89;t=60',
    );
    const more = [of('/v1/two', '203.0.113.1'), of('/v1/one', '203.0.113.1'), of('/v1/two', '203.0.113.1')];
    expect(await statusesOf(more)).toEqual([200, 429, 429]);
    expect(await statusesOf([of('/v1/one', '203.0.113.2'), of('/livez', '203.0.113.1')])).toEqual([200, 200]);
  });
});

describe('submissions of an account', () => {
  const DAY_MS = 86_400_000;
  const send = (key: string, changes = {}, headers = {}) =>
    api.call(key, 'POST', '/v1/numbers', submission(changes), headers);

  it('are bounded within 24 hours, whatever becomes of the numbers', async () => {
    const { key } = await start({ SUBMISSIONS_PER_DAY: '3' });
    const { id, mobileNumber } = await submit(api.call, key);
    expect((await send(key, { mobileNumber })).statusCode, 'what is refused does not count').toBe(409);
    await submit(api.call, key);
    await submit(api.call, key);
    await api.db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, id));
    const refused = await send(key, { mobileNumber });
    expect(problemOf(refused)).toMatchObject({
      code: 'quota_exceeded',
      detail: expect.stringContaining('3'),
    });
    expect(problemOf(refused).detail).not.toContain('ask');
    const wait = Number(refused.headers['retry-after']);
    expect(wait).toBeGreaterThan(DAY_MS / 1000 - 60);
    expect(wait).toBeLessThanOrEqual(DAY_MS / 1000);
    expect((await send((await createAccount(api.db)).key)).statusCode).toBe(201);
  });

  it('go on as the oldest is a day old, also with the Idempotency-Key that was refused', async () => {
    const { key } = await start({ SUBMISSIONS_PER_DAY: '2' });
    const { id } = await submit(api.call, key);
    await submit(api.call, key);
    const repeat = { 'idempotency-key': 'once' };
    const body = submission();
    expect((await send(key, body, repeat)).statusCode).toBe(429);
    const oldest = timeOfId(id);
    vi.useFakeTimers({ toFake: ['Date'], now: oldest + DAY_MS - 1 });
    const early = await send(key, body, repeat);
    expect([early.statusCode, early.headers['retry-after']]).toEqual([429, '1']);
    vi.setSystemTime(oldest + DAY_MS + 1);
    expect((await send(key, body, repeat)).statusCode).toBe(201);
    expect((await send(key)).statusCode, 'one came, one went').toBe(429);
  });

  it('pass the bound not by one when many come at once', async () => {
    const { key } = await start({ SUBMISSIONS_PER_DAY: '5' });
    const answers = await Promise.all(times(24, 0).map(() => send(key)));
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(5);
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(19);
  });
});
