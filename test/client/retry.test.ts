/** When the client tries again, how long it waits, and with what it ends. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ClientOptions, createClient, NoAnswerError, ProblemError } from '../../client/index.ts';
import { retryAfterMs } from '../../client/problem.ts';
import { waitMs } from '../../client/retry.ts';

const submission = {
  displayName: 'Widgets',
  mobileNumber: '+14155550123',
  businessCategory: 'RETAIL',
} as const;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Script = (response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers by turns; the last of them for good. */
async function startServer(...turns: Script[]) {
  const requests: { method: string; url: string; key: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const key = request.headers['idempotency-key'];
    requests.push({ method: request.method ?? '', url: request.url ?? '', key: key as string | undefined });
    turns[Math.min(requests.length, turns.length) - 1]?.(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = (options: Partial<ClientOptions> = {}) =>
    createClient({ baseUrl, apiKey: 'wna_x', backoff: { firstMs: 1, mostMs: 1 }, ...options });
  return { requests, client };
}

const problem =
  (status: number, code: string, headers: Record<string, string> = {}): Script =>
  (response) =>
    response
      .writeHead(status, { 'content-type': 'application/problem+json', 'x-request-id': 'r-1', ...headers })
      .end(JSON.stringify({ code, detail: 'Do that.', errors: [{ pointer: '/a', code: 'x', detail: 'y' }] }));
const good: Script = (response) => response.writeHead(201).end('{"id":"num_1"}');
const broken: Script = (response) => void response.destroy();
const cut: Script = (response) => {
  response.writeHead(200, { 'content-length': '100' }).write('{"id":');
  setImmediate(() => response.destroy());
};

describe('a write', () => {
  it.each<[string, Script]>([
    ['the connection breaks', broken],
    ['the answer breaks off', cut],
    ['there are too many requests', problem(429, 'rate_limited')],
    ['the API is not available', problem(503, 'unavailable')],
    ['a proxy has lost the API', problem(502, 'unknown')],
    ['the first try still runs', problem(409, 'idempotency_in_flight', { 'retry-after': '0' })],
  ])('is tried again with the same key where %s', async (_what, turn) => {
    const { requests, client } = await startServer(turn, turn, good);
    expect(await client().numbers.submit(submission)).toEqual({ id: 'num_1' });
    expect(requests).toHaveLength(3);
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
    expect(requests[0]?.key).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('draws another key for another call, and takes one of the caller', async () => {
    const { requests, client } = await startServer(good);
    await client().numbers.submit(submission);
    await client().numbers.submit(submission);
    await client().numbers.submit(submission, { idempotencyKey: 'mine' });
    const keys = requests.map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    expect(keys[2]).toBe('mine');
  });

  it.each([400, 401, 403, 404, 409, 412, 413, 415, 422, 500])(
    'is not repeated after a %i',
    async (status) => {
      const { requests, client } = await startServer(problem(status, 'number_taken'));
      const error = await client()
        .numbers.submit(submission)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ProblemError);
      expect(error).toMatchObject({
        status,
        code: 'number_taken',
        detail: 'Do that.',
        message: 'POST /v1/numbers: Do that.',
        requestId: 'r-1',
        errors: [{ pointer: '/a', code: 'x', detail: 'y' }],
      });
      expect(requests).toHaveLength(1);
    },
  );
});

describe('a call', () => {
  it('is given up at once where it is asked to come back after its deadline', async () => {
    const { requests, client } = await startServer(problem(429, 'quota_exceeded', { 'retry-after': '3600' }));
    const error = await client()
      .numbers.submit(submission)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ProblemError', code: 'quota_exceeded' });
    expect(requests).toHaveLength(1);
  });

  it('ends without an answer at its deadline, and tells the key to go on with', async () => {
    const { client } = await startServer(() => {});
    const submit = client({ deadlineMs: 150 }).numbers.submit(submission, { idempotencyKey: 'mine' });
    const error = await submit.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error).toMatchObject({ idempotencyKey: 'mine' });
  });

  it('tries again where one try takes too long', async () => {
    const { requests, client } = await startServer(() => {}, good);
    await client({ tryMs: 100 }).numbers.submit(submission);
    expect(requests).toHaveLength(2);
  });

  it.each<[string, Script]>([
    ['while it waits for an answer', () => {}],
    ['while it waits to try again', problem(503, 'unavailable', { 'retry-after': '30' })],
  ])('ends with the signal of its caller %s', async (_when, turn) => {
    const stop = new AbortController();
    const { client } = await startServer((response, request) => {
      turn(response, request);
      setTimeout(() => stop.abort(new Error('The user left.')), 20);
    });
    await expect(client().numbers.get('num_1', { signal: stop.signal })).rejects.toThrow('The user left.');
  });

  it('does not follow to another address, which the key is not for', async () => {
    const { requests, client } = await startServer((response) =>
      response.writeHead(307, { location: '/elsewhere' }).end(),
    );
    await expect(client().numbers.get('num_1')).rejects.toMatchObject({ code: 'unknown', status: 307 });
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['no address', { baseUrl: 'numbers.example', apiKey: 'wna_x' }],
    ['an empty key', { baseUrl: 'https://numbers.example', apiKey: '' }],
    ['a key with a line break', { baseUrl: 'https://numbers.example', apiKey: 'wna_x\n' }],
  ])('is not made with %s', (_what, options) => {
    expect(() => createClient(options)).toThrow(TypeError);
  });

  it('tells what no API has answered', async () => {
    const { client } = await startServer((response) => response.writeHead(404).end('<h1>Not here</h1>'));
    await expect(client().numbers.get('num_1')).rejects.toMatchObject({ code: 'unknown', status: 404 });
  });
});

describe('the wait', () => {
  const backoff = { firstMs: 100, mostMs: 1_000 };
  it.each([
    ['a random part of the first bound', 1, 0, 0.5, 50],
    ['nothing at its least', 3, 0, 0, 0],
    ['a bound that doubles', 3, 0, 1, 400],
    ['no more than the most', 20, 0, 1, 1_000],
    ['never less than the server asked for', 1, 5_000, 0, 5_000],
    ['spread out behind that', 2, 5_000, 0.5, 5_100],
  ])('is %s', (_what, tries, after, random, ms) => {
    expect(waitMs(tries, after, backoff, random)).toBe(ms);
  });

  it.each([
    [null, 0],
    ['7', 7_000],
    ['Sat, 31 Jan 2026 12:00:10 GMT', 10_000],
    ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
    ['soon', 0],
  ])('reads Retry-After %j', (header, ms) => {
    expect(retryAfterMs(header, Date.parse('2026-01-31T12:00:00Z'))).toBe(ms);
  });
});
