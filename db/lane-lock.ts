import { sql } from 'drizzle-orm';
import type { Database, Transaction } from './client.ts';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from './errors.ts';

/** Somebody else is sending this lane's emails. */
export class LaneBusyError extends Error {
  override name = 'LaneBusyError';
}

/**
 * Runs `work` while holding the lane's lock, which ends with the transaction, and so with the connection.
 * `stillHeld()` fails once the connection is lost: another process may then have the lane.
 * Throws `LaneBusyError` when there is no lock within `waitMs`, below the 15 s that a statement may take.
 */
export async function withLaneLock<T>(
  lockDb: Database,
  lane: string,
  waitMs: number,
  work: (stillHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + waitMs;
  const busy = () => new LaneBusyError(`The emails of ${lane} are being sent by another worker.`);
  let held = true;
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  // Bounds the wait for a connection and the lock together. A little later than `lock_timeout`.
  const timer = setTimeout(() => {
    held = false;
    reject(busy());
  }, waitMs + 250);

  const locked = lockDb.transaction(async (tx) => {
    if (!(await tryLock(tx, lane))) {
      const left = Math.floor(giveUpAt - performance.now());
      if (left <= 0) throw busy();
      await tx.execute(sql`select set_config('lock_timeout', ${`${left}ms`}, true)`);
      await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${lane}, 0))`);
    }
    if (!held) throw busy();
    clearTimeout(timer);
    return work(async () => {
      if (!held) throw new Error('The lock of the lane was lost.');
      await tx.execute(sql`select 1`);
    });
  });
  try {
    return await Promise.race([locked, gaveUp]);
  } catch (error) {
    throw sqlStateOf(error) === LOCK_NOT_AVAILABLE ? busy() : error;
  } finally {
    held = false;
    clearTimeout(timer);
  }
}

/** Mostly nobody else wants the lane: one round trip. */
async function tryLock(tx: Transaction, lane: string): Promise<boolean> {
  const [row] = await tx
    .select({ got: sql<boolean>`pg_try_advisory_xact_lock(hashtextextended(${lane}, 0))` })
    .from(sql`(select) as one`);
  return row?.got === true;
}
