/** What a route may answer, as its OpenAPI document says and its serializer checks. */
import { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '../contract/errors.ts';
import { standingDecision } from '../contract/views.ts';

const problem = z.object({
  type: z.string().meta({ format: 'uri-reference' }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
  instance: z.string(),
  requestId: z.string(),
  errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })),
});

/** Members that a problem carries beside the common ones. */
const EXTRA: Partial<Record<ProblemCode, z.ZodRawShape>> = {
  number_taken: { numberId: z.string().optional().describe('Where it is your own.') },
  already_decided: { decision: standingDecision.optional() },
  not_pending: { decision: standingDecision.optional() },
  profile_in_use: { numberIds: z.array(z.string()).optional().describe('Some of the numbers that use it.') },
};

/** Any route may answer these. */
const ALWAYS: ProblemCode[] = ['malformed_request', 'rate_limited', 'internal', 'unavailable'];
/** Routes that somebody must be signed in for. */
export const GUARDED: ProblemCode[] = ['unauthenticated', 'forbidden', 'two_factor_needed'];
/** Routes with a body or an Idempotency-Key. */
export const WRITES: ProblemCode[] = [
  'cross_origin',
  'too_large',
  'unsupported_media_type',
  'invalid_request',
  'idempotency_in_flight',
  'idempotency_key_reused',
];

/** Routes with a body that take no Idempotency-Key: what they answer must not be kept, or a repeat does no harm. */
export const SESSION_WRITES: ProblemCode[] = [
  'cross_origin',
  'too_large',
  'unsupported_media_type',
  'invalid_request',
];

/** 204 or 304. */
export const noBody = (description: string) => z.undefined().describe(description);

/**
 * Declares a route's answers: the good ones by schema, the others by problem code. Typed as the good ones
 * only, because problems are thrown.
 */
export function answers<T extends Record<number, z.ZodType>>(good: T, codes: ProblemCode[] = []): T {
  const byStatus = Map.groupBy(new Set([...codes, ...ALWAYS]), (code) => PROBLEMS[code].status);
  const problems = [...byStatus].map(([status, of]) => [status, problemAnswer(of)]);
  return { ...good, ...Object.fromEntries(problems) };
}

function problemAnswer(codes: ProblemCode[]) {
  const extra = Object.assign({}, ...codes.map((code) => EXTRA[code] ?? {}));
  const schema = problem.extend({ code: z.enum(codes as [ProblemCode, ...ProblemCode[]]), ...extra });
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema } },
  };
}
