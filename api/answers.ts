/** What a route may answer, as its OpenAPI document says and its serializer checks. */
import { z } from 'zod';
import { faultView } from '../contract/checks.ts';
import { PROBLEMS, type ProblemCode } from '../contract/errors.ts';
import { claimantView } from '../contract/reviews.ts';
import { about, standingDecision, time } from '../contract/views.ts';

const problem = z
  .object({
    type: z
      .string()
      .meta({ format: 'uri-reference', ...about('A page that explains `code`.', '/problems/not_found') }),
    title: z.string().meta(about('What kind of problem it is, in words.', 'Not found')),
    status: z.int().meta(about('The HTTP status.', 404)),
    detail: z
      .string()
      .meta(about('What is wrong here and what to do, for people.', PROBLEMS.not_found.advice)),
    code: z
      .enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]])
      .meta(about('What kind of problem it is, for programs.', 'not_found')),
    instance: z.string().meta(about('The path that was called.', '/v1/numbers/num_0')),
    requestId: z
      .string()
      .meta(
        about(
          'Names this request in our logs; also in `X-Request-Id`.',
          'c0ffee00-0000-4000-8000-000000000000',
        ),
      ),
    errors: z.array(faultView).describe('What is at fault; empty where that is not a part of the request.'),
  })
  .meta({ id: 'Problem', description: 'What went wrong, as RFC 9457 describes it.' });

const decision = standingDecision.optional().describe('The decision that stands, where there is one.');

/** Members that a problem carries beside the common ones. */
export const EXTRA: Partial<Record<ProblemCode, z.ZodRawShape>> = {
  number_taken: {
    numberId: z.string().optional().meta(about('Who has it, where that is a number of your own.', 'num_0')),
  },
  already_decided: { decision },
  not_pending: { decision },
  claimed: {
    claimedBy: claimantView.optional().describe('Who has it.'),
    claimExpiresAt: time.optional().describe('When the claim runs out.'),
  },
  profile_in_use: {
    numberIds: z
      .array(z.string())
      .optional()
      .meta(about('Some of the numbers that use it.', ['num_0'])),
  },
};

/** The members that every problem has. */
export const PROBLEM_MEMBERS = Object.keys(problem.shape);

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
