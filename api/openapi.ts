/** The OpenAPI document, from the routes' schemas. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { ApiContext } from './context.ts';

const ABOUT = `Submit WhatsApp Business numbers for approval and follow them.

JSON, camelCase, times in RFC 3339 UTC, opaque ids. Unknown fields are an error. Every write takes an
\`Idempotency-Key\`, but those about one's own session, password or sign-up. Errors are RFC 9457 problems; each \`code\` is explained at its \`type\`.

Programs send an API key. People sign in with \`POST /v1/session\`; their cookie counts on pages of this server only.

Requests are limited per key or person, and per address. \`RateLimit-Policy\` names the limits, \`RateLimit\` what is
left of them; beyond, the answer is 429 with \`Retry-After\`.`;

/** Marks an operation whose body may be left out, until the document is finished. */
const EMPTY_BODY = 'x-empty-body';

/** Collects the routes that are registered after it. */
export async function describeRoutes(app: FastifyInstance, api: ApiContext): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Number approval', version: '1', description: ABOUT },
      servers: [{ url: api.publicUrl || '/' }],
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: api.auth.sessionCookie },
        },
      },
      tags: [
        { name: 'Numbers', description: 'Submitting numbers and following them.' },
        { name: 'Pictures', description: 'The company logo of a number.' },
        { name: 'Callback profiles', description: 'Where the delivery statuses of messages go.' },
        { name: 'Review', description: 'For support: the queue, claims, comments and decisions.' },
        { name: 'Stream', description: 'Changes as they happen, as server-sent events.' },
        { name: 'Session', description: 'Signing in and out, passwords and two-factor authentication.' },
        { name: 'Account', description: 'The account, its members, invitations and API keys.' },
        { name: 'Operation', description: 'For operators: accounts, people and the audit log.' },
        { name: 'Health' },
        { name: 'Problems', description: 'What each `code` of a problem means.' },
      ],
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document);
      const { access, emptyBody } = document.route.config ?? {};
      const isPublic = access === 'public' || access === undefined;
      const security = isPublic
        ? []
        : access === 'person'
          ? [{ session: [] }]
          : [{ apiKey: [] }, { session: [] }];
      const who = isPublic
        ? 'For anyone.'
        : access === 'person'
          ? 'For whoever is signed in.'
          : `For: ${access.join(', ')}.`;
      const description = [schema.description, who].filter(Boolean).join(' ');
      return { schema: { ...schema, description, security, ...(emptyBody && { [EMPTY_BODY]: true }) }, url };
    },
    transformObject: (document) => tidy(jsonSchemaTransformObject(document) as Json) as never,
  });
}

type Json = Record<string, unknown>;

/** Finishes the document: what zod and the generators put in that says nothing, or something wrong. */
function tidy(document: Json): Json {
  const { components, paths } = document as { components: { schemas: Json }; paths: Record<string, Json> };
  const schemas = Object.entries(components.schemas)
    // Every schema with a name is an answer: their twins for input are used nowhere.
    .filter(([name]) => !(name.endsWith('Input') && name.slice(0, -5) in components.schemas))
    .map(([name, schema]) => [name, prune(schema, true)]);
  return {
    ...document,
    components: { ...components, schemas: Object.fromEntries(schemas) },
    paths: mapValues(paths, (operations) =>
      mapValues(operations, (operation) => tidyOperation(operation as Json)),
    ),
  };
}

function tidyOperation({ [EMPTY_BODY]: emptyBody, ...operation }: Json): Json {
  const body = operation['requestBody'];
  return {
    ...(prune(operation, false) as Json),
    responses: prune(operation['responses'], true),
    ...(emptyBody === true && { requestBody: { ...(prune(body, false) as Json), required: false } }),
  };
}

/**
 * Drops zod's 300-character pattern of a date-time (the format says it), the bounds of what a double can
 * count to, fields that exist only to be refused with a reason of their own, and from answers, which may grow,
 * that there is nothing beside the fields named.
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
  return Object.fromEntries(kept.map(([key, value]) => [key, prune(value, answer)]));
}

function mapValues<T>(object: Record<string, T>, map: (value: T) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
