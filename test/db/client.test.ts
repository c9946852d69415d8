import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../db/client.ts';
import { sqlStateOf } from '../../db/errors.ts';
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
