/** One try: a signed POST to a customer, bounded in time and size, with redirects left alone. */
import { Agent, type Dispatcher } from 'undici';
import type { DeliveryAttempt } from '../contract/deliveries.ts';
import { guardedConnector, TargetRefused } from './connector.ts';
import { retryAfter } from './schedule.ts';

/** Milliseconds for everything: name, connection, request, answer. */
const TRY_MS = 15_000;
const KEPT_BYTES = 1_024;
/** Of an answer, before it is cut off: so much is read to keep the connection for the next one. */
const READ_BYTES = 64 * 1_024;
/** Some servers end idle connections after 5 s and do not tell. */
const IDLE_MS = 4_000;
/** How a connection breaks that its other side had ended. */
const BROKEN = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];
/** Several kept connections may have been ended at the same time. */
const ASKED_AGAIN = 3;
/** Origins of which it is remembered when they were connected to. */
const ORIGINS = 10_000;

/** Why a try failed, for metrics. */
export type Failure = 'refused' | 'timeout' | 'connection' | 'redirect' | 'status' | 'expired';

export interface Tried {
  attempt: DeliveryAttempt;
  /** Null: the target took it. */
  failure: Failure | null;
  /** The target asked for time: Retry-After in milliseconds. */
  wish: number | null;
}

export interface Sender {
  /** Never throws. */
  send(url: string, body: string, headers: Record<string, string>, at: Date): Promise<Tried>;
  /** Cuts off what is under way. */
  close(): Promise<void>;
}

export function createSender(...guard: Parameters<typeof guardedConnector>): Sender {
  const agent = new Agent({
    connect: guardedConnector(...guard),
    // Not bounded for an origin: many targets may share one, and the dead would hold up the others.
    connections: null,
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    maxHeaderSize: 16 * 1_024,
  });
  const connectedAt = new Map<string, number>();
  agent.on('connect', (origin) => {
    if (connectedAt.size >= ORIGINS) connectedAt.clear();
    connectedAt.set(new URL(origin).origin, performance.now());
  });

  /** Asks again where a connection that was kept broke without an answer: the target may never have read it. */
  async function request(
    options: Dispatcher.RequestOptions & { origin: string },
  ): Promise<Dispatcher.ResponseData> {
    const started = performance.now();
    for (let left = ASKED_AGAIN; ; left--) {
      try {
        return await agent.request(options);
      } catch (error) {
        const isNew = (connectedAt.get(options.origin) ?? 0) >= started;
        if (isNew || left === 0 || !BROKEN.includes(codeOf(error))) throw error;
      }
    }
  }

  async function send(url: string, body: string, headers: Record<string, string>, at: Date): Promise<Tried> {
    const started = performance.now();
    const attemptOf = (rest: Pick<DeliveryAttempt, 'status' | 'answer' | 'error'>): DeliveryAttempt => ({
      at: at.toISOString(),
      latencyMs: Math.round(performance.now() - started),
      ...rest,
    });
    try {
      const { origin, pathname, search } = new URL(url);
      const response = await request({
        origin,
        path: pathname + search,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'number-approval', ...headers },
        body,
        signal: AbortSignal.timeout(TRY_MS),
      });
      const answer = await readAnswer(response.body);
      const { statusCode: status } = response;
      const failure = failureOf(status);
      const error = failure && wordsOf(failure, status);
      const wish = retryAfter([response.headers['retry-after'] ?? []].flat()[0], at);
      return { attempt: attemptOf({ status, answer, error }), failure, wish };
    } catch (error) {
      const failure = kindOf(error);
      const detail = error instanceof TargetRefused ? error.message : wordsOf(failure, codeOf(error));
      return { attempt: attemptOf({ status: null, answer: null, error: detail }), failure, wish: null };
    }
  }
  return { send, close: () => agent.destroy() };
}

/**
 * The beginning of an answer, as text. What is longer than it may be is cut off with its connection. What does not come
 * to its end is left: the status has told all.
 */
async function readAnswer(body: Dispatcher.ResponseData['body']): Promise<string> {
  const kept: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      if (length < KEPT_BYTES) kept.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > READ_BYTES) break;
    }
  } catch {}
  const text = new TextDecoder().decode(Buffer.concat(kept).subarray(0, KEPT_BYTES));
  // PostgreSQL takes no NUL.
  return text.replaceAll('\0', '\u{fffd}');
}

function failureOf(status: number): 'redirect' | 'status' | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? 'redirect' : 'status';
}

function kindOf(error: unknown): 'refused' | 'timeout' | 'connection' {
  if (error instanceof TargetRefused) return 'refused';
  return /timeout/i.test(`${(error as Error).name} ${codeOf(error)}`) ? 'timeout' : 'connection';
}

function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return String(code ?? name);
}

function wordsOf(failure: Failure, told: string | number): string {
  switch (failure) {
    case 'timeout':
      return `No whole answer within ${TRY_MS / 1_000} s.`;
    case 'redirect':
      return `Status ${told}: redirects are not followed.`;
    case 'status':
      return `Status ${told}: only 2xx means that it was taken.`;
    default:
      return `The connection failed (${told}).`;
  }
}
