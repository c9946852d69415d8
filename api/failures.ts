/** What went wrong, as a problem: by the kinds of error that Fastify, zod, PostgreSQL and Temporal throw. */
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { ProblemCode } from '../contract/errors.ts';
import { rootOf } from '../db/errors.ts';
import { TemporalUnavailable } from '../temporal/numbers.ts';
import { type Fault, malformedQuery, ProblemError } from './problems.ts';

/** Fastify's own errors that are the caller's, and the one that is a lack of time. */
const FASTIFY: Record<string, ProblemCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_request',
  FST_ERR_BAD_URL: 'malformed_request',
  FST_ERR_HANDLER_TIMEOUT: 'unavailable',
};

/** The server could not be reached, or was lost. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'ENOENT',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
]);

/**
 * SQLSTATEs that pass: connection lost (08), transaction rolled back for others (40), out of resources (53),
 * shut down or cancelled, which is also the statement timeout (57), lock timeout, idle in transaction.
 */
const PASSING = /^(08|40|53|57)...$|^55P03$|^25P03$/;

/** node-postgres has no code for a connection that it lost, did not get in time, or may not use any more. */
const LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end)/i;

/** More would only tell a machine how wrong it is. */
const MAX_FAULTS = 50;

export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return validationProblem(error);
  if (error instanceof TemporalUnavailable) {
    const fact = 'The workflow did not answer in time; what was asked may take effect later.';
    return new ProblemError('unavailable', { fact, cause: error });
  }
  const code = codeOf(rootOf(error));
  const known = FASTIFY[code];
  if (known) return new ProblemError(known, { cause: error });
  const cause = rootOf(error);
  const lost = cause instanceof Error && LOST.test(cause.message);
  if (lost || UNREACHABLE.has(code) || PASSING.test(code))
    return new ProblemError('unavailable', { cause: error });
  // Anything else the framework blames on the caller: a bad header, an aborted body.
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ProblemError('malformed_request', { cause: error });
  }
  return new ProblemError('internal', { cause: error });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

interface Issue {
  keyword: string;
  instancePath: string;
  message?: string;
  params: Record<string, unknown>;
}

function validationProblem(error: { validation: Issue[]; validationContext?: string | undefined }) {
  const context = error.validationContext ?? 'body';
  const inBody = context === 'body';
  const errors = error.validation
    .slice(0, MAX_FAULTS)
    .flatMap((issue) => faultsOf(issue, inBody))
    .slice(0, MAX_FAULTS);
  if (inBody || context === 'headers') return new ProblemError('invalid_request', { errors });
  if (context === 'params') return new ProblemError('not_found');
  return malformedQuery(errors);
}

/** zod's words that say nothing to a caller. */
const UNTOLD = new Set(['custom', 'invalid_union']);

function faultsOf(issue: Issue, inBody: boolean): Fault[] {
  const path = issue.instancePath === '/' ? '' : issue.instancePath;
  const keys = issue.params['keys'];
  if (issue.keyword === 'unrecognized_keys' && Array.isArray(keys)) {
    return keys.map((key) => ({
      pointer: inBody ? `${path}/${escapePointer(String(key))}` : String(key),
      code: 'unknown_field',
      detail: inBody ? 'There is no such field; leave it out.' : 'There is no such parameter; leave it out.',
    }));
  }
  return [
    {
      pointer: inBody ? path : path.slice(1),
      code: UNTOLD.has(issue.keyword) ? 'invalid' : issue.keyword,
      detail: issue.message ?? 'Not valid.',
    },
  ];
}

/** RFC 6901. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
