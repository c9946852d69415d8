/** Reading the OpenAPI document, with references followed. */
import type { InjectOptions } from 'fastify';

type Json = Record<string, unknown>;
type Method = NonNullable<InjectOptions['method']>;

export interface OpenApiDocument {
  servers: unknown;
  components: Record<string, Record<string, Json>>;
  paths: Record<string, Record<string, Json>>;
}

export interface Operation {
  operationId: string;
  method: Method;
  /** With `{id}`. */
  path: string;
  summary: string;
  description: string;
  tag: string;
  /** Who may call it; empty where anybody may. */
  roles: string[];
  /** Null where no key is needed. */
  scope: string | null;
  parameters: {
    name: string;
    in: string;
    required?: boolean;
    schema: Json;
    description?: string;
    example?: unknown;
  }[];
  /** Null where it takes none. */
  body: { required: boolean; content: Record<string, { schema: Json; example?: unknown }> } | null;
  /** By status. */
  answers: Record<string, Answer>;
}

interface Answer {
  description: string;
  /** The codes of a problem; null for a good answer. */
  codes: string[] | null;
  /** Names in lower case. */
  headers: { may: string[]; must: string[] };
  content: Record<string, { schema: Json }>;
}

/** What `$ref` points at, or the node itself. */
export function resolve(document: OpenApiDocument, node: Json): Json {
  if (typeof node['$ref'] !== 'string') return node;
  const [, , kind = '', name = ''] = node['$ref'].split('/');
  const found = document.components[kind]?.[name];
  if (!found) throw new Error(`The OpenAPI document has no ${node['$ref']}`);
  return found;
}

const known = new WeakMap<OpenApiDocument, Operation[]>();

/** Every operation of the document. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  const operations = known.get(document) ?? readOperations(document);
  known.set(document, operations);
  return operations;
}

function readOperations(document: OpenApiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      operationId: String(operation['operationId']),
      method: method.toUpperCase() as Method,
      path,
      summary: String(operation['summary'] ?? ''),
      description: String(operation['description'] ?? ''),
      tag: String((operation['tags'] as string[])[0]),
      roles: operation['x-roles'] as string[],
      scope: scopeOf(operation['security'] as Record<string, string[]>[]),
      parameters: ((operation['parameters'] ?? []) as Json[]).map((one) => resolve(document, one)) as never,
      body: (operation['requestBody'] ?? null) as Operation['body'],
      answers: Object.fromEntries(
        Object.entries(operation['responses'] as Record<string, Json>).map(([status, answer]) => [
          status,
          readAnswer(document, resolve(document, answer)),
        ]),
      ),
    })),
  );
}

/** The operation behind a method and a path that is called. */
export function findOperation(document: OpenApiDocument, method: string, path: string) {
  return operationsOf(document).find(
    (one) => one.method === method && new RegExp(`^${one.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

function scopeOf(security: Record<string, string[]>[]): string | null {
  return security.flatMap((scheme) => Object.values(scheme).flat())[0] ?? null;
}

function readAnswer(document: OpenApiDocument, answer: Json): Answer {
  const content = (answer['content'] ?? {}) as Record<string, { schema: Json; examples?: Json }>;
  const headers = Object.entries((answer['headers'] ?? {}) as Record<string, Json>);
  const must = headers.filter(([, header]) => resolve(document, header)['required']);
  const examples = content['application/problem+json']?.examples;
  return {
    description: String(answer['description'] ?? ''),
    codes: examples ? Object.keys(examples) : null,
    headers: {
      may: headers.map(([name]) => name.toLowerCase()),
      must: must.map(([name]) => name.toLowerCase()),
    },
    content,
  };
}
