/** The OpenAPI document, from the routes' schemas. */
import swagger from '@fastify/swagger';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Role, scopeOf } from './auth.ts';
import type { ApiContext } from './context.ts';
import { finish } from './openapi/finish.ts';
import type { Json } from './openapi/json.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Headers of the good answers, beside those that follow from what is answered. */
    answerHeaders?: ('Location' | 'ETag')[];
  }
}

const ABOUT = `Submit WhatsApp Business numbers for approval and follow them.

**Form.** JSON, camelCase, times in RFC 3339 UTC, opaque ids. Unknown fields are an error. Answers may grow: pass
over fields, and values of open lists, that you do not know.

**Who calls.** Programs send \`Authorization: Bearer <API key>\`. A key belongs to an account or to a person of staff and
has scopes: \`read\`, \`write\`, \`admin\`. People sign in with \`POST /v1/session\`; their cookie counts on pages of this
server only. Each operation tells who may call it. What belongs to another account is answered as if it did not exist.

**Writing safely.** Every write takes an \`Idempotency-Key\`, but those about one's own session, password or sign-up: a
repeat with the same key waits for the first and gets its answer, for 24 hours. Repeat after a lost connection, a 429 or a 503, and keep to \`Retry-After\`. Where \`If-Match\` is taken,
send the \`ETag\` that you read, so that nobody's change is overwritten.

**Lists.** \`limit\` bounds a page; \`nextCursor\`, or \`Link: rel="next"\`, leads to the next.

**Limits.** Requests are limited per key or person, and per address. \`RateLimit-Policy\` names the limits, \`RateLimit\`
what is left of them; beyond, the answer is 429 with \`Retry-After\`.

**Problems.** Errors are RFC 9457 problems. \`code\` is for programs, \`detail\` says what to do, and \`type\` leads to a page
about it. Quote \`requestId\` when you ask for help.`;

/** For those who take what is sent: all of it is in no schema of ours, because they answer, not we. */
const FORWARDING = `What is sent to your systems, and what became of it.

Each event is a POST of JSON \`{ type, timestamp, data }\`: messages and changes of a number to its Incoming URL, statuses of
messages to its callback profile. Headers and signature are those of [Standard Webhooks](https://www.standardwebhooks.com):
\`webhook-id\` names the event and is the same at each try, \`webhook-timestamp\` is the time of the try in seconds, and
\`webhook-signature\` has \`v1,\` and a signature for each secret that counts: the HMAC-SHA256, in base64, of
\`<webhook-id>.<webhook-timestamp>.<body>\`, keyed with what stands in base64 behind \`whsec_\`. Check it over the bytes as
they came. An event may come more than once: pass over an id that you have. \`data\` is told by the schema \`WebhookEvent\`.

Answer 2xx within 15 seconds. Everything else is a failure, redirects too. 410 switches the target off; 429, 502 and 504 slow
it down; \`Retry-After\` is heeded. A failed delivery is tried again after 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours. A
target that takes nothing for 5 days is switched off, and an email tells so. Events of one conversation come in their order
as long as you take them; one that is tried again later may be passed by others. What was not taken is kept for 30 days, and
can be replayed.`;

const TAGS = [
  { name: 'Numbers', description: 'Submitting numbers and following them.' },
  { name: 'Pictures', description: 'The company logo of a number.' },
  { name: 'Callback profiles', description: 'Where the delivery statuses of messages go.' },
  { name: 'Forwarding', description: FORWARDING },
  { name: 'Review', description: 'For support: the queue, claims, comments and decisions.' },
  { name: 'Stream', description: 'Changes as they happen, as server-sent events.' },
  { name: 'Session', description: 'Signing in and out, passwords and two-factor authentication.' },
  { name: 'Account', description: 'The account, its members, invitations and API keys.' },
  { name: 'Operation', description: 'For operators: accounts, people and the audit log.' },
  { name: 'Health', description: 'For load balancers and supervisors.' },
  { name: 'Problems', description: 'What each `code` of a problem means.' },
];

const API_KEY = {
  type: 'http',
  scheme: 'bearer',
  description: 'For programs: `Authorization: Bearer <API key>`. Whoever has the scope `admin` creates keys.',
} as const;
const SESSION = {
  type: 'apiKey',
  in: 'cookie',
  description: 'For people: `POST /v1/session` sets it. It is taken from pages of this server only.',
} as const;

/** zod leaves the examples of what is transformed out, as if they were of the result. And no body is no schema. */
const zodToJsonConfig: NonNullable<Parameters<typeof createJsonSchemaTransform>[0]['zodToJsonConfig']> = {
  override: ({ zodSchema, jsonSchema }) => {
    const { examples } = z.globalRegistry.get(zodSchema) ?? {};
    if (examples) jsonSchema.examples ??= examples as never;
    if (zodSchema._zod.def.type === 'undefined') jsonSchema.type = 'null';
  },
};
const toJsonSchema = createJsonSchemaTransform({ zodToJsonConfig });
const withNamedSchemas = createJsonSchemaTransformObject({ zodToJsonConfig });

/** Collects the routes that are registered after it. */
export async function describeRoutes(app: FastifyInstance, api: ApiContext): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Number approval',
        version: '1',
        summary: 'Approval of WhatsApp Business numbers.',
        description: ABOUT,
        contact: { name: 'The operators of this server' },
        license: { name: 'MIT', identifier: 'MIT' },
      } as never,
      servers: [{ url: api.publicUrl || '/' }],
      components: {
        securitySchemes: { apiKey: API_KEY, session: { ...SESSION, name: api.auth.sessionCookie } },
      },
      tags: TAGS,
    },
    transform: (document) => {
      const { schema, url } = toJsonSchema(document);
      const { config = {}, method } = document.route;
      const { access = 'public', emptyBody, answerHeaders, limit } = config;
      const guarded = {
        'x-roles': access === 'public' ? [] : [access].flat(),
        ...securityOf(config, method),
      };
      const hints = { emptyBody, answerHeaders, unlimited: limit === 'none' };
      const description = [schema.description, whoMayCall(config, method)].filter(Boolean).join('\n\n');
      return { schema: { ...schema, description, ...guarded, 'x-hints': hints }, url } as never;
    },
    transformObject: (document) => finish(withNamedSchemas(document) as Json, api.publicUrl) as never,
  });
}

type Method = string | string[];

/** Names what is taken, each with the scope that it must have. */
function securityOf(config: FastifyContextConfig, method: Method) {
  const { access = 'public' } = config;
  if (access === 'public') return { security: [] };
  if (access === 'person') return { security: [{ session: [] }] };
  const scopes = [scopeOf(config, String(method))];
  return { security: [{ apiKey: scopes }, { session: scopes }] };
}

const WHO: Record<Role, string> = { customer: 'customers', support: 'support', operator: 'operators' };

function whoMayCall(config: FastifyContextConfig, method: Method): string {
  const { access = 'public' } = config;
  if (access === 'public') return 'For anyone, without a key.';
  if (access === 'person') return 'For whoever is signed in; not with an API key.';
  const who = access.map((role) => WHO[role]).join(', ');
  return `For ${who.replace(/, ([^,]*)$/, ' and $1')}, with the scope \`${scopeOf(config, String(method))}\`.`;
}
