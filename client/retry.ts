/** When a call is tried again, and how long after. */
import { ProblemError } from './problem.ts';

/** Milliseconds. */
export interface Backoff {
  /** The most that the first wait can be; each further one can be twice as long. */
  firstMs: number;
  mostMs: number;
}

/** 502 and 504 are of a proxy that lost the API. */
const PASSING = new Set([429, 502, 503, 504]);

/**
 * Whether another try may go better: no answer at all, too many requests, not available, or the same call still
 * running. Everything else is the caller's to mend. Every call may be repeated: it reads, or has an Idempotency-Key.
 */
export function mayRetry(failure: unknown): boolean {
  if (!(failure instanceof ProblemError)) return true;
  return PASSING.has(failure.status) || failure.code === 'idempotency_in_flight';
}

/**
 * How long to wait after so many tries: a random part of a bound that doubles, so that many clients do not come back
 * all at once, and never less than the server asked for. `random` is from 0 to 1.
 */
export function waitMs(
  tries: number,
  retryAfterMs: number,
  { firstMs, mostMs }: Backoff,
  random: number,
): number {
  return retryAfterMs + Math.round(random * Math.min(mostMs, firstMs * 2 ** (tries - 1)));
}
