/** The headers of answers, as the OpenAPI document tells them. */
import type { ProblemCode } from '../../contract/errors.ts';
import { type Json, ref } from './json.ts';
import { codesOf } from './problems.ts';

interface Header {
  description: string;
  required?: true;
  schema: Json;
  example: string;
}

const text = { type: 'string' };

export const HEADERS: Record<string, Header> = {
  'X-Request-Id': {
    description: 'Names this request in our logs; what you sent under this name, where it is a short token.',
    required: true,
    schema: text,
    example: 'c0ffee00-0000-4000-8000-000000000000',
  },
  'RateLimit-Policy': {
    description: 'The limits that count here: `q` requests within `w` seconds.',
    schema: text,
    example: '"key";q=1200;w=60, "address";q=3000;w=60',
  },
  RateLimit: {
    description: 'What is left of each: `r` requests within the next `t` seconds.',
    schema: text,
    example: '"key";r=1199;t=60, "address";r=2999;t=60',
  },
  ETag: {
    description:
      'The revision of a number, or what a picture is known by; for `If-Match` and `If-None-Match`.',
    required: true,
    schema: text,
    example: '"3"',
  },
  Location: {
    description: 'Where it can be read.',
    required: true,
    schema: { ...text, format: 'uri-reference' },
    example: '/v1/numbers/num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d',
  },
  Link: {
    description: 'The next page as `rel="next"`; left out on the last.',
    schema: text,
    example: '</v1/numbers?cursor=Im51bV8wMTli>; rel="next"',
  },
  'Retry-After': {
    description: 'Seconds after which a repeat is worth a try.',
    schema: { type: 'integer', minimum: 0 },
    example: '5',
  },
  'WWW-Authenticate': {
    description: 'How to sign in.',
    required: true,
    schema: text,
    example: 'Bearer',
  },
};

/** Which headers an answer has: by its status, by what it carries, and what its route adds always and when all is well. */
export function answerHeadersOf(
  status: number,
  answer: Json,
  added: { always: string[]; good: string[] },
): Json {
  const codes = codesOf(answer) ?? [];
  const says = (...some: ProblemCode[]) => some.some((code) => codes.includes(code));
  const schema = JSON.stringify((answer['content'] as Json | undefined)?.['application/json'] ?? null);
  const names = [
    ...added.always,
    ...(status === 304 || /schemas\/Number"/.test(schema) ? ['ETag'] : []),
    ...(/schemas\/\w+Page"/.test(schema) ? ['Link'] : []),
    ...(status < 300 ? added.good : []),
    ...(says('unauthenticated') ? ['WWW-Authenticate'] : []),
    ...(says('idempotency_in_flight', 'rate_limited', 'quota_exceeded', 'unavailable')
      ? ['Retry-After']
      : []),
  ];
  return Object.fromEntries(names.map((name) => [name, ref('headers', name)]));
}
