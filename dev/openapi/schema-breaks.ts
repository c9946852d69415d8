/**
 * What a changed schema breaks. What is sent must still be taken: a schema of a request may only widen. What is
 * answered must still be understood: a schema of an answer may only narrow, but for new fields, new values of enums and
 * new kinds that a constant tells from the others, which answers may always have.
 */
import { type Document, follow } from './breaks.ts';

export type Json = Record<string, unknown>;
type Way = 'sent' | 'answered';

interface Schema {
  document: Document;
  schema: Json;
}

/** `what` is what the schema is of, in words; a schema with a name is told by that. */
export function schemaBreaks(
  way: Way,
  what: string,
  before: Schema,
  after: Schema,
  seen: string[] = [],
): string[] {
  const name = nameOf(before);
  const key = `${name} ${nameOf(after)}`;
  if (name !== null && seen.includes(key)) return [];
  const subject = name !== null && name === nameOf(after) ? `\`${name}\` as ${way}` : what;
  const [from, to] = way === 'sent' ? [before, after] : [after, before];
  // Each kind of value that is sent must have a place in what is taken; so with what is answered and understood.
  return variantsOf(from).flatMap((one) => {
    if (way === 'answered' && isNewKind(one, variantsOf(to))) return [];
    const fits = variantsOf(to).filter((other) => fitsType(one.schema, other.schema));
    const judged = fits.map((other) =>
      way === 'sent'
        ? valueBreaks(way, subject, one, other, [...seen, key])
        : valueBreaks(way, subject, other, one, [...seen, key]),
    );
    const best = judged.sort((a, b) => a.length - b.length)[0];
    return (
      best ?? [`${subject}: ${one.schema['type'] ?? 'any'} is ${way === 'sent' ? 'taken no more' : 'new'}.`]
    );
  });
}

function nameOf({ schema }: Schema): string | null {
  return typeof schema['$ref'] === 'string' ? (schema['$ref'].split('/').at(-1) ?? null) : null;
}

/** The kinds of value that a schema is of: what `anyOf`, `oneOf` and a list of types name. */
function variantsOf({ document, schema }: Schema): Schema[] {
  const whole = merged(follow(schema, document), document);
  const choices = (whole['anyOf'] ?? whole['oneOf']) as Json[] | undefined;
  if (choices) return choices.flatMap((choice) => variantsOf({ document, schema: choice }));
  const types = [whole['type']].flat();
  return types.map((type) => ({ document, schema: { ...whole, type } }));
}

/** With the parts of `allOf` put together. */
function merged({ allOf = [], ...schema }: Json, document: Document): Json {
  const parts = [schema, ...(allOf as Json[]).map((part) => merged(follow(part, document), document))];
  if (parts.length === 1) return schema;
  return {
    ...Object.assign({}, ...parts),
    properties: Object.assign({}, ...parts.map((part) => part['properties'])),
    required: parts.flatMap((part) => (part['required'] ?? []) as string[]),
  };
}

/** Whether a value of the one may be a value of the other, by their types. */
function fitsType(one: Json, other: Json): boolean {
  const [a, b] = [one['type'], other['type']];
  return a === b || b === undefined || (a === 'integer' && b === 'number');
}

/** Whether one of its fields is a constant, and in each of the others another one. */
function isNewKind(one: Schema, others: Schema[]): boolean {
  const constants = ({ schema }: Schema) =>
    Object.entries((schema['properties'] ?? {}) as Record<string, Json>).filter(
      ([, field]) => 'const' in field,
    );
  return constants(one).some(
    ([name, field]) =>
      others.length > 1 &&
      others.every((other) =>
        constants(other).some(([its, { const: value }]) => its === name && value !== field['const']),
      ),
  );
}

const LOWER = ['minLength', 'minItems', 'minimum', 'exclusiveMinimum', 'minProperties'];
const UPPER = ['maxLength', 'maxItems', 'maximum', 'exclusiveMaximum', 'maxProperties'];

function valueBreaks(way: Way, what: string, before: Schema, after: Schema, seen: string[]): string[] {
  const [was, now] = [before.schema, after.schema];
  const values = (schema: Json) =>
    (schema['enum'] ?? ('const' in schema ? [schema['const']] : null)) as unknown[] | null;
  const breaks: string[] = [];
  const say = (text: string) => breaks.push(`${what}: ${text}`);

  const [some, fewer] = [values(was), values(now)];
  for (const value of some ?? [])
    if (fewer && value !== null && !fewer.includes(value)) say(`${value} is gone.`);
  if (way === 'sent' && !some && fewer) say(`only ${fewer.join(', ')} is taken now.`);
  if (way === 'answered' && some && !fewer) say('it is no list of values any more.');

  // What narrows is a break where it is sent; what is answered may be anything within what it was.
  const shape = (key: string) => JSON.stringify(now[key]) !== JSON.stringify(was[key]);
  const loosened = (key: string) => (way === 'sent' ? now[key] === undefined : was[key] === undefined);
  for (const key of ['format', 'pattern', 'multipleOf', 'uniqueItems', 'contentEncoding']) {
    if (shape(key) && !loosened(key)) say(`${key} was ${was[key] ?? 'none'} and is ${now[key] ?? 'none'}.`);
  }
  if (way === 'sent') {
    if (shape('default'))
      say(`the default was ${was['default'] ?? 'none'} and is ${now['default'] ?? 'none'}.`);
    for (const key of LOWER)
      if (Number(now[key] ?? -Infinity) > Number(was[key] ?? -Infinity)) say(`${key} is ${now[key]}.`);
    for (const key of UPPER)
      if (Number(now[key] ?? Infinity) < Number(was[key] ?? Infinity)) say(`${key} is ${now[key]}.`);
    if (now['additionalProperties'] === false && was['additionalProperties'] !== false)
      say('unknown fields are refused.');
  }
  return [...breaks, ...partBreaks(way, what, before, after, seen)];
}

/** Fields of an object, items of a list, values of a map. */
function partBreaks(way: Way, what: string, before: Schema, after: Schema, seen: string[]): string[] {
  const part = ({ document, schema }: Schema, key: string) => {
    const found = schema[key];
    return typeof found === 'object' && found !== null ? { document, schema: found as Json } : null;
  };
  const breaks: string[] = [];
  const field = (name: string) => `${what}, \`${name}\``;
  const [was, now] = [before.schema['properties'] ?? {}, after.schema['properties'] ?? {}] as Record<
    string,
    Json
  >[];
  for (const [name, schema] of Object.entries(was ?? {})) {
    const other = now?.[name];
    if (!other) breaks.push(`${field(name)} is gone.`);
    else
      breaks.push(
        ...schemaBreaks(way, field(name), { ...before, schema }, { ...after, schema: other }, seen),
      );
  }
  const required = ({ schema }: Schema) => (schema['required'] ?? []) as string[];
  const [more, less] = way === 'sent' ? [after, before] : [before, after];
  for (const name of required(more)) {
    const gone = way === 'answered' && !(now && name in now);
    if (gone || required(less).includes(name)) continue;
    breaks.push(`${field(name)} is ${way === 'sent' ? 'required now' : 'not always there now'}.`);
  }
  for (const key of ['items', 'additionalProperties']) {
    const [one, other] = [part(before, key), part(after, key)];
    const each = `each of ${what}`;
    if (one && other) breaks.push(...schemaBreaks(way, each, one, other, seen));
    else if (way === 'sent' ? other : one)
      breaks.push(`${each} is ${way === 'sent' ? 'bounded' : 'unbounded'} now.`);
  }
  return breaks;
}
