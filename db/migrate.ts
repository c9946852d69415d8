import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import type { Config } from '../contract/config.ts';
import { openDatabase } from './client.ts';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from './errors.ts';

/** An arbitrary number that means "migrating"; two processes that start together take turns. */
const MIGRATION_LOCK = 7_264_021;

/**
 * How long one try waits for the lock of a table, and how long tries are made. Whoever writes queues behind a
 * migration that waits, so it waits shortly, gives way, and comes again.
 */
const LOCK_WAIT = '3s';
const TRY_MS = 120_000;
const PAUSE_MS = 2_000;

const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url));

/** Brings the database to this release. Does nothing where it is there already. */
export async function migrateDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL'>,
  migrationsFolder = MIGRATIONS,
): Promise<void> {
  // One connection, so that the session's lock covers the migration.
  const db = openDatabase(config, { name: 'migrate', max: 1, unbounded: true });
  try {
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await db.execute(sql`select set_config('lock_timeout', ${LOCK_WAIT}, false)`);
    await untilUnlocked(() =>
      migrate(db, {
        migrationsFolder,
        migrationsTable: 'migrations',
        migrationsSchema: 'public',
      }),
    );
  } finally {
    await db.close();
  }
}

async function untilUnlocked(work: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + TRY_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE || Date.now() > deadline) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
