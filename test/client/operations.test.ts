/** The client and the OpenAPI document say the same: every operation for programs is a method, and the other way round. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import type { Operation as ClientOperation } from '../../client/operation.ts';
import { OPERATIONS } from '../../client/operations.ts';
import { STREAM } from '../../client/stream.ts';
import { documentOf, startTestApi, type TestApi } from '../api/harness.ts';
import { type Operation, operationsOf } from '../support/openapi.ts';

/** What only browsers, supervisors and readers call. */
const NOT_FOR_PROGRAMS = ['Session', 'Health', 'Problems'];

const methods = Object.entries({
  ...(OPERATIONS as Record<string, Record<string, ClientOperation>>),
  client: { stream: STREAM as ClientOperation },
}).flatMap(([group, operations]) =>
  Object.entries(operations).map(([name, operation]) => [`${group}.${name}`, operation] as const),
);

let api: TestApi;
let described: Map<string, Operation>;
beforeAll(async () => {
  api = await startTestApi();
  await api.app.ready();
  described = new Map(operationsOf(documentOf(api.app)).map((one) => [one.operationId, one]));
});
afterAll(() => api.close());

type Json = Record<string, unknown>;

/** The fields of an object and which of them are needed. */
function fieldsOf(schema: Json): { fields: string[]; required: string[] } {
  const fields = Object.entries((schema['properties'] ?? {}) as Record<string, Json>)
    // There only to be refused.
    .filter(([, field]) => !('not' in field))
    .map(([name]) => name);
  return { fields: fields.sort(), required: [...((schema['required'] ?? []) as string[])].sort() };
}

/** The name of the schema that an answer carries. */
const nameIn = (operation: Operation, type: string) => {
  const good = Object.entries(operation.answers).find(([status]) => /^20[012]$/.test(status))?.[1];
  return String(good?.content[type]?.schema['$ref']).split('/').at(-1);
};

it('has a method for every operation that programs use', () => {
  const known = new Set(methods.map(([, { id }]) => id));
  const missing = [...described.values()].filter(
    ({ operationId, tag }) => !NOT_FOR_PROGRAMS.includes(tag) && !known.has(operationId),
  );
  expect(
    missing.map(({ operationId }) => operationId),
    'Add them to client/operations.ts',
  ).toEqual([]);
});

it.each(methods)('%s is an operation of the document', (_name, method) => {
  const operation = described.get(method.id);
  if (!operation) throw new Error(`The document has no operation ${method.id}.`);
  expect(method.call).toBe(`${operation.method} ${operation.path}`);

  const named = (place: string) =>
    operation.parameters.filter((one) => one.in === place).map(({ name }) => name);
  expect(Object.keys(method.query?.shape ?? {}).sort()).toEqual(named('query').sort());
  expect(named('header').includes('Idempotency-Key')).toBe(operation.method !== 'GET' && !method.reads);

  const [type = '', body] = Object.entries(operation.body?.content ?? {})[0] ?? [];
  expect(method.file ? 'multipart/form-data' : method.body ? 'application/json' : '').toBe(type);
  if (method.body && body) {
    const sent = z.toJSONSchema(method.body, { io: 'input', unrepresentable: 'any' }) as Json;
    expect(fieldsOf(sent)).toEqual(fieldsOf(body.schema));
  }

  const answer = method.answer ?? method.page ?? method.events;
  const nothing = '204' in operation.answers;
  const answered = method.events ? 'text/event-stream' : 'application/json';
  if (answer) expect(nameIn(operation, answered)).toBe(z.globalRegistry.get(answer)?.id);
  expect(nothing, 'whether there may be no answer').toBe(method.orNull ?? (!answer && !method.bytes));
});
