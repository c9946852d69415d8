/** Deliveries as customers look at them, and their replay. */
import { and, asc, desc, eq, getTableColumns, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { DeliveryState, StoredType } from '../contract/deliveries.ts';
import { firstUuid, idOf, timeOfId, uuidOf } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { daysAround, KEPT_DAYS } from './partitions.ts';
import { cut, type Page } from './read.ts';
import { deliveries, events, numbers } from './schema.ts';

const t = deliveries;
type Row = typeof t.$inferSelect;
export interface Delivery {
  row: Row;
  type: StoredType;
}

const EVENT = and(eq(events.id, t.id), eq(events.day, t.day));
const DAY_MS = 24 * 3_600_000;
/** Of a state; without one, whatever was not taken. That is said of each such state, too, for the index. */
const notTaken = sql`${t.state} in ('pending', 'failed')`;
const standsSo = (state: DeliveryState | undefined) =>
  state === 'delivered' ? eq(t.state, state) : and(notTaken, state && eq(t.state, state));
/** Made since a time, as the id tells, by which the index ends; and no longer ago than events are sure to be kept. */
const madeSince = (since: Date | undefined) =>
  gte(t.id, firstUuid(Math.max(since?.getTime() ?? 0, Date.now() - KEPT_DAYS * DAY_MS)));

/** A number's deliveries, newest first, from before the id `before`: those since a time, of a state, or all. */
export async function listDeliveries(
  db: Database,
  numberId: string,
  page: {
    state?: DeliveryState | undefined;
    since?: Date | undefined;
    before: string | null;
    limit: number;
  },
): Promise<Page<Delivery, string>> {
  // The page first, then its events: there are more of these than a planner likes to look up.
  const rows = db
    .select()
    .from(t)
    .where(
      and(
        eq(t.numberId, numberId),
        page.state && standsSo(page.state),
        madeSince(page.since),
        page.before === null ? undefined : lt(t.id, page.before),
      ),
    )
    .orderBy(desc(t.id))
    .limit(page.limit + 1)
    .as('page');
  const found = await db
    .select({ row: rows._.selectedFields, type: events.type })
    .from(rows)
    .innerJoin(events, and(eq(events.id, rows.id), eq(events.day, rows.day)))
    .orderBy(desc(rows.id));
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
    .select({ row: getTableColumns(t), type: events.type })
    .from(t)
    .innerJoin(events, EVENT)
    .innerJoin(numbers, and(eq(numbers.id, t.numberId), eq(numbers.accountId, accountId)))
    .where(and(eq(t.id, uuid), daysAround(uuid, t.day)));
  return found ?? null;
}

/**
 * Sends a delivery again, whatever came of it, from the start of the schedule and with the same `webhook-id`. One that
 * is pending is due now.
 */
export async function replayDelivery(tx: Transaction, { row }: Delivery): Promise<void> {
  await replay(tx, sql`${t.id} = ${row.id} and ${t.day} = ${row.day}`);
}

/** Deliveries that one call looks at. */
export const REPLAY_LIMIT = 10_000;

export interface Chosen {
  id: string;
  day: string;
  targetId: string;
}

/**
 * What a number has since a time, the oldest first, `limit` at the most: deliveries of a state, or all that were not
 * taken; and the time to go on from where there are more. Nobody else changes these until the transaction ends.
 */
export async function deliveriesToReplay(
  tx: Transaction,
  numberId: string,
  { since, state, limit }: { since: Date; state?: DeliveryState | undefined; limit: number },
): Promise<{ chosen: Chosen[]; next: Date | null }> {
  const found = await tx
    .select({ id: t.id, day: t.day, targetId: t.targetId })
    .from(t)
    .where(and(eq(t.numberId, numberId), madeSince(since), standsSo(state)))
    .orderBy(asc(t.id))
    .limit(limit + 1)
    // What is tried in this very moment: waiting for it could be waiting for each other.
    .for('update', { skipLocked: true });
  const beyond = found[limit];
  return { chosen: found.slice(0, limit), next: beyond ? new Date(timeOfId(idOf('dlv', beyond.id))) : null };
}

/** Sends these again, as `replayDelivery`. */
export async function replayDeliveries(tx: Transaction, chosen: Chosen[]): Promise<void> {
  const ids = sql.param(chosen.map(({ id }) => id));
  const days = sql.param(chosen.map(({ day }) => day));
  await replay(tx, sql`(${t.id}, ${t.day}) in (select * from unnest(${ids}::uuid[], ${days}::date[]))`);
}

async function replay(tx: Transaction, which: SQL): Promise<void> {
  await tx.execute(sql`
    with due as (
      update ${t} set state = 'pending', tries = 0, next_at = now(), settled_at = null where ${which} returning target_id
    )
    select graphile_worker.add_job('forward', json_build_object('targets', json_agg(distinct target_id)))
    from due having count(*) > 0`);
}
