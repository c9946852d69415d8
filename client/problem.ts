/** What can go wrong with a call. */
import type { ProblemCode } from '../contract/errors.ts';
import type { Answered } from './call.ts';

/** One thing at fault in a request. */
export interface Fault {
  /** JSON pointer into the body, or the name of a query parameter or header. */
  pointer: string;
  code: string;
  /** What to do. */
  detail: string;
}

/** The API answered with a problem. `message` says what is wrong and what to do. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly status: number;
  /** `unknown` where something in between answered, which does not tell problems as the API does. */
  readonly code: ProblemCode | 'unknown';
  readonly detail: string;
  /** What is at fault in the request; often empty. */
  readonly errors: Fault[];
  /** Names the request in the API's logs. */
  readonly requestId: string | null;
  /** How long to wait before another try, as the API asks; 0 where it does not. */
  readonly retryAfterMs: number;
  /** Everything that was answered, with members that only some problems have: `numberId`, `decision` … */
  readonly problem: Record<string, unknown>;

  constructor(call: string, { status, headers, bytes }: Answered) {
    const problem = read(new TextDecoder().decode(bytes));
    const detail = typeof problem['detail'] === 'string' ? problem['detail'] : `Status ${status}.`;
    super(`${call}: ${detail}`);
    this.status = status;
    this.code = (problem['code'] as ProblemCode | undefined) ?? 'unknown';
    this.detail = detail;
    this.errors = (problem['errors'] as Fault[] | undefined) ?? [];
    this.requestId = headers.get('x-request-id');
    this.retryAfterMs = retryAfterMs(headers.get('retry-after'), Date.now());
    this.problem = problem;
  }
}

/**
 * There was no answer in time, over all tries. A call that writes may have taken effect: repeat it with the same
 * `idempotencyKey` to find out, which never does it twice.
 */
export class NoAnswerError extends Error {
  override name = 'NoAnswerError';
  readonly idempotencyKey: string | null;

  constructor(call: string, idempotencyKey: string | null, cause: unknown) {
    super(`${call}: there was no answer in time.`, { cause });
    this.idempotencyKey = idempotencyKey;
  }
}

function read(body: string): Record<string, unknown> {
  try {
    const problem: unknown = JSON.parse(body);
    return typeof problem === 'object' && problem !== null ? (problem as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** `Retry-After`, seconds or a date, in milliseconds from `now`; 0 where there is none. */
export function retryAfterMs(header: string | null, now: number): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
