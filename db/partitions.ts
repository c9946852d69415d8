/** Partitions of events and deliveries: made ahead, and dropped whole when they are old. */
import { type AnyColumn, type SQL, sql } from 'drizzle-orm';
import { idOf, timeOfId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from './errors.ts';

/** Meta repeats for 7 days what we did not take: a day's partition may get rows for so long, and one more for clocks. */
const LATE_DAYS = 8;
/** Days ahead that partitions are made for: so long may the process be away that makes them. */
const AHEAD_DAYS = 14;
/** Days that what was told is kept, from its arrival. */
export const KEPT_DAYS = 30;
/** Whoever writes queues behind a drop that waits, so it waits shortly and comes again. */
const LOCK_WAIT = '300ms';
const DAY_MS = 24 * 3_600_000;
/** A row fits no partition, which is a violated check. */
const NO_PARTITION = '23514';

/** Makes what is missing around a day. */
export async function addPartitions(db: Database, now: Date): Promise<void> {
  const today = dayOf(now);
  await db.execute(
    sql`select add_partitions(${today}::date - ${LATE_DAYS}::int, ${today}::date + ${AHEAD_DAYS}::int)`,
  );
}

/** Does work that stores events. Where whoever makes partitions ahead has been away for long, makes them and does it again. */
export async function withPartitions<T>(db: Database, work: () => Promise<T>, now = new Date()): Promise<T> {
  return work().catch(async (error) => {
    if (sqlStateOf(error) !== NO_PARTITION) throw error;
    await addPartitions(db, now);
    return work();
  });
}

/** The same within a transaction, which could not go on after a failure: makes the partitions of these days first. */
export async function ensurePartitions(tx: Transaction, days: string[]): Promise<void> {
  await tx.execute(sql`
    select add_partitions(day, day) from unnest(${sql.param([...new Set(days)])}::date[]) as wanted (day)
    where to_regclass('events_' || to_char(day, 'YYYYMMDD')) is null`);
}

/** Drops partitions whose rows are all older than they are kept. Returns their names; what is busy is left for the next time. */
export async function dropOldPartitions(db: Database, now: Date): Promise<string[]> {
  const { rows } = await db.execute<{ name: string }>(sql`
    select part.relname as name from pg_inherits
    join pg_class part on part.oid = inhrelid
    join pg_class parent on parent.oid = inhparent
    where parent.relname in ('events', 'deliveries') and parent.relnamespace = current_schema()::regnamespace
      and to_date(right(part.relname, 8), 'YYYYMMDD') + case parent.relname when 'events' then 1 else 7 end
        <= ${dayOf(now)}::date - ${KEPT_DAYS + LATE_DAYS}::int
    order by name`);
  const dropped: string[] = [];
  for (const { name } of rows) {
    try {
      await db.transaction(async (tx) => {
        await tx.execute(sql`select set_config('lock_timeout', ${LOCK_WAIT}, true)`);
        await tx.execute(sql`drop table ${sql.identifier(name)}`);
      });
      dropped.push(name);
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      // Whoever holds one, such as a backup, mostly holds all, and with each try all webhooks wait.
      break;
    }
  }
  return dropped;
}

/** Days that an event can be of, by its UUID, which tells when it arrived: so few partitions can have it. */
export function daysAround(uuid: string, day: AnyColumn | SQL): SQL {
  const arrived = new Date(timeOfId(idOf('evt', uuid)));
  return sql`${day} between ${dayOf(arrived)}::date - ${LATE_DAYS + 1}::int and ${dayOf(arrived)}::date + 2`;
}

/** The day of a time that is not ours, but no further from ours than there are partitions. */
export function dayAround(at: Date, now: Date): string {
  const time = Math.min(Math.max(at.getTime(), now.getTime() - LATE_DAYS * DAY_MS), now.getTime() + DAY_MS);
  return dayOf(new Date(time));
}

/** A day in UTC, `YYYY-MM-DD`. */
function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** That a column is within the days of rows that are wanted anyway: other partitions are then not even planned for. */
export function daysOf(rows: { day: string }[], column: SQL): SQL {
  const days = rows.map(({ day }) => day).sort();
  return sql`${column} between ${days.at(0) ?? null}::date and ${days.at(-1) ?? null}::date`;
}
