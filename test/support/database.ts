/** A fresh, migrated database for a test file, copied from a template that is migrated once. */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../../db/client.ts';
import { migrateDatabase } from '../../db/migrate.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL whose user may create databases. */
    databaseUrl: string;
  }
}

export interface TestDatabase {
  url: string;
  db: Database;
  /** Closes `db` and removes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** An arbitrary number that means "making the template". */
const TEMPLATE_LOCK = 7_264_022;

export async function createTestDatabase(): Promise<TestDatabase> {
  const admin = postgres(adminUrl(), { max: 1, onnotice: () => {} });
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  try {
    const template = await templateDatabase(admin);
    await admin`create database ${admin(name)} template ${admin(template)}`;
  } finally {
    await admin.end();
  }
  const url = withDatabase(name);
  const db = openDatabase({ DATABASE_URL: url, DATABASE_POOL: 8 }, { name: 'test' });
  const drop = async () => {
    await db.close();
    const admin = postgres(adminUrl(), { max: 1, onnotice: () => {} });
    await admin`drop database if exists ${admin(name)} with (force)`;
    await admin.end();
  };
  return { url, db, drop };
}

/** How many statements of the database wait for a lock. Not for a transaction, which sees what was when it asked first. */
export async function waitingForLocks(db: Database): Promise<number> {
  const { rows } = await db.execute(
    sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return rows.length;
}

/** The migrated template, made by whichever test file comes first. */
async function templateDatabase(admin: postgres.Sql): Promise<string> {
  const name = `template_${migrationsHash()}`;
  const building = `${name}_building`;
  await admin`select pg_advisory_lock(${TEMPLATE_LOCK})`;
  try {
    const [existing] = await admin`select 1 from pg_database where datname = ${name}`;
    if (existing) return name;
    await admin`drop database if exists ${admin(building)} with (force)`;
    await admin`create database ${admin(building)}`;
    await migrateDatabase({ DATABASE_URL: withDatabase(building), DATABASE_POOL: 2 });
    await admin`alter database ${admin(building)} rename to ${admin(name)}`;
    return name;
  } finally {
    await admin`select pg_advisory_unlock(${TEMPLATE_LOCK})`;
  }
}

function migrationsHash(): string {
  const folder = new URL('../../db/migrations/', import.meta.url);
  const hash = createHash('sha256');
  for (const file of readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()) {
    hash.update(readFileSync(new URL(file, folder)));
  }
  return hash.digest('hex').slice(0, 16);
}

function adminUrl(): string {
  const url = inject('databaseUrl') ?? process.env['TEST_DATABASE_URL'];
  if (!url) throw new Error('Set TEST_DATABASE_URL to a PostgreSQL whose user may create databases.');
  return url;
}

function withDatabase(name: string): string {
  const url = new URL(adminUrl());
  url.pathname = `/${name}`;
  return url.href;
}
