/** Finishes the OpenAPI document: what zod and the generators put in that says nothing, twice, or something wrong. */
import { answerHeadersOf, HEADERS } from './headers.ts';
import { exampleOf, type Json, mapValues } from './json.ts';
import { problemExamples, shapeProblem } from './problems.ts';
import { type Operation, share } from './share.ts';

/** What the transform of a route knows and this file uses up. */
interface Hints {
  /** The body may be left out. */
  emptyBody?: boolean;
  answerHeaders?: string[];
  /** Its requests are not counted. */
  unlimited?: boolean;
}

export function finish(document: Json, publicUrl: string): Json {
  const { components, paths } = document as { components: Json; paths: Record<string, Json> };
  const schemas = finishSchemas(components['schemas'] as Json);
  const described = mapValues(paths, (methods) =>
    mapValues(methods, (operation) => finishOperation(operation as Json, schemas)),
  );
  const answers = Object.values(described)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ responses }) => Object.values(responses));
  const examples = problemExamples(answers, schemas, publicUrl);
  return {
    ...document,
    components: { ...components, ...share(described), headers: HEADERS, examples, schemas },
    paths: described,
  };
}

function finishSchemas(schemas: Json): Json {
  return Object.fromEntries(
    Object.entries(schemas)
      // Every schema with a name is an answer: their twins for input are used nowhere.
      .filter(([name]) => !(name.endsWith('Input') && name.slice(0, -5) in schemas))
      .map(([name, schema]) => [name, prune(schema, true)] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

function finishOperation({ 'x-hints': hints, ...operation }: Json, schemas: Json): Operation {
  const { emptyBody, answerHeaders = [], unlimited } = hints as Hints;
  const always = unlimited ? ['X-Request-Id'] : ['X-Request-Id', 'RateLimit-Policy', 'RateLimit'];
  const { parameters, requestBody, responses, ...rest } = operation as Operation;
  const body = prune(requestBody, false) as Json | undefined;
  return {
    ...rest,
    ...(parameters && { parameters: parameters.map(finishParameter) }),
    ...(body &&
      !takesNothing(body) && { requestBody: { ...withExample(body, schemas), required: !emptyBody } }),
    responses: mapValues(responses, (response, status) => {
      const answer = describeAnswer(shapeProblem(prune(response, true) as Json), schemas);
      return { ...answer, headers: answerHeadersOf(Number(status), answer, { always, good: answerHeaders }) };
    }),
  };
}

/** An answer without words of its own is described as what it carries. */
function describeAnswer(answer: Json, schemas: Json): Json {
  if (answer['description'] !== 'Default Response') return answer;
  const { schema } = Object.values((answer['content'] ?? {}) as Record<string, { schema: Json }>)[0] ?? {};
  const name = String(schema?.['$ref']).replace('#/components/schemas/', '');
  return { ...answer, description: (schemas[name] as Json | undefined)?.['description'] ?? '' };
}

/** Fields that name something that is there already: whoever sends an example as it stands has no such thing. */
const REFERENCES = ['callbackProfileId', 'imageId'];

/** A body that may name such things, with an example that does not. */
function withExample(body: Json, schemas: Json): Json {
  const content = mapValues(body['content'] as Record<string, Json>, (media) => {
    const { properties = {} } = media['schema'] as { properties?: Record<string, Json> };
    if (!REFERENCES.some((name) => name in properties)) return media;
    const sent = Object.entries(properties).filter(([name]) => !REFERENCES.includes(name));
    return { ...media, example: exampleOf({ properties: Object.fromEntries(sent) }, schemas) };
  });
  return { ...body, content };
}

/** A body without a field: it may be sent, but there is no point in telling. */
function takesNothing(body: Json): boolean {
  return JSON.stringify(body).includes('"schema":{"type":"object","properties":{},');
}

function finishParameter(parameter: Json): Json {
  const { schema, in: place, name, ...about } = prune(parameter, false) as Json & { name: string };
  // Header names are told as people write them.
  if (place === 'header') {
    const told = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    return { name: told, in: place, ...about, schema };
  }
  return { name, in: place, ...about, ...repeated(about, schema as Json) };
}

/** One value or several, as a query has them: a list, whose parameter may repeat. */
function repeated({ example }: Json, schema: Json): Json {
  const [one, many, ...others] = (schema['anyOf'] ?? []) as Json[];
  const isList = many?.['type'] === 'array' && JSON.stringify(many['items']) === JSON.stringify(one);
  if (!isList || others.length > 0) return { schema };
  return {
    schema: many,
    ...(example !== undefined && { example: [example].flat() }),
  };
}

/**
 * Drops zod's 300-character pattern of a date-time (the format says it), the bounds of what a double can
 * count to, fields that exist only to be refused with a reason of their own, and from answers, which may grow,
 * that there is nothing beside the fields named. What may be null is told by its type.
 */
function prune(node: unknown, answer: boolean): unknown {
  if (Array.isArray(node)) return node.map((item) => prune(item, answer));
  if (typeof node !== 'object' || node === null) return node;
  const dateTime = 'format' in node && node.format === 'date-time';
  const kept = Object.entries(node).filter(
    ([key, value]) =>
      !(key === 'pattern' && dateTime) &&
      !(typeof value === 'object' && value !== null && 'not' in value) &&
      !(key === 'additionalProperties' && value === false && answer) &&
      !(Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER && /^(min|max)imum$/.test(key)),
  );
  return nullable(Object.fromEntries(kept.map(([key, value]) => [key, prune(value, answer)])));
}

/** `{ anyOf: [X, null] }` as X whose type may be null, where X is a plain type. */
function nullable({ anyOf, ...about }: Json): Json {
  const [plain, none, ...others] = (anyOf ?? []) as Json[];
  const simple = none?.['type'] === 'null' && others.length === 0 && typeof plain?.['type'] === 'string';
  if (!simple || !plain) return anyOf === undefined ? about : { ...about, anyOf };
  const values = plain['enum'] as unknown[] | undefined;
  return { ...plain, ...about, type: [plain['type'], 'null'], ...(values && { enum: [...values, null] }) };
}
