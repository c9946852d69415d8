/** Deliveries as customers look at them, and their replay. */
import { and, desc, eq, getTableColumns, gte, lt, ne, type SQL, sql } from 'drizzle-orm';
import type { DeliveryState, StoredType } from '../contract/deliveries.ts';
import { uuidOf } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { cut, type Page } from './read.ts';
import { deliveries, events, numbers } from './schema.ts';

const t = deliveries;
type Row = typeof t.$inferSelect;
export interface Delivery {
  row: Row;
  type: StoredType;
  at: Date;
}

const EVENT = and(eq(events.id, t.id), eq(events.day, t.day));
/** Days from the event's to its arrival, of which its id tells: so many partitions can have it. */
const around = (uuid: string): SQL => {
  const arrived = sql`to_timestamp(('x' || left(replace(${uuid}, '-', ''), 12))::bit(48)::bigint / 1000.0)`;
  const day = sql`(${arrived} at time zone 'UTC')::date`;
  return sql`${t.day} between ${day} - 9 and ${day} + 2`;
};

/** A number's deliveries, newest first, from before the id `before`: those since a time, of a state, or all. */
export async function listDeliveries(
  db: Database,
  numberId: string,
  page: { state?: DeliveryState; since?: Date; before: string | null; limit: number },
): Promise<Page<Delivery, string>> {
  const found = await db
    .select({ row: getTableColumns(t), type: events.type, at: events.at })
    .from(t)
    .innerJoin(events, EVENT)
    .where(
      and(
        eq(t.numberId, numberId),
        page.state && eq(t.state, page.state),
        page.since && gte(t.createdAt, page.since),
        page.before === null ? undefined : lt(t.id, page.before),
      ),
    )
    .orderBy(desc(t.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, ({ row }) => row.id);
}

/** A delivery by its id `dlv_…`, or null: another account's answers like one that does not exist. */
export async function getDelivery(
  db: Database | Transaction,
  accountId: string,
  id: string,
): Promise<Delivery | null> {
  const uuid = uuidOf('dlv', id);
  if (uuid === null) return null;
  const [found] = await db
    .select({ row: getTableColumns(t), type: events.type, at: events.at })
    .from(t)
    .innerJoin(events, EVENT)
    .innerJoin(numbers, and(eq(numbers.id, t.numberId), eq(numbers.accountId, accountId)))
    .where(and(eq(t.id, uuid), around(uuid)));
  return found ?? null;
}

/**
 * Sends a delivery again, whatever came of it, from the start of the schedule and with the same `webhook-id`. One that
 * is pending is due now.
 */
export async function replayDelivery(tx: Transaction, { row }: Delivery): Promise<void> {
  await replay(tx, sql`${t.id} = ${row.id} and ${t.day} = ${row.day}`);
}

/** Replays of one call. */
const REPLAY_LIMIT = 10_000;

/**
 * Replays what a number has since a time, the oldest first, `REPLAY_LIMIT` at the most: those of a state, or all that
 * were not taken. Returns how many, and the time to go on from where there are more.
 */
export async function replayDeliveries(
  tx: Transaction,
  numberId: string,
  { since, state }: { since: Date; state?: DeliveryState },
): Promise<{ replayed: number; next: Date | null }> {
  const chosen = await tx
    .select({ id: t.id, day: t.day, createdAt: t.createdAt })
    .from(t)
    .where(
      and(
        eq(t.numberId, numberId),
        gte(t.createdAt, since),
        state ? eq(t.state, state) : ne(t.state, 'delivered'),
      ),
    )
    .orderBy(t.id)
    .limit(REPLAY_LIMIT + 1);
  const taken = chosen.slice(0, REPLAY_LIMIT);
  const ids = sql.param(taken.map(({ id }) => id));
  const days = sql.param(taken.map(({ day }) => day));
  await replay(tx, sql`(${t.id}, ${t.day}) in (select * from unnest(${ids}::uuid[], ${days}::date[]))`);
  return { replayed: taken.length, next: chosen[REPLAY_LIMIT]?.createdAt ?? null };
}

async function replay(tx: Transaction, which: SQL): Promise<void> {
  await tx.execute(sql`
    with due as (
      update ${t} set state = 'pending', tries = 0, next_at = now(), settled_at = null where ${which} returning target_id
    )
    select graphile_worker.add_job('forward', json_build_object('targets', json_agg(distinct target_id)))
    from due having count(*) > 0`);
}
