/** What went wrong, as a problem: by the kinds of error that Fastify, PostgreSQL and Temporal throw. */
import type { FastifyRequest } from 'fastify';
import type { ProblemCode } from '../contract/errors.ts';
import { rootOf } from '../db/errors.ts';
import { DecoderUnavailable } from '../images/reencode.ts';
import { PictureRefused } from '../images/refused.ts';
import { StoreUnavailable } from '../images/s3.ts';
import { TemporalUnavailable } from '../temporal/numbers.ts';
import { ProblemError } from './problems.ts';

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

/** The problem that a request is answered with. What is not the caller's fault is logged. */
export function loggedProblem(error: unknown, request: FastifyRequest): ProblemError {
  const problem = toProblem(error);
  if (problem.code === 'internal') request.log.error({ err: rootOf(error) }, 'Request failed');
  if (problem.code === 'unavailable') request.log.warn({ err: rootOf(error) }, 'Answered as unavailable');
  return problem;
}

export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof PictureRefused) return pictureProblem(error);
  if (error instanceof StoreUnavailable || error instanceof DecoderUnavailable) {
    return new ProblemError('unavailable', { cause: error });
  }
  if (error instanceof TemporalUnavailable) {
    const fact = 'The workflow did not answer in time; what was asked may take effect later.';
    return new ProblemError('unavailable', { fact, cause: error });
  }
  // Whoever sent it is gone, or there is no time left for it.
  if (/^(Abort|Timeout)Error$/.test((error as Error | null)?.name ?? '')) {
    return new ProblemError('unavailable', { cause: error });
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

function pictureProblem({ kind, code, message: detail }: PictureRefused): ProblemError {
  const errors = [{ pointer: '/file', code, detail }];
  return new ProblemError(kind === 'unsupported' ? 'unsupported_media_type' : 'invalid_request', {
    detail,
    errors,
  });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
