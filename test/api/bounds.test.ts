/** Nothing in a request is without a bound: by schema where it is a value, by the server where it is the whole. */
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NUMBER_STATUSES } from '../../contract/number.ts';
import { operationsOf } from '../support/openapi.ts';
import { createAccount } from '../support/stack.ts';
import { documentOf, problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ key } = await createAccount(api.db));
  await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => api.close());

interface Schema {
  type?: string | string[];
  format?: string;
  pattern?: string;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

/** Where a schema takes texts, lists or names without end. */
function unbounded(schema: Schema, at: string): string[] {
  const types = [schema.type ?? []].flat();
  const is = (type: string) => types.includes(type);
  const pattern =
    schema.pattern !== undefined && !/[*+]|\{\d+,\}/.test(schema.pattern.replace(/\\.|\[[^\]]*\]/g, '_'));
  const text = pattern || [schema.maxLength, schema.enum, schema.const].some((bound) => bound !== undefined);
  const dated = schema.format === 'date-time';
  const parts: [string, Schema][] = [
    ...Object.entries(schema.properties ?? {}),
    ...[schema.anyOf, schema.oneOf, schema.allOf].flatMap((some) =>
      (some ?? []).map((one): [string, Schema] => ['', one]),
    ),
    ...(schema.items ? [['[]', schema.items] as [string, Schema]] : []),
  ];
  return [
    ...(is('string') && !text && !dated ? [at] : []),
    ...(is('array') && schema.maxItems === undefined ? [`${at} (list)`] : []),
    ...(typeof schema.additionalProperties === 'object' && schema.maxProperties === undefined
      ? [`${at} (names)`]
      : []),
    ...parts.flatMap(([name, part]) => unbounded(part, name ? `${at}/${name}` : at)),
  ];
}

it('every text and list of a parameter, a header or a body is bounded', () => {
  const found = operationsOf(documentOf(api.app)).flatMap(({ method, path, parameters, body }) => [
    ...parameters.flatMap((one) => unbounded(one.schema, `${method} ${path} ${one.in} ${one.name}`)),
    ...Object.values(body?.content ?? {}).flatMap(({ schema }) =>
      unbounded(schema, `${method} ${path} body`),
    ),
  ]);
  expect([...new Set(found)]).toEqual([]);
});

describe('the whole', () => {
  /** What is answered to bytes on a socket: status and body. */
  const answerTo = async (bytes: string) => {
    const { port } = api.app.server.address() as AddressInfo;
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (chunk) => {
        all += chunk;
      });
      socket.on('close', () => resolve(all));
      socket.on('error', reject);
    });
    const [head = '', body = ''] = text.split('\r\n\r\n');
    return { status: Number(head.split(' ')[1]), head, problem: JSON.parse(body) };
  };

  it('a URL has 8 KiB at the most, in its path and in its query', async () => {
    const list = (length: number) => api.call(key, 'GET', '/v1/numbers?q='.padEnd(length, 'x'));
    expect(problemOf(await list(8_192)).errors[0]?.pointer).toBe('q');
    const long = await list(8_193);
    expect([long.statusCode, problemOf(long).detail]).toEqual([400, expect.stringContaining('8192')]);
    const path = await api.call(key, 'GET', '/v1/numbers/'.padEnd(8_300, 'x'));
    expect([path.statusCode, problemOf(path).code]).toEqual([400, 'malformed_request']);
  });

  it('headers have 16 KiB at the most, and the refusal is a problem with its request id', async () => {
    const { status, head, problem } = await answerTo(
      `GET /livez HTTP/1.1\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`,
    );
    expect([status, problem.code]).toEqual([413, 'too_large']);
    expect(head).toContain(`x-request-id: ${problem.requestId}`);
    expect(head).toContain("content-security-policy: default-src 'none'");
  });

  it('what is no HTTP is answered in the same way', async () => {
    const { status, head, problem } = await answerTo('GET / HTTP/1.1\r\nbad header\u0000: x\r\n\r\n');
    expect([status, problem.code]).toEqual([400, 'malformed_request']);
    expect(head).toContain(`x-request-id: ${problem.requestId}`);
  });

  it.each([
    ['GET', '/v1/numbers/num_1', 'if-none-match'],
    ['DELETE', '/v1/numbers/num_1', 'if-match'],
  ] as const)('%s %s takes a header %s of 1,024 characters at the most', async (method, url, header) => {
    const send = (length: number) => api.call(key, method, url, undefined, { [header]: 'x'.repeat(length) });
    expect((await send(1_024)).statusCode).toBe(404);
    expect(problemOf(await send(1_025))).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: header }],
    });
  });

  it('a status is sent as often as there are statuses', async () => {
    const list = (times: number) => api.call(key, 'GET', `/v1/numbers?${'status=APPROVED&'.repeat(times)}`);
    expect((await list(NUMBER_STATUSES.length)).statusCode).toBe(200);
    expect((await list(NUMBER_STATUSES.length + 1)).statusCode).toBe(400);
  });
});
