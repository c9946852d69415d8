import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import type { Config } from '../contract/config.ts';
import { openDatabase } from './client.ts';

/** An arbitrary number that means "migrating"; two processes that start together take turns. */
const MIGRATION_LOCK = 7_264_021;

/** Brings the database to this release. Does nothing where it is there already. */
export async function migrateDatabase(config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL'>): Promise<void> {
  // One connection, so that the session's lock covers the migration.
  const db = openDatabase(config, { name: 'migrate', max: 1, unbounded: true });
  try {
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await migrate(db, {
      migrationsFolder: fileURLToPath(new URL('./migrations', import.meta.url)),
      migrationsTable: 'migrations',
      migrationsSchema: 'public',
    });
  } finally {
    await db.close();
  }
}
