/**
 * Brings a database to this release, beside the previous one that reads and writes meanwhile. Each migration is a
 * transaction of its own; indexes of tables that are there already are built and dropped after it, concurrently, because
 * otherwise nobody could write for as long as that takes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import { Logger, runMigrations } from 'graphile-worker';
import type { Config } from '../contract/config.ts';
import { LOCKS } from './advisory-locks.ts';
import { type Database, openDatabase } from './client.ts';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from './errors.ts';
import { type Steps, stepsOf } from './migration-steps.ts';

const TURN_PAUSE_MS = 200;

/**
 * How long one try waits for the lock of a table, and how long tries are made. Whoever writes queues behind a
 * migration that waits, so it waits shortly, gives way, and comes again.
 */
const LOCK_WAIT = '3s';
const TRY_MS = 120_000;
const PAUSE_MS = 2_000;

const silent = new Logger(() => () => {});

const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url));

/** Does nothing where the database is there already. */
export async function migrateDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL'>,
  migrationsFolder = MIGRATIONS,
): Promise<void> {
  // One connection, so that the session's lock covers the migration.
  const db = openDatabase(config, { name: 'migrate', max: 1, unbounded: true });
  try {
    await takeTurn(db);
    const done = await doneSoFar(db);
    for (const migration of readMigrationFiles({ migrationsFolder })) {
      const steps = stepsOf(migration.sql);
      if (migration.folderMillis > done.last) await untilUnlocked(() => change(db, migration, steps));
      else if (!done.unindexed.has(migration.folderMillis)) continue;
      await index(db, migration, steps);
    }
    // The queue's own tables, which statements of ours add jobs to.
    await runMigrations({ connectionString: config.DATABASE_URL, logger: silent });
  } finally {
    await db.close();
  }
}

/** Asks again and again instead of waiting in one statement: an index would wait for that statement to end. */
async function takeTurn(db: Database): Promise<void> {
  for (;;) {
    const { rows } = await db.execute<{ taken: boolean }>(
      sql`select pg_try_advisory_lock(${LOCKS.migration}) as taken`,
    );
    if (rows[0]?.taken) return;
    await sleep(TURN_PAUSE_MS);
  }
}

/** The latest migration, and those whose indexes are still to be built. */
async function doneSoFar(db: Database): Promise<{ last: number; unindexed: Set<number> }> {
  await db.execute(
    sql`create table if not exists migrations (id serial primary key, hash text not null, created_at bigint)`,
  );
  await db.execute(
    sql`alter table migrations add column if not exists indexed boolean not null default true`,
  );
  const { rows } = await db.execute<{ at: string; indexed: boolean }>(
    sql`select created_at as at, indexed from migrations`,
  );
  return {
    last: Math.max(0, ...rows.map(({ at }) => Number(at))),
    unindexed: new Set(rows.flatMap(({ at, indexed }) => (indexed ? [] : [Number(at)]))),
  };
}

async function change(db: Database, { hash, folderMillis }: MigrationMeta, steps: Steps): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('lock_timeout', ${LOCK_WAIT}, true)`);
    for (const statement of steps.changes) await tx.execute(sql.raw(statement));
    await tx.execute(
      sql`insert into migrations (hash, created_at, indexed) values (${hash}, ${folderMillis}, ${steps.indexes.length === 0})`,
    );
  });
}

/** Can be repeated: what an interrupted one left is begun anew. */
async function index(db: Database, { folderMillis }: MigrationMeta, { indexes }: Steps): Promise<void> {
  if (indexes.length === 0) return;
  const names = sql.param(indexes.map(({ name }) => name));
  const { rows: invalid } = await db.execute<{ name: string }>(
    sql`select relname as name from pg_index join pg_class on oid = indexrelid
      where not indisvalid and relname = any (${names}::text[])`,
  );
  for (const { name } of invalid) {
    await db.execute(sql`drop index concurrently if exists ${sql.identifier(name)}`);
  }
  for (const { statement } of indexes) await db.execute(sql.raw(statement));
  await db.execute(sql`update migrations set indexed = true where created_at = ${folderMillis}`);
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
