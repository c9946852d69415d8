/**
 * Requests with an Idempotency-Key and what was answered to them, for 24 hours per account or staff person.
 *
 * A write that is only a transaction records itself in that transaction: a repeat waits on the primary key.
 * A write that goes through a workflow is claimed with a lease before it starts: a repeat looks for the answer,
 * and takes over where the first has died, with the same operation id.
 */
import { and, eq, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { PgInsertValue } from 'drizzle-orm/pg-core';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { prepared } from './prepared.ts';
import { idempotencyRecords } from './schema.ts';

export interface KeyedRequest {
  /** The account or staff person. */
  scope: string;
  key: string;
  /** SHA-256 of method, path and body. */
  fingerprint: string;
}

export interface StoredAnswer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

/** What is known of a request: nothing yet, so go on; its answer; that it still runs; another request's key. */
export type Known =
  | { kind: 'mine'; operationId: string; resumed: boolean }
  | { kind: 'answered'; answer: StoredAnswer }
  | { kind: 'running' }
  | { kind: 'reused' };

const t = idempotencyRecords;
const expired = sql`${t.createdAt} < now() - interval '24 hours'`;
const is = ({ scope, key }: KeyedRequest) => and(eq(t.scope, scope), eq(t.key, key));

/** The answer to a request that was made before; `running` where there is none yet, null where it is new. */
export async function findRequest(
  db: Database | Transaction,
  request: KeyedRequest,
): Promise<Exclude<Known, { kind: 'mine' }> | null> {
  const [record] = await db
    .select()
    .from(t)
    .where(and(is(request), sql`not ${expired}`));
  if (!record) return null;
  if (record.fingerprint !== request.fingerprint) return { kind: 'reused' };
  if (record.status === null) return { kind: 'running' };
  return {
    kind: 'answered',
    answer: { status: record.status, headers: record.headers ?? {}, body: record.body },
  };
}

/**
 * Records a request in the transaction that carries it out. Waits for one with the same key that is under
 * way, at most the connection's `lock_timeout`.
 */
export async function recordRequest(tx: Transaction, request: KeyedRequest): Promise<Known> {
  const operationId = newId('op');
  const [mine] = await insertOrTakeOver(tx, { ...request, operationId, lockedUntil: null }, expired);
  return knownAs(tx, request, operationId, mine);
}

/**
 * Claims a request for `leaseMs`: whoever holds the lease carries it out. One whose lease ran out without an
 * answer is taken over with its operation id, and `resumed` says so: it may have taken effect already.
 */
export async function claimRequest(db: Database, request: KeyedRequest, leaseMs: number): Promise<Known> {
  const operationId = newId('op');
  const [mine] = await claim(db).execute({ ...request, operationId, leaseMs });
  return knownAs(db, request, operationId, mine);
}

const claim = prepared((db) => {
  const abandoned = sql`(${t.status} is null and ${t.fingerprint} = excluded.fingerprint
    and (${t.lockedUntil} is null or ${t.lockedUntil} < now()))`;
  return insertOrTakeOver(
    db,
    {
      scope: sql.placeholder('scope'),
      key: sql.placeholder('key'),
      fingerprint: sql.placeholder('fingerprint'),
      operationId: sql.placeholder('operationId'),
      lockedUntil: sql`now() + ${sql.placeholder('leaseMs')} * interval '1 millisecond'`,
    },
    sql`(${expired} or ${abandoned})`,
  ).prepare('claim_request');
});

/** Stores the answer of a request. The first one stands: it is returned. */
export async function answerRequest(
  db: Database | Transaction,
  request: KeyedRequest,
  answer: StoredAnswer,
): Promise<StoredAnswer> {
  const stored = await db
    .update(t)
    .set({ ...answer, lockedUntil: null })
    .where(and(is(request), isNull(t.status)))
    .returning({ status: t.status });
  if (stored.length > 0) return answer;
  const known = await findRequest(db, request);
  return known?.kind === 'answered' ? known.answer : answer;
}

/** Remembers what the first try of a request saw, and returns that at each try. */
export async function rememberSeen<T>(db: Database, request: KeyedRequest, now: T): Promise<T> {
  const [record] = await remember(db).execute({ ...request, now: JSON.stringify(now) });
  return (record?.seen ?? now) as T;
}

const remember = prepared((db) =>
  db
    .update(t)
    .set({ seen: sql`coalesce(${t.seen}, ${sql.placeholder('now')}::jsonb)` })
    .where(and(eq(t.scope, sql.placeholder('scope')), eq(t.key, sql.placeholder('key'))))
    .returning({ seen: t.seen })
    .prepare('remember_seen'),
);

/**
 * Ends the lease without an answer: the next request with the key carries on the same operation at once. Also
 * where another has taken over already: one operation id makes them one.
 */
export async function releaseRequest(db: Database, request: KeyedRequest): Promise<void> {
  await db
    .update(t)
    .set({ lockedUntil: null })
    .where(and(is(request), isNull(t.status)));
}

/** Deletes records that no longer count, a batch at a time. Returns how many. */
export async function deleteExpiredIdempotencyRecords(db: Database, batch = 5_000): Promise<number> {
  const old = db
    .select({ scope: t.scope, key: t.key })
    .from(t)
    .where(lt(t.createdAt, sql`now() - interval '24 hours'`))
    .limit(batch);
  const deleted = await db
    .delete(t)
    // Expired still: whoever used the key again meanwhile has renewed it.
    .where(and(expired, sql`(${t.scope}, ${t.key}) in ${old}`))
    .returning({ key: t.key });
  return deleted.length;
}

/** Inserts the record, or takes over the one there is where `takeOver` allows it; otherwise returns no row. */
function insertOrTakeOver(db: Database | Transaction, record: PgInsertValue<typeof t>, takeOver: SQL) {
  return db
    .insert(t)
    .values(record)
    .onConflictDoUpdate({
      target: [t.scope, t.key],
      set: {
        fingerprint: sql`excluded.fingerprint`,
        operationId: sql`case when ${expired} then excluded.operation_id else ${t.operationId} end`,
        seen: sql`case when ${expired} then null else ${t.seen} end`,
        status: null,
        headers: null,
        body: null,
        lockedUntil: sql`excluded.locked_until`,
        createdAt: sql`case when ${expired} then now() else ${t.createdAt} end`,
      },
      setWhere: takeOver,
    })
    .returning({ operationId: t.operationId });
}

/** What is known now: `mine` is the record where it was inserted or taken over. */
async function knownAs(
  db: Database | Transaction,
  request: KeyedRequest,
  operationId: string,
  mine: { operationId: string } | undefined,
): Promise<Known> {
  if (mine) {
    return { kind: 'mine', operationId: mine.operationId, resumed: mine.operationId !== operationId };
  }
  // Not ours and not to be found: it expired this very moment. The next try gets it.
  return (await findRequest(db, request)) ?? { kind: 'running' };
}
