/** `Idempotency-Key`: a repeat of a write waits for the first and gets its answer. */
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { keysFor, type Secrets } from '../auth/secrets.ts';
import { newId } from '../contract/ids.ts';
import { about } from '../contract/views.ts';
import type { Database, Transaction } from '../db/client.ts';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../db/errors.ts';
import {
  answerRequest,
  claimRequest,
  findRequest,
  type KeyedRequest,
  type Known,
  recordRequest,
  releaseRequest,
  rememberSeen,
  type StoredAnswer,
} from '../db/idempotency.ts';
import { callerOf } from './auth.ts';
import { ProblemError } from './problems.ts';

/** Headers of every write. Loose: it only looks at the one. */
export const writeHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'Send an Idempotency-Key of 1 to 255 visible ASCII characters.')
    .optional()
    .meta(about('Repeats with the same key get the first answer, for 24 hours.', 'order-4711')),
});

/** A request may be taken to be running for so long; longer than any handler runs. */
const LEASE_MS = 20_000;
/** How long a repeat waits for the first. */
const WAIT_MS = 12_000;
const POLL_MS = 100;

/** An answer that is given once and remembered. */
export type Answer = StoredAnswer;

export interface Operation {
  /** The same over all repeats of a request with a key. */
  operationId: string;
  /** A former try of the same request died without an answer, and may have taken effect. */
  resumed: boolean;
  /** What the first try saw, where this is another try; `now` where it is the first. */
  seen<T>(now: T): Promise<T>;
  /**
   * Stores the answer in the transaction that carries the operation out. Returns the one that stands: another's where
   * another try has been through.
   */
  settle(tx: Transaction, answer: Answer): Promise<Answer>;
}

/**
 * The request as its key knows it: method, path, body as it was validated (or what stands for one that was
 * streamed), `If-Match`. Null without a key.
 */
export function keyedRequest(request: FastifyRequest, body: unknown = request.body): KeyedRequest | null {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return null;
  const caller = callerOf(request);
  const path = request.url.split('?')[0];
  // Another If-Match is another request: whoever was told of a conflict asks for something else.
  const given = request.headers['if-match'] === undefined ? [] : [request.headers['if-match']];
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([request.method, path, body ?? null, ...given]))
    .digest('hex');
  return { scope: caller.kind === 'customer' ? caller.accountId : caller.personId, key, fingerprint };
}

/** A body whose secrets are so few that they could be tried out: the fingerprint is of a keyed hash of it. */
export function sealed(secrets: Secrets, body: object): { sealed: string } {
  const [key] = keysFor(secrets, 'idempotency');
  return { sealed: createHmac('sha256', key).update(JSON.stringify(body)).digest('hex') };
}

/** The answer to an earlier request with the key of this one, or null. Looked up before anything slow is done. */
export async function earlierAnswer(db: Database, keyed: KeyedRequest | null): Promise<Answer | null> {
  const known = keyed && (await findRequest(db, keyed));
  if (known?.kind === 'reused') throw new ProblemError('idempotency_key_reused');
  return known?.kind === 'answered' ? known.answer : null;
}

/** Carries out a write that is one transaction, which also stores the answer. */
export async function inTransaction<T>(
  db: Database,
  keyed: KeyedRequest | null,
  write: (tx: Transaction, operationId: string) => Promise<{ answer: Answer; result: T }>,
): Promise<{ answer: Answer; result: T | null }> {
  return db.transaction(async (tx) => {
    if (!keyed) return write(tx, newId('op'));
    const known = await recordRequest(tx, keyed).catch((error) => {
      throw sqlStateOf(error) === LOCK_NOT_AVAILABLE
        ? new ProblemError('idempotency_in_flight', { cause: error })
        : error;
    });
    if (known.kind !== 'mine') return { answer: settled(known), result: null };
    const written = await write(tx, known.operationId);
    await answerRequest(tx, keyed, written.answer);
    return written;
  });
}

/**
 * Carries out a write that goes through a workflow. What the operation itself answers (2xx, 409, 412, 422)
 * is stored; where it could not be carried out, the key carries on the same operation.
 */
export async function throughWorkflow(
  db: Database,
  keyed: KeyedRequest | null,
  write: (operation: Operation) => Promise<Answer>,
): Promise<Answer> {
  if (!keyed) {
    const operationId = newId('op');
    return write({
      operationId,
      resumed: false,
      seen: async (now) => now,
      settle: async (_, answer) => answer,
    });
  }
  const claimed = await claim(db, keyed);
  if ('answer' in claimed) return claimed.answer;
  try {
    const operation: Operation = {
      ...claimed,
      seen: (now) => rememberSeen(db, keyed, now),
      settle: (tx, answer) => answerRequest(tx, keyed, answer),
    };
    return await answerRequest(db, keyed, await write(operation));
  } catch (error) {
    if (error instanceof ProblemError && [409, 412, 422].includes(error.status)) {
      return answerRequest(db, keyed, problemAnswer(error));
    }
    // The lease runs out by itself where the database is what failed.
    await releaseRequest(db, keyed).catch(() => {});
    throw error;
  }
}

/** A problem as an answer that can be stored. */
export function problemAnswer(error: ProblemError): Answer {
  return { status: error.status, headers: {}, body: error.toJSON() };
}

/** Gives an answer, fresh or stored. Throws the stored problem. */
export function give<R extends object>(reply: R, answer: Answer): R {
  if (answer.status >= 400) {
    const { code, ...options } = answer.body as ReturnType<ProblemError['toJSON']>;
    throw new ProblemError(code, options);
  }
  // The body was built by the view that the route declares, and is checked against it by the serializer.
  const { status, headers, body } = answer;
  (reply as unknown as FastifyReply)
    .code(status)
    .headers(headers)
    .send(body ?? undefined);
  return reply;
}

async function claim(
  db: Database,
  keyed: KeyedRequest,
): Promise<Extract<Known, { kind: 'mine' }> | { answer: Answer }> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const known = await claimRequest(db, keyed, LEASE_MS);
    if (known.kind === 'mine') return known;
    if (known.kind !== 'running' || Date.now() + POLL_MS > deadline) return { answer: settled(known) };
    await sleep(POLL_MS);
  }
}

function settled(known: Exclude<Known, { kind: 'mine' }>): Answer {
  if (known.kind === 'answered') return known.answer;
  throw new ProblemError(known.kind === 'reused' ? 'idempotency_key_reused' : 'idempotency_in_flight');
}
