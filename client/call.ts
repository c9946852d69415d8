/** One call over all its tries. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NoAnswerError, ProblemError } from './problem.ts';
import { type Backoff, mayRetry, waitMs } from './retry.ts';

export interface Settings {
  baseUrl: string;
  apiKey: string;
  fetch: typeof fetch;
  /** For one try. */
  tryMs: number;
  /** For a call with all its tries. */
  deadlineMs: number;
  backoff: Backoff;
}

export interface Request {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body?: string | FormData;
  /** Null where the call only reads. */
  idempotencyKey: string | null;
  signal?: AbortSignal | undefined;
  deadlineMs?: number | undefined;
}

export interface Answered {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The answer, when it is a good one. Throws a `ProblemError` where the API refused, a `NoAnswerError` past the
 * deadline, and the signal's reason where that ended the call.
 */
export async function call(settings: Settings, request: Request): Promise<Answered> {
  const name = `${request.method} ${request.path.split('?')[0]}`;
  const ends = Date.now() + (request.deadlineMs ?? settings.deadlineMs);
  for (let tries = 1; ; tries++) {
    const left = Math.max(1, ends - Date.now());
    let failure: unknown;
    try {
      const response = await send(settings, request, Math.min(left, settings.tryMs));
      if (response.status < 300) return response;
      failure = new ProblemError(name, response);
    } catch (error) {
      request.signal?.throwIfAborted();
      failure = error;
    }
    const after = failure instanceof ProblemError ? failure.retryAfterMs : 0;
    const wait = waitMs(tries, after, settings.backoff, Math.random());
    if (!mayRetry(failure) || Date.now() + wait >= ends) {
      throw failure instanceof ProblemError
        ? failure
        : new NoAnswerError(name, request.idempotencyKey, failure);
    }
    await sleep(wait, undefined, { signal: request.signal }).catch((error) => {
      throw request.signal?.reason ?? error;
    });
  }
}

/** One try, with its whole answer read: a connection that breaks within it is no answer either. */
async function send(settings: Settings, request: Request, tryMs: number): Promise<Answered> {
  const { method, path, headers, body, signal } = request;
  const late = AbortSignal.timeout(tryMs);
  const response = await settings.fetch(settings.baseUrl + path, {
    method,
    headers: { authorization: `Bearer ${settings.apiKey}`, accept: 'application/json', ...headers },
    // The key is for this server alone.
    redirect: 'manual',
    signal: signal ? AbortSignal.any([signal, late]) : late,
    ...(body !== undefined && { body }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}
