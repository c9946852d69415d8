import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Database, openDatabase } from '../../db/client.ts';
import { sqlStateOf } from '../../db/errors.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
/** One connection, so that it shows whether it is the same. */
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ DATABASE_URL: database.url, DATABASE_POOL: 2 }, { name: 'one', max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

async function connection(): Promise<number> {
  const { rows } = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return rows[0]?.pid ?? 0;
}

test('work that fails rolls back and keeps the connection', async () => {
  const before = await connection();
  const failure = new Error('no');
  const failing = db.transaction(async (tx) => {
    await tx.execute(sql`create table undone ()`);
    throw failure;
  });
  await expect(failing).rejects.toBe(failure);
  const wrong = db.transaction((tx) => tx.execute(sql`select 1 / 0`));
  expect(sqlStateOf(await wrong.catch((error: unknown) => error))).toBe('22012');
  expect(await connection()).toBe(before);
  const { rows } = await db.execute<{ undone: string | null }>(sql`select to_regclass('undone') as undone`);
  expect(rows).toEqual([{ undone: null }]);
});

test('a connection that is lost in a transaction is replaced', async () => {
  const before = await connection();
  const lost = db.transaction(async (tx) => {
    await database.db.execute(sql`select pg_terminate_backend(${before})`);
    await tx.execute(sql`select 1`);
  });
  await expect(lost).rejects.toThrow();
  expect(await connection()).not.toBe(before);
});

test('a migration that waits for a table gives way to those who write to it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'migrations-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'meta'));
  writeFileSync(join(folder, 'probe.sql'), 'alter table idempotency_records add column probe integer');
  const entry = { idx: 0, version: '7', when: Date.now(), tag: 'probe', breakpoints: true };
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries: [entry] }),
  );
  const read = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<void>();
  const reader = database.db.transaction(async (tx) => {
    await tx.execute(sql`select from idempotency_records`);
    reading.resolve();
    await read.promise;
  });
  await reading.promise;
  const migrated = migrateDatabase({ DATABASE_URL: database.url, DATABASE_POOL: 2 }, folder);
  await expect
    .poll(async () => {
      const { rows } = await db.execute(
        sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length;
    })
    .toBe(1);
  // Waits behind the migration until that gives way; the reader still reads.
  await db.execute(
    sql`insert into idempotency_records (scope, key, fingerprint, operation_id) values ('a', 'b', 'c', 'd')`,
  );
  read.resolve();
  await Promise.all([reader, migrated]);
  expect((await db.execute(sql`select probe from idempotency_records`)).rows).toEqual([{ probe: null }]);
});
