/** Requests that are wrong in form: a 4xx with a problem each, and nothing that leaks. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submission } from '../support/http.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let support: string;

beforeAll(async () => {
  api = await startTestApi();
  ({ key } = await createAccount(api.db));
  ({ key: support } = await createStaff(api.db, 'support'));
});
afterAll(() => api.close());

const raw = (
  payload: string | Buffer,
  type: string | null = 'application/json',
  method = 'POST',
  url = '/v1/numbers',
) =>
  api.app.inject({
    method: method as 'POST',
    url,
    payload,
    headers: { authorization: `Bearer ${key}`, ...(type !== null && { 'content-type': type }) },
  });

describe('bodies', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  it.each([
    ['not JSON', '{"a":', 400, 'malformed_request'],
    ['empty', '', 400, 'malformed_request'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'malformed_request'],
    ['__proto__', '{"__proto__":{"x":1}}', 400, 'malformed_request'],
    ['constructor', '{"constructor":{"prototype":{"x":1}}}', 400, 'malformed_request'],
    ['null', 'null', 422, 'invalid_request'],
    ['a list', '[]', 422, 'invalid_request'],
    ['a number', '1e400', 422, 'invalid_request'],
    ['deep nesting', nested(20_000), 422, 'invalid_request'],
    ['deep nesting in a field', `{"displayName":${nested(20_000)}}`, 422, 'invalid_request'],
    [
      'deep nesting in an unknown field',
      `{"x":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`,
      422,
      'invalid_request',
    ],
    ['over the bound', JSON.stringify({ address: 'x'.repeat(66_000) }), 413, 'too_large'],
  ])('%s', async (_name, payload, status, code) => {
    const response = await raw(payload);
    expect(response.statusCode, response.body).toBe(status);
    expect(problemOf(response).code).toBe(code);
  });

  it.each([
    ['{"a":', 'The body is not JSON.'],
    [Buffer.from([0x7b, 0xff]), 'The body is not UTF-8.'],
    ['{"__proto__":{"x":1}}', 'Leave out `__proto__` and `constructor`.'],
  ])('%s: says just what is wrong', async (payload, detail) => {
    expect(problemOf(await raw(payload)).detail).toBe(detail);
  });

  it.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/merge-patch+json',
    null,
  ])('refuses the type %s', async (type) => {
    const response = await raw(JSON.stringify(submission()), type);
    expect(response.statusCode, response.body).toBe(415);
    expect(problemOf(response).code).toBe('unsupported_media_type');
  });

  it('takes a charset, and merge-patch for edits', async () => {
    const created = await raw(JSON.stringify(submission()), 'application/json; charset=utf-8');
    expect(created.statusCode, created.body).toBe(201);
    const url = `/v1/numbers/${created.json().id}`;
    const edited = await raw('{"address":"x"}', 'application/merge-patch+json', 'PATCH', url);
    expect(problemOf(edited).code).toBe('not_approved');
  });

  it('takes no body, and an empty one, where everything is optional', async () => {
    const { id } = await submit(api.call, key);
    for (const response of [
      await api.call(key, 'POST', `/v1/numbers/${id}/resubmission`),
      await raw('', 'application/json', 'POST', `/v1/numbers/${id}/resubmission`),
      await raw('{}', 'application/json', 'POST', `/v1/numbers/${id}/resubmission`),
    ]) {
      expect(problemOf(response).code).toBe('not_rejected');
    }
    const unknown = await raw('{"x":1}', 'application/json', 'POST', `/v1/numbers/${id}/withdrawal`);
    expect(problemOf(unknown).errors[0]?.pointer).toBe('/x');
  });

  it('refuses the number itself in an edit and in a resubmission', async () => {
    const { id } = await submit(api.call, key);
    for (const [method, path] of [
      ['PATCH', ''],
      ['POST', '/resubmission'],
    ] as const) {
      const response = await api.call(key, method, `/v1/numbers/${id}${path}`, {
        mobileNumber: '+15555550123',
      });
      expect(response.statusCode).toBe(422);
      expect(problemOf(response).errors).toEqual([
        {
          pointer: '/mobileNumber',
          code: 'invalid_type',
          detail: expect.stringContaining('cannot be changed'),
        },
      ]);
    }
  });
});

describe('decisions', () => {
  const decide = async (body: unknown) => {
    const { id } = await submit(api.call, key);
    return api.call(support, 'POST', `/v1/numbers/${id}/verification`, body);
  };
  it.each([
    [{}, '/outcome'],
    [{ outcome: 'maybe' }, '/outcome'],
    [{ outcome: 'rejected' }, '/reason'],
    [{ outcome: 'rejected', reason: '  a ' }, '/reason'],
    [{ outcome: 'rejected', reason: 'x'.repeat(1001) }, '/reason'],
    [{ outcome: 'rejected', reason: 'NUL \u0000 here' }, '/reason'],
    [{ outcome: 'rejected', reason: 'half \ude00 here' }, '/reason'],
    [{ outcome: 'approved', code: 'two words' }, '/code'],
    [{ outcome: 'approved', fields: ['displayName', 'nope'] }, '/fields/1'],
    [{ outcome: 'approved', fields: 'displayName' }, '/fields'],
    [{ outcome: 'approved', attempt: 0 }, '/attempt'],
    [{ outcome: 'approved', attempt: '1' }, '/attempt'],
    [{ outcome: 'approved', attempt: 2 }, '/attempt'],
    [{ outcome: 'approved', by: 'me' }, '/by'],
  ])('refuses %j at %s', async (body, pointer) => {
    const response = await decide(body);
    expect(response.statusCode, response.body).toBe(422);
    expect(problemOf(response).errors.map((error) => error.pointer)).toContain(pointer);
  });
});

describe('addresses', () => {
  it.each([
    '/v1/numbers/%00',
    '/v1/numbers/num_%0a',
    '/v1/numbers/%zz',
    '/v1/numbers?q=abc%00',
    '/v1/numbers?accountId=%00',
    '/v1/numbers?cursor=%00',
    '/v1/numbers?limit=0',
    '/v1/numbers?limit=101',
    '/v1/numbers?limit=x',
    '/v1/numbers?limit=1&limit=2',
    '/v1/numbers?limit=1.5',
    '/v1/numbers?cursor=x',
    '/v1/numbers?cursor=bnVsbA',
    `/v1/numbers?cursor=${Buffer.from('"num_1\\u0000"').toString('base64url')}`,
    '/v1/numbers?q=ab',
    '/v1/numbers?q=%20%20a%20%20',
    '/v1/numbers?status=OPEN',
    '/v1/numbers?status=',
    '/v1/numbers?updatedSince=yesterday',
    '/v1/numbers?mobileNumber=12',
    '/v1/numbers?waitingFor=me',
    '/v1/numbers?qualityRating=GOOD',
    '/v1/numbers?page=2',
    '/v1/reviews?mine=true',
    '/v1/reviews?stage=first',
    '/v1/reviews?overdue=yes',
    '/v1/numbers?status=APPROVED,REJECTED',
    '/v1/numbers/num_1?fields=id',
    `/v1/reviews?cursor=${Buffer.from('{"waitingSince":"x","id":"num_1"}').toString('base64url')}`,
  ])('%s is malformed', async (url) => {
    const response = await api.call(support, 'GET', url);
    expect(response.statusCode, response.body).toBe(400);
    expect(problemOf(response).code).toBe('malformed_request');
  });

  it.each(['0000-01-01T00:00:00Z', '0000-01-01T00:00:00+14:00', '9999-12-31T23:59:59-14:00'])(
    'takes the time %s',
    async (time) => {
      const url = `/v1/numbers?updatedSince=${encodeURIComponent(time)}`;
      expect((await api.call(key, 'GET', url)).statusCode).toBe(200);
    },
  );

  it('takes a made-up place in the queue from before all time', async () => {
    const place = { first: false, waitingSince: '0000-01-01T00:00:00Z', id: `num_${'0'.repeat(32)}` };
    const cursor = Buffer.from(JSON.stringify(place)).toString('base64url');
    expect((await api.call(support, 'GET', `/v1/reviews?cursor=${cursor}`)).statusCode).toBe(200);
  });

  it('refuses parameters of a write', async () => {
    const response = await api.call(key, 'POST', '/v1/numbers?dry=true', submission());
    expect(problemOf(response)).toMatchObject({ code: 'malformed_request', errors: [{ pointer: 'dry' }] });
  });

  it.each(['num_x', 'x'.repeat(90), 'x'.repeat(2_000), "'; drop table numbers; --", '..', 'é', '🦊'])(
    'an id like %s is unknown',
    async (id) => {
      const response = await api.call(key, 'GET', `/v1/numbers/${encodeURI(id)}`);
      expect(response.statusCode, response.body).toBe(404);
      expect(problemOf(response).code).toBe('not_found');
    },
  );

  it('an unknown path is not found, signed in or not', async () => {
    expect(problemOf(await api.call(null, 'GET', '/v2/numbers')).code).toBe('not_found');
    expect(problemOf(await api.call(key, 'POST', '/v1/numbers/check/x', {})).code).toBe('not_found');
  });

  it.each([
    ['PUT', '/v1/numbers', 'GET, HEAD, POST'],
    ['DELETE', '/v1/numbers', 'GET, HEAD, POST'],
    ['POST', '/v1/numbers/num_1', 'DELETE, GET, HEAD, PATCH'],
    ['GET', '/v1/numbers/num_1/withdrawal', 'POST'],
    ['PATCH', '/v1/numbers/num_1/verification', 'POST'],
    ['OPTIONS', '/v1/reviews', 'GET, HEAD'],
    ['POST', '/livez', 'GET, HEAD'],
    ['POST', '/docs/', 'GET, HEAD'],
  ] as const)('%s %s is not allowed; %s are', async (method, url, allow) => {
    const response = await api.call(null, method, url);
    expect(response.statusCode).toBe(405);
    expect(response.headers['allow']).toBe(allow);
    expect(problemOf(response).code).toBe('method_not_allowed');
  });
});

describe('headers', () => {
  it.each(['', ' ', 'a b', 'é', 'x'.repeat(256)])('refuses the Idempotency-Key %j', async (given) => {
    const response = await api.call(key, 'POST', '/v1/numbers', submission(), { 'idempotency-key': given });
    expect(response.statusCode, response.body).toBe(422);
  });

  it('takes over a short plain request id, and no other', async () => {
    const idOf = async (given: string) =>
      (await api.call(null, 'GET', '/livez', undefined, { 'x-request-id': given })).headers['x-request-id'];
    expect(await idOf('abc-1.2_3')).toBe('abc-1.2_3');
    for (const bad of ['a b', '<script>', 'x'.repeat(65), '']) {
      expect(await idOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('carries security headers on every kind of answer', async () => {
    for (const response of [
      await api.call(key, 'GET', '/v1/numbers'),
      await api.call(null, 'GET', '/v1/numbers'),
      await api.call(null, 'GET', '/nowhere'),
      await api.call(key, 'GET', '/v1/numbers?x=1'),
      await api.call(key, 'PUT', '/v1/numbers'),
    ]) {
      expect(response.headers).toMatchObject({
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'strict-transport-security': expect.stringContaining('max-age=31536000'),
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      });
      expect(response.headers['access-control-allow-origin']).toBeUndefined();
      expect(response.headers['x-powered-by']).toBeUndefined();
      expect(response.headers['server']).toBeUndefined();
    }
    // Answered before any route is looked up.
    const unread = await api.call(key, 'GET', '/v1/numbers/%zz');
    expect(unread.headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'strict-transport-security': expect.stringContaining('max-age=31536000'),
      'x-content-type-options': 'nosniff',
    });
  });
});

describe('our own failures', () => {
  it('are told without what went wrong inside', async () => {
    const broken = await startTestApi();
    try {
      const { key } = await createAccount(broken.db);
      await broken.db.execute(sql`alter table numbers rename column address to gone`);
      const response = await broken.call(key, 'GET', '/v1/numbers');
      expect(response.statusCode).toBe(500);
      expect(problemOf(response).code).toBe('internal');
      expect(response.body).not.toMatch(/address|select|column/i);
    } finally {
      await broken.close();
    }
  });

  it('a database that is gone is unavailable, with Retry-After', async () => {
    const gone = await startTestApi();
    const { key } = await createAccount(gone.db);
    await gone.db.close();
    const response = await gone.call(key, 'GET', '/v1/numbers');
    expect(response.statusCode).toBe(503);
    expect(problemOf(response).code).toBe('unavailable');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    await gone.close();
  });
});
