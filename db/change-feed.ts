/**
 * The change feed: which numbers and claims have changed and what was said, for those who follow them. It is read below
 * the oldest transaction under way: what commits later is further on. See docs/decisions/0023-the-stream-reads-a-table.md.
 */
import { and, eq, sql } from 'drizzle-orm';
import { liveClaim } from './claims.ts';
import type { Database } from './client.ts';
import { type Tenant, withAccount } from './read.ts';
import { changeFeed, claims, numberEvents, numbers, people } from './schema.ts';

/** A place in the feed. What is after it has a greater transaction id, or the same one and a greater `seq`. */
export interface Place {
  txid: bigint;
  seq: number;
  /** When that was, in milliseconds since 1970. */
  at: number;
}

export interface Change {
  place: Place;
  numberId: string;
  accountId: string;
  kind: 'number' | 'claim' | 'comment';
  /** What was said, in the timeline; null for the other kinds. */
  eventId: string | null;
}

/** Rows are kept a little longer than a place counts: a row has the time at which its transaction began. */
const KEPT = sql`interval '25 hours'`;

/** Where the feed ends now, and the id that the next transaction gets. */
export async function endOfFeed(db: Database): Promise<{ end: Place; nextTxid: bigint }> {
  const { rows } = await db.execute<{ xmin: string; xmax: string }>(sql`
    select pg_snapshot_xmin(now)::text as xmin, pg_snapshot_xmax(now)::text as xmax
    from pg_current_snapshot() as now`);
  const [row] = rows;
  if (!row) throw new Error('PostgreSQL told no snapshot');
  return { end: endAt(row.xmin), nextTxid: BigInt(row.xmax) };
}

/**
 * The changes after a place, `limit` at the most, of one account or of all; and the place to go on from. `more`: there
 * were as many as the limit.
 */
export async function readChanges(
  db: Database,
  after: Place,
  { tenant, limit }: { tenant: Tenant; limit: number },
): Promise<{ changes: Change[]; next: Place; more: boolean }> {
  const { rows } = await db.execute<{
    xmin: string;
    txid: string | null;
    seq: string;
    at: string;
    number_id: string;
    account_id: string;
    kind: Change['kind'];
    event_id: string | null;
  }>(sql`
    select pg_snapshot_xmin(now)::text as xmin, feed.txid::text, feed.seq, feed.at, number_id, account_id, kind,
      event_id
    from pg_current_snapshot() as now
    left join lateral (
      select txid, seq, (extract(epoch from at) * 1000)::bigint as at, number_id, account_id, kind, event_id
      from ${changeFeed}
      where (txid, seq) > (${String(after.txid)}::xid8, ${after.seq}::bigint) and txid < pg_snapshot_xmin(now)
        and ${tenant === null ? sql`true` : eq(changeFeed.accountId, tenant)}
      order by txid, seq limit ${limit}
    ) as feed on true
    order by feed.txid, feed.seq`);
  const changes = rows.flatMap(({ txid, seq, at, number_id, account_id, kind, event_id }): Change[] =>
    txid === null
      ? []
      : [
          {
            place: { txid: BigInt(txid), seq: Number(seq), at: Number(at) },
            numberId: number_id,
            accountId: account_id,
            kind,
            eventId: event_id,
          },
        ],
  );
  const more = changes.length === limit;
  const last = changes.at(-1);
  return { changes, more, next: more && last ? last.place : endAt(rows[0]?.xmin ?? '0') };
}

/** After all that had a smaller transaction id: `seq` counts from 1. */
function endAt(xmin: string): Place {
  return { txid: BigInt(xmin), seq: 0, at: Date.now() };
}

/** Numbers with their accounts' names, as the list reads them. */
export async function numbersById(db: Database, ids: string[]) {
  return withAccount(db).where(sql`${numbers.id} = any(${sql.param(ids)})`);
}

/** Events of timelines. */
export async function timelineEvents(db: Database, ids: string[]) {
  return db
    .select()
    .from(numberEvents)
    .where(sql`${numberEvents.id} = any(${sql.param(ids)})`);
}

/** The claims on numbers that count now. */
export async function claimsOn(db: Database, numberIds: string[]) {
  return db
    .select({
      numberId: claims.numberId,
      personId: claims.personId,
      name: people.name,
      expiresAt: claims.expiresAt,
    })
    .from(claims)
    .innerJoin(people, eq(people.id, claims.personId))
    .innerJoin(numbers, eq(numbers.id, claims.numberId))
    .where(and(sql`${claims.numberId} = any(${sql.param(numberIds)})`, liveClaim));
}

/** Deletes what nobody can ask for any more, a batch at a time. Returns how many. */
export async function deleteOldChanges(db: Database, batch = 10_000): Promise<number> {
  const { rowCount } = await db.execute(sql`
    delete from ${changeFeed} where seq = any(array(
      select seq from ${changeFeed} where at < now() - ${KEPT} order by at limit ${batch}
    ))`);
  return rowCount ?? 0;
}
