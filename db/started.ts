/** Which attempts are known to have a workflow: what the sweeper goes by. */
import { and, count, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import { LIVE_STATUSES } from '../contract/number.ts';
import type { Database } from './client.ts';
import type { NumberRow } from './number-row.ts';
import { numbers } from './schema.ts';

const live = inArray(numbers.status, [...LIVE_STATUSES]);
const started = and(live, sql`${numbers.startedAttempt} >= ${numbers.attempt}`);
/** Live numbers whose workflow is not known to have started. */
export const unstarted = and(live, sql`${numbers.startedAttempt} < ${numbers.attempt}`);

/** Notes that the workflow of this attempt was started. */
export async function markStarted(db: Database, number: Pick<NumberRow, 'id' | 'attempt'>): Promise<void> {
  await db
    .update(numbers)
    .set({ startedAttempt: number.attempt })
    .where(and(eq(numbers.id, number.id), lt(numbers.startedAttempt, number.attempt)));
}

/** Live numbers whose workflow is not known to have started, oldest first: what a crash left behind. */
export async function unstartedNumbers(db: Database, limit: number): Promise<NumberRow[]> {
  return db.select().from(numbers).where(unstarted).orderBy(numbers.id).limit(limit);
}

/** A page of live numbers whose workflow was started, in order of id, after the given one. */
export async function startedNumbers(db: Database, after: string, limit: number): Promise<NumberRow[]> {
  return db
    .select()
    .from(numbers)
    .where(and(started, gt(numbers.id, after)))
    .orderBy(numbers.id)
    .limit(limit);
}

/** How many live numbers should have a running workflow. */
export async function countStarted(db: Database): Promise<number> {
  const [row] = await db.select({ count: count() }).from(numbers).where(started);
  return row?.count ?? 0;
}

/** The number as it is now, or null. */
export async function findNumber(db: Database, id: string): Promise<NumberRow | null> {
  const [row] = await db.select().from(numbers).where(eq(numbers.id, id));
  return row ?? null;
}

/** The numbers of these ids as they are now. */
export async function findNumbers(db: Database, ids: string[]): Promise<NumberRow[]> {
  // One parameter, however many.
  return db
    .select()
    .from(numbers)
    .where(sql`${numbers.id} = any(${sql.param(ids)}::text[])`);
}
