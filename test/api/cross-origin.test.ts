/** Calls from pages of other sites: only where CORS_ORIGINS names them, and only with a key. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount } from '../support/stack.ts';
import { startTestApi, type TestApi } from './harness.ts';

const OURS = 'https://console.example';
let api: TestApi;
let key: string;
beforeAll(async () => {
  api = await startTestApi({ CORS_ORIGINS: `${OURS},http://localhost:5173`, RATE_LIMIT_PER_MINUTE: '5' });
  ({ key } = await createAccount(api.db));
});
afterAll(() => api.close());

const preflight = (origin: string, url: string, method = 'PATCH', to = api) =>
  to.call(null, 'OPTIONS', url, undefined, {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type',
  });
const corsOf = (headers: Record<string, unknown>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe('a page of an allowed origin', () => {
  it('may send what the path takes, and reads what we tell', async () => {
    const asked = await preflight(OURS, '/v1/numbers/num_1');
    expect([asked.statusCode, asked.body]).toEqual([204, '']);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': OURS,
      'access-control-allow-methods': 'DELETE, GET, HEAD, PATCH',
      'access-control-allow-headers': expect.stringMatching(/Authorization.*Idempotency-Key/),
      vary: 'Origin',
    });
    const read = await api.call(key, 'GET', '/v1/numbers', undefined, { origin: OURS });
    expect(read.headers['access-control-allow-origin']).toBe(OURS);
    expect(read.headers['access-control-expose-headers']).toMatch(/ETag, Link, Location, .*Retry-After/);
  });

  it('never sends cookies along', async () => {
    for (const { headers } of [
      await preflight(OURS, '/v1/numbers'),
      await api.call(key, 'GET', '/v1/numbers', undefined, { origin: OURS }),
    ]) {
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it('reads refusals, too', async () => {
    const other = await createAccount(api.db);
    const statuses: number[] = [];
    for (const { statusCode, headers } of [
      await api.call(null, 'GET', '/v1/numbers', undefined, { origin: OURS }),
      await api.call(null, 'GET', '/v1/nowhere', undefined, { origin: OURS }),
      await api.call(key, 'PUT', '/v1/numbers', undefined, { origin: OURS }),
      ...(await Promise.all(
        Array.from({ length: 6 }, () =>
          api.call(other.key, 'GET', '/v1/numbers?x=1', undefined, { origin: OURS }),
        ),
      )),
    ]) {
      expect(headers['access-control-allow-origin']).toBe(OURS);
      statuses.push(statusCode);
    }
    expect(statuses.toSorted()).toEqual([400, 400, 400, 400, 400, 401, 404, 405, 429]);
  });

  it('asks in vain about a path that is not there, and is told as any other without a preflight', async () => {
    expect((await preflight(OURS, '/v1/nowhere')).statusCode).toBe(404);
    const plain = await api.call(null, 'OPTIONS', '/v1/numbers', undefined, { origin: OURS });
    expect([plain.statusCode, plain.headers['allow']]).toEqual([405, 'GET, HEAD, POST']);
  });
});

describe('a page of any other origin', () => {
  it.each(['https://evil.example', 'https://console.example.evil.example', 'http://console.example', 'null'])(
    '%s may nothing',
    async (origin) => {
      expect((await preflight(origin, '/v1/numbers')).statusCode).toBe(405);
      const { headers } = await api.call(key, 'GET', '/v1/business-categories', undefined, { origin });
      expect(corsOf(headers)).toEqual([]);
      expect(headers['vary']).toBe('Origin');
    },
  );

  it('may nothing where no origin is configured', async () => {
    const closed = await startTestApi();
    try {
      expect((await preflight(OURS, '/v1/numbers', 'POST', closed)).statusCode).toBe(405);
      const { headers } = await closed.call(null, 'GET', '/v1/business-categories', undefined, {
        origin: OURS,
      });
      expect(corsOf(headers)).toEqual([]);
    } finally {
      await closed.close();
    }
  });
});
