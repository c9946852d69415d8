/** What counts as a break of the OpenAPI document: each rule, and what is allowed to grow. */
import { describe, expect, it } from 'vitest';
import { breaksBetween, type Document } from '../../dev/openapi/breaks.ts';

type Json = Record<string, unknown>;

const parts = {
  body: {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 2, maxLength: 75 },
      category: { type: 'string', enum: ['RETAIL', 'OTHER'] },
      note: { type: ['string', 'null'] },
      amount: { type: 'number' },
      lines: { type: 'array', items: { type: 'string' } },
    },
    required: ['name'],
    additionalProperties: false,
  } as Json,
  answer: {
    type: 'object',
    properties: {
      id: { type: 'string' },
      status: { type: 'string', enum: ['OPEN', 'DONE'] },
      at: { type: 'string', format: 'date-time' },
      count: { type: 'integer' },
      owner: { $ref: '#/components/schemas/Owner' },
    },
    required: ['id', 'status', 'at', 'count', 'owner'],
  } as Json,
  owner: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } as Json,
  parameters: [
    { name: 'limit', in: 'query', schema: { type: 'integer', maximum: 100, default: 50 } },
  ] as Json[],
  operation: {} as Json,
  headers: { ETag: { required: true, schema: { type: 'string' } } } as Json,
  codes: ['not_found', 'gone'],
};

function build(changes: Partial<typeof parts> = {}): Document {
  const { body, answer, owner, parameters, operation, headers, codes } = { ...parts, ...changes };
  return {
    components: { schemas: { Thing: answer, Owner: owner } },
    paths: {
      '/things': {
        post: {
          operationId: 'makeThing',
          'x-roles': ['customer'],
          security: [{ apiKey: ['write'] }],
          parameters,
          requestBody: { required: true, content: { 'application/json': { schema: body } } },
          responses: {
            '201': {
              headers,
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
            },
            '404': {
              content: {
                'application/problem+json': {
                  schema: {},
                  examples: Object.fromEntries(codes.map((code) => [code, {}])),
                },
              },
            },
          },
          ...operation,
        },
      },
    },
  };
}

/** The schema with some of its properties changed; undefined takes one away. */
const withFields = (schema: Json, fields: Json, rest: Json = {}): Json => ({
  ...schema,
  properties: JSON.parse(JSON.stringify({ ...(schema['properties'] as Json), ...fields })),
  ...rest,
});
const sent = (fields: Json, rest: Json = {}) => build({ body: withFields(parts.body, fields, rest) });
const answered = (fields: Json, rest: Json = {}) => build({ answer: withFields(parts.answer, fields, rest) });

const same = build();
const breaksOf = (after: Document, before = same) => breaksBetween(before, after);
const POST = '`POST /things`';

describe('a break', () => {
  it.each<[string, Document, string]>([
    ['a lost operation', { paths: {} }, `${POST} is gone.`],
    [
      'another name for it',
      build({ operation: { operationId: 'createThing' } }),
      `${POST} is called createThing instead of makeThing.`,
    ],
    ['a lost role', build({ operation: { 'x-roles': [] } }), `${POST} is for customer no more.`],
    [
      'a role more, which is nobody’s loss but has to be meant',
      build({ operation: { 'x-roles': ['customer', 'support'] } }),
      `${POST} is for support now.`,
    ],
    [
      'another scope',
      build({ operation: { security: [{ apiKey: ['admin'] }] } }),
      `${POST} needs the scope admin instead of write.`,
    ],
    ['a lost parameter', build({ parameters: [] }), `${POST} takes the query parameter \`limit\` no more.`],
    [
      'a new parameter that is needed',
      build({
        parameters: [...parts.parameters, { name: 'a', in: 'header', required: true, schema: {} }],
      }),
      `${POST} needs the header parameter \`a\` now.`,
    ],
    [
      'a parameter that is needed now',
      build({ parameters: [{ ...parts.parameters[0], required: true }] }),
      `${POST} needs the query parameter \`limit\` now.`,
    ],
    [
      'a narrower parameter',
      build({
        parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 10, default: 50 } }],
      }),
      `${POST} the query parameter \`limit\`: maximum is 10.`,
    ],
    [
      'another default',
      build({
        parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 100, default: 20 } }],
      }),
      `${POST} the query parameter \`limit\`: the default was 50 and is 20.`,
    ],
    ['a lost status', build({ operation: { responses: {} } }), `${POST} answers 201 no more.`],
    ['a lost problem code', build({ codes: ['not_found'] }), `${POST} answers 404 gone no more.`],
    ['a lost header', build({ headers: {} }), `${POST} answers 201 without ETag now.`],
    ['a lost body', build({ operation: { requestBody: undefined } }), `${POST} takes a body no more.`],
    [
      'another media type',
      build({ operation: { requestBody: { content: { 'text/csv': { schema: {} } } } } }),
      `${POST} has application/json for the body no more.`,
    ],
    ['a lost field of a body', sent({ note: undefined }), `${POST} the body, \`note\` is gone.`],
    [
      'a field of a body that is needed now',
      sent({}, { required: ['name', 'amount'] }),
      `${POST} the body, \`amount\` is required now.`,
    ],
    [
      'a new field of a body that is needed',
      sent({ more: { type: 'string' } }, { required: ['name', 'more'] }),
      `${POST} the body, \`more\` is required now.`,
    ],
    [
      'a longer minimum',
      sent({ name: { type: 'string', minLength: 3, maxLength: 75 } }),
      `${POST} the body, \`name\`: minLength is 3.`,
    ],
    [
      'a shorter maximum',
      sent({ name: { type: 'string', minLength: 2, maxLength: 50 } }),
      `${POST} the body, \`name\`: maxLength is 50.`,
    ],
    [
      'a new pattern',
      sent({ name: { type: 'string', minLength: 2, maxLength: 75, pattern: '^a' } }),
      `${POST} the body, \`name\`: pattern was none and is ^a.`,
    ],
    [
      'a value that is taken no more',
      sent({ category: { type: 'string', enum: ['RETAIL'] } }),
      `${POST} the body, \`category\`: OTHER is gone.`,
    ],
    [
      'null that is taken no more',
      sent({ note: { type: 'string' } }),
      `${POST} the body, \`note\`: null is taken no more.`,
    ],
    [
      'a narrower type',
      sent({ amount: { type: 'integer' } }),
      `${POST} the body, \`amount\`: number is taken no more.`,
    ],
    [
      'a narrower item',
      sent({ lines: { type: 'array', items: { type: 'string', maxLength: 5 } } }),
      `${POST} each of the body, \`lines\`: maxLength is 5.`,
    ],
    [
      'a lost field of an answer',
      answered({ count: undefined }, { required: ['id', 'status', 'at', 'owner'] }),
      '`Thing` as answered, `count` is gone.',
    ],
    [
      'a field that may be missing',
      answered({}, { required: ['id', 'status', 'at', 'owner'] }),
      '`Thing` as answered, `count` is not always there now.',
    ],
    [
      'null that is new',
      answered({ id: { type: ['string', 'null'] } }),
      '`Thing` as answered, `id`: null is new.',
    ],
    ['another type', answered({ count: { type: 'string' } }), '`Thing` as answered, `count`: string is new.'],
    ['a wider type', answered({ count: { type: 'number' } }), '`Thing` as answered, `count`: number is new.'],
    [
      'a lost value',
      answered({ status: { type: 'string', enum: ['OPEN'] } }),
      '`Thing` as answered, `status`: DONE is gone.',
    ],
    [
      'another format',
      answered({ at: { type: 'string', format: 'date' } }),
      '`Thing` as answered, `at`: format was date-time and is date.',
    ],
    [
      'something within',
      build({ owner: { type: 'object', properties: {} } }),
      '`Owner` as answered, `name` is gone.',
    ],
  ])('is %s', (_what, after, sentence) => {
    expect(breaksOf(after)).toContain(sentence);
  });

  it('is told once where several operations have it', () => {
    const twice = (document: Document): Document => {
      const { '/things': things = {} } = document.paths;
      return { ...document, paths: { '/things': things, '/others': things } };
    };
    const after = twice(build({ owner: { type: 'object', properties: {} } }));
    expect(breaksBetween(twice(same), after)).toEqual(['`Owner` as answered, `name` is gone.']);
  });
});

describe('no break', () => {
  it.each<[string, Document]>([
    ['nothing', same],
    ['a new operation', { ...same, paths: { ...same.paths, '/others': same.paths['/things'] ?? {} } }],
    [
      'an optional parameter',
      build({ parameters: [...parts.parameters, { name: 'q', in: 'query', schema: {} }] }),
    ],
    ['an optional field of a body', sent({ more: { type: 'string' } })],
    ['a field that is not needed any more', sent({}, { required: [] })],
    [
      'more that is taken',
      sent({
        name: { type: ['string', 'null'], minLength: 1 },
        category: { type: 'string', enum: ['RETAIL', 'OTHER', 'NEW'] },
      }),
    ],
    [
      'a new field of an answer',
      answered({ more: { type: 'string' } }, { required: ['id', 'status', 'at', 'count', 'owner', 'more'] }),
    ],
    ['a new value of an answer', answered({ status: { type: 'string', enum: ['OPEN', 'DONE', 'NEW'] } })],
    ['a new problem code', build({ codes: ['not_found', 'gone', 'new'] })],
    ['other words', answered({ id: { type: 'string', description: 'The id.', examples: ['x'] } })],
  ])('is %s', (_what, after) => {
    expect(breaksOf(after)).toEqual([]);
  });

  describe('is a new kind of what is answered', () => {
    const kind = (value: object) => ({
      type: 'object',
      properties: { kind: { type: 'string', ...value } },
      required: ['kind'],
    });
    const kinds = (...values: string[]) =>
      build({ owner: { oneOf: values.map((value) => kind({ const: value })) } });
    const before = kinds('person', 'key');

    it('where a constant tells it from the others', () => {
      expect(breaksOf(kinds('person', 'key', 'robot'), before)).toEqual([]);
    });
    it('and not where nothing does', () => {
      const after = build({ owner: { oneOf: [kind({ const: 'person' }), kind({})] } });
      expect(breaksOf(after, before)).toEqual([
        '`Owner` as answered, `kind`: it is no list of values any more.',
      ]);
    });
    it('and not where the only one has become another', () => {
      expect(breaksOf(kinds('key'), kinds('person'))).toEqual([
        '`Owner` as answered, `kind`: person is gone.',
      ]);
    });
  });
});
