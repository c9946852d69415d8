/** Calls to Temporal with a deadline, and what their errors mean. */
import {
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';

/** Temporal, or a worker, did not answer in time. What was sent may take effect later. */
export class TemporalUnavailable extends Error {
  override name = 'TemporalUnavailable';
}

/** Codes of gRPC that say "not now": deadline, exhausted, aborted, precondition, unavailable, cancelled. */
const NOT_NOW = new Set([1, 4, 8, 9, 10, 14]);

/** The gRPC status code behind an error of the client; undefined where there is none. */
function grpcCode(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof Error && error.cause !== undefined ? grpcCode(error.cause) : undefined;
}

function isNotNow(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || error instanceof TemporalUnavailable)
    return true;
  return error instanceof ServiceError && NOT_NOW.has(grpcCode(error) ?? 14);
}

/** Runs a call that has to end within `ms`. Throws `TemporalUnavailable` when Temporal does not answer. */
export async function callWithin<T>(client: Client, ms: number, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  // The client's own deadline does not cover waiting for a connection.
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TemporalUnavailable(`No answer within ${ms} ms`)), ms + 250);
  });
  const answer = client.withDeadline(Date.now() + ms, call);
  answer.catch(() => {});
  try {
    return await Promise.race([answer, expired]);
  } catch (error) {
    if (!isNotNow(error)) throw error;
    throw new TemporalUnavailable(error instanceof Error ? error.message : String(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
