/**
 * What in a new OpenAPI document would break somebody who relies on the old one. A document may grow: new operations,
 * optional parameters and fields, answer fields, values of enums in answers, problem codes. Whoever may call what is
 * part of it, in both directions: a call that opens to another role is told, too.
 */
import { type Json, schemaBreaks } from './schema-breaks.ts';

export interface Document {
  components?: Record<string, Record<string, Json>>;
  paths: Record<string, Record<string, Json>>;
}

/** One sentence for each break; empty where there is none. */
export function breaksBetween(before: Document, after: Document): string[] {
  const breaks = Object.entries(before.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const name = `\`${method.toUpperCase()} ${path}\``;
      const now = after.paths[path]?.[method];
      return now ? operationBreaks(name, read(operation, before), read(now, after)) : [`${name} is gone.`];
    }),
  );
  return [...new Set(breaks)];
}

interface Part {
  document: Document;
  node: Json;
}

interface Operation {
  operationId: string;
  roles: string[];
  scope: string;
  parameters: Map<string, Part>;
  body: Part | null;
  answers: Map<string, Part>;
}

function read(operation: Json, document: Document): Operation {
  const part = (node: Json): Part => ({ document, node: follow(node, document) });
  const parameters = ((operation['parameters'] ?? []) as Json[]).map(part);
  const answers = Object.entries(operation['responses'] as Record<string, Json>);
  const security = (operation['security'] ?? []) as Record<string, string[]>[];
  return {
    operationId: String(operation['operationId']),
    roles: (operation['x-roles'] ?? []) as string[],
    scope: security.flatMap((scheme) => Object.values(scheme).flat())[0] ?? 'none',
    parameters: new Map(
      parameters.map((one) => [`${one.node['in']} parameter \`${one.node['name']}\``, one]),
    ),
    body: operation['requestBody'] ? part(operation['requestBody'] as Json) : null,
    answers: new Map(answers.map(([status, answer]) => [status, part(answer)])),
  };
}

/** What `$ref` points at, with what stands beside it; or the node itself. */
export function follow({ $ref, ...beside }: Json, document: Document): Json {
  if (typeof $ref !== 'string') return beside;
  const [, , kind = '', name = ''] = $ref.split('/');
  const found = document.components?.[kind]?.[name];
  if (!found) throw new Error(`There is no ${$ref}.`);
  return { ...found, ...beside };
}

function operationBreaks(name: string, before: Operation, after: Operation): string[] {
  const breaks: string[] = [];
  if (after.operationId !== before.operationId) {
    breaks.push(`is called ${after.operationId} instead of ${before.operationId}.`);
  }
  for (const role of lost(before.roles, after.roles)) breaks.push(`is for ${role} no more.`);
  for (const role of lost(after.roles, before.roles)) breaks.push(`is for ${role} now.`);
  if (before.scope !== after.scope) breaks.push(`needs the scope ${after.scope} instead of ${before.scope}.`);
  for (const [what, was] of before.parameters) {
    const now = after.parameters.get(what);
    if (!now) breaks.push(`takes the ${what} no more.`);
    else {
      if (now.node['required'] && !was.node['required']) breaks.push(`needs the ${what} now.`);
      breaks.push(...schemaBreaks('sent', `the ${what}`, schemaOf(was), schemaOf(now)));
    }
  }
  for (const [what, { node }] of after.parameters) {
    if (node['required'] && !before.parameters.has(what)) breaks.push(`needs the ${what} now.`);
  }
  breaks.push(...bodyBreaks(before.body, after.body));
  for (const [status, was] of before.answers) {
    const now = after.answers.get(status);
    breaks.push(...(now ? answerBreaks(status, was, now) : [`answers ${status} no more.`]));
  }
  return breaks.map((text) => (text.startsWith('`') ? text : `${name} ${text}`));
}

function bodyBreaks(before: Part | null, after: Part | null): string[] {
  if (!before) return after?.node['required'] ? ['needs a body now.'] : [];
  if (!after) return ['takes a body no more.'];
  const needed = after.node['required'] && !before.node['required'] ? ['needs a body now.'] : [];
  return [...needed, ...contentBreaks('sent', 'the body', before, after)];
}

function answerBreaks(status: string, before: Part, after: Part): string[] {
  const sure = (part: Part) =>
    Object.entries((part.node['headers'] ?? {}) as Record<string, Json>)
      .filter(([, header]) => follow(header, part.document)['required'])
      .map(([name]) => name);
  const codes = (part: Part) =>
    Object.values((part.node['content'] ?? {}) as Record<string, { examples?: Json }>).flatMap(
      ({ examples = {} }) => Object.keys(examples),
    );
  return [
    ...lost(sure(before), sure(after)).map((header) => `answers ${status} without ${header} now.`),
    ...lost(codes(before), codes(after)).map((code) => `answers ${status} ${code} no more.`),
    ...contentBreaks('answered', `the answer ${status}`, before, after),
  ];
}

function contentBreaks(way: 'sent' | 'answered', what: string, before: Part, after: Part): string[] {
  const typesOf = ({ node }: Part) => (node['content'] ?? {}) as Record<string, Json>;
  const now = typesOf(after);
  return Object.entries(typesOf(before)).flatMap(([type, was]) => {
    const other = now[type];
    if (!other) return [`has ${type} for ${what} no more.`];
    const schemas = [schemaOf({ ...before, node: was }), schemaOf({ ...after, node: other })] as const;
    // A problem's codes were looked at by themselves.
    return type === 'application/problem+json' ? [] : schemaBreaks(way, what, ...schemas);
  });
}

function schemaOf({ document, node }: Part) {
  return { document, schema: (node['schema'] ?? {}) as Json };
}

const lost = (before: string[], after: string[]) => before.filter((one) => !after.includes(one));
