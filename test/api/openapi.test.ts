/** The OpenAPI document: complete, right, as committed, and nothing in it broken by accident. */
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { breaksBetween, type Document } from '../../dev/openapi/breaks.ts';
import { type OpenApiDocument, type Operation, operationsOf, resolve } from '../support/openapi.ts';
import { createAccount } from '../support/stack.ts';
import { documentOf, startTestApi, type TestApi } from './harness.ts';

type Json = Record<string, unknown>;

let api: TestApi;
let document: OpenApiDocument;
let operations: Operation[];

beforeAll(async () => {
  // All that can be switched on is.
  api = await startTestApi({ OPEN_SIGN_UP: 'true' });
  await api.app.ready();
  document = documentOf(api.app);
  operations = operationsOf(document);
});
afterAll(() => api.close());

const fileOf = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const nameOf = ({ method, path }: Operation) => `${method} ${path}`;
/** It stores nothing. */
const isCheck = (path: string) => path === '/v1/numbers/check';

describe('the document', () => {
  it('is OpenAPI 3.1, as an independent validator sees it', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document) as never);
    expect(result.errors ?? []).toEqual([]);
    expect(validator.version).toBe('3.1');
  });

  it('is served with the public address, every reference resolved', async () => {
    const elsewhere = await startTestApi({ PUBLIC_URL: 'https://numbers.example/' });
    const served: OpenApiDocument = (await elsewhere.call(null, 'GET', '/openapi.json')).json();
    await elsewhere.close();
    expect(served.servers).toEqual([{ url: 'https://numbers.example' }]);
    expect(served.components['examples']?.['not_found']?.['value']).toMatchObject({
      type: 'https://numbers.example/problems/not_found',
    });
    for (const [, ref = ''] of JSON.stringify(served).matchAll(/"\$ref":"([^"]+)"/g))
      resolve(served, { $ref: ref });
  });

  it('has an example of a submission that is taken as it stands', async () => {
    const submit = operations.find((operation) => nameOf(operation) === 'POST /v1/numbers');
    const example = submit?.body?.content['application/json']?.example;
    expect(example).toMatchObject({ displayName: 'Widgets number' });
    const { key } = await createAccount(api.db);
    const submitted = await api.call(key, 'POST', '/v1/numbers', example);
    expect(submitted.statusCode, submitted.body).toBe(201);
  });

  it('says nothing that only its making needs: no hints, no pattern of a time', () => {
    const text = JSON.stringify(document);
    expect(text).not.toContain('x-hints');
    expect(text).not.toMatch(/"pattern":"[^"]{100,}/);
  });

  it('is the committed openapi.json; `npm run openapi` writes it', () => {
    expect(`${JSON.stringify(document, null, 2)}\n`).toBe(fileOf('openapi.json'));
  });

  it('breaks nothing of the last release that the changelog does not tell', () => {
    const released = JSON.parse(fileOf('openapi.released.json')) as Document;
    const [, unreleased = ''] = /## \[Unreleased\]([\s\S]*?)(?=\n## |$)/.exec(fileOf('CHANGELOG.md')) ?? [];
    const told = unreleased.replace(/\s+/g, ' ');
    const untold = breaksBetween(released, document).filter((one) => !told.includes(one));
    expect(untold, 'Undo it, or put each sentence under "Unreleased" in CHANGELOG.md').toEqual([]);
  });
});

describe('an operation', () => {
  it('has a name of its own, a summary, a description and one known tag', () => {
    const tags = (document as unknown as { tags: { name: string; description?: string }[] }).tags;
    expect(tags.every((tag) => tag.description)).toBe(true);
    const ids = operations.map((one) => one.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const bare = operations.filter(({ operationId, tag, summary, description }) => {
      // The last paragraph says who may call, and is there by itself.
      const own = description.split('\n\n').slice(0, -1).join('');
      return operationId === 'undefined' || !summary || !own || !tags.some(({ name }) => name === tag);
    });
    expect(bare.map(nameOf)).toEqual([]);
  });

  it('declares the good answer and the problems of its kind', () => {
    for (const operation of operations) {
      const { method, path, answers, roles } = operation;
      const name = nameOf(operation);
      const statuses = Object.keys(answers);
      expect(
        statuses.some((status) => /^[23]/.test(status)),
        name,
      ).toBe(true);
      expect(statuses, name).toEqual(expect.arrayContaining(['400', '429', '500', '503']));
      if (roles.length > 0) expect(statuses, name).toEqual(expect.arrayContaining(['401', '403']));
      if (path.includes('{')) expect(statuses, name).toContain('404');
      if (method !== 'GET') expect(statuses, name).toContain('415');
      // The faults of what is checked are the answer.
      if (method !== 'GET' && !isCheck(path)) expect(statuses, name).toContain('422');
      for (const answer of Object.values(answers)) expect(answer.description, name).toMatch(/\w/);
    }
  });

  it('needs a body where something is to be said, and has none where nothing is', () => {
    const bodyOf = (id: string) => operations.find(({ operationId }) => operationId === id)?.body;
    expect(bodyOf('submitNumber')?.required).toBe(true);
    expect(bodyOf('resubmitNumber')?.required).toBe(false);
    expect(bodyOf('withdrawNumber')).toBeNull();
    expect(Object.keys(bodyOf('editNumber')?.content ?? {})).toEqual([
      'application/json',
      'application/merge-patch+json',
    ]);
  });

  it('takes an Idempotency-Key where it writes, but about oneself, and tells of keys in use', () => {
    for (const operation of operations) {
      const { method, path, parameters, answers } = operation;
      const ofOneself =
        /^\/v1\/(session|person|sign-ups|email-verifications|password-resets)\b|\/acceptance$/.test(path);
      const keyed = parameters.some(({ name }) => name === 'Idempotency-Key');
      expect(keyed, nameOf(operation)).toBe(method !== 'GET' && !ofOneself && !isCheck(path));
      if (keyed) expect(answers['409']?.codes, nameOf(operation)).toContain('idempotency_in_flight');
    }
  });
});

/** Every parameter and field of the document, with where it is. */
function fields(): { where: string; schema: Json; description: unknown; example: unknown }[] {
  const seen = new Set<string>();
  const told: ReturnType<typeof fields> = [];
  function walk(where: string, node: Json): void {
    if (typeof node['$ref'] === 'string') {
      if (seen.has(node['$ref'])) return;
      seen.add(node['$ref']);
      walk(node['$ref'].split('/').at(-1) ?? '', resolve(document, node));
      return;
    }
    for (const [name, field] of Object.entries((node['properties'] ?? {}) as Record<string, Json>)) {
      const whole = resolve(document, field);
      const description = field['description'] ?? whole['description'];
      told.push({ where: `${where}.${name}`, schema: whole, description, example: exampleIn(whole) });
      walk(`${where}.${name}`, field);
    }
    for (const key of ['anyOf', 'allOf', 'oneOf'] as const) {
      for (const part of (node[key] ?? []) as Json[]) walk(where, part);
    }
    for (const key of ['items', 'additionalProperties'] as const) {
      if (typeof node[key] === 'object' && node[key] !== null) walk(`${where}[]`, node[key] as Json);
    }
  }
  for (const operation of operations) {
    const name = nameOf(operation);
    for (const { name: parameter, schema, ...about } of operation.parameters) {
      const where = `${name} ${parameter}`;
      told.push({
        where,
        schema,
        description: about.description,
        example: about.example ?? exampleIn(schema),
      });
    }
    for (const { schema } of Object.values(operation.body?.content ?? {})) walk(name, schema);
    for (const [status, { content }] of Object.entries(operation.answers)) {
      for (const { schema } of Object.values(content)) if (schema) walk(`${name} ${status}`, schema);
    }
  }
  return told.filter(({ where }) => !/ \d+\.code$/.test(where));
}

function exampleIn(schema: Json): unknown {
  const [nested] = (schema['anyOf'] ?? []) as Json[];
  return (schema['examples'] as unknown[] | undefined)?.[0] ?? (nested ? exampleIn(nested) : undefined);
}

describe('a parameter or field', () => {
  it('is described', () => {
    const silent = fields().filter(({ description }) => !description);
    expect(silent.map(({ where }) => where)).toEqual([]);
  });

  it('has an example where its values are not listed', () => {
    const needs = ({ schema }: { schema: Json }) => {
      const types = [schema['type'] ?? []].flat();
      return types.some((type) => ['string', 'integer', 'number'].includes(String(type))) && !schema['enum'];
    };
    const bare = fields().filter(
      (field) => needs(field) && !('const' in field.schema) && field.example === undefined,
    );
    expect(bare.map(({ where }) => where)).toEqual([]);
  });

  it('has only examples that are right', () => {
    for (const { where, schema, example } of fields()) {
      if (example === undefined) continue;
      // zod takes only whole URLs for references.
      const { format, ...rest } = schema;
      const known = format === 'uri-reference' ? rest : schema;
      const check = z.fromJSONSchema({ ...known, $defs: document.components['schemas'] } as never);
      expect(check.safeParse(example).error?.message, `${where}: ${JSON.stringify(example)}`).toBeUndefined();
    }
  });
});
