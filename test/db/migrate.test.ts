/** Migrations beside the previous release: whoever reads and writes meanwhile hardly waits. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { migrateDatabase } from '../../db/migrate.ts';
import { stepsOf } from '../../db/migration-steps.ts';
import { people, twoFactors } from '../../db/schema.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** Migrates by one file of the statements; repeated, the same file. */
function migration(...statements: string[]): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'migrations-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'meta'));
  writeFileSync(join(folder, 'probe.sql'), statements.join('--> statement-breakpoint\n'));
  const entry = { idx: 0, version: '7', when: Date.now(), tag: 'probe', breakpoints: true };
  const journal = { version: '7', dialect: 'postgresql', entries: [entry] };
  writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify(journal));
  return () => migrateDatabase({ DATABASE_URL: database.url, DATABASE_POOL: 2 }, folder);
}

const write = (key: string) =>
  database.db.execute(
    sql`insert into idempotency_records (scope, key, fingerprint, operation_id) values ('a', ${key}, 'c', 'd')`,
  );

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await database.db.execute(sql.raw(query))).rows;
}

/** A transaction that has done `work` and goes on until it is let end. */
async function open(work: string): Promise<{ end(): Promise<void> }> {
  const [done, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const transaction = database.db.transaction(async (tx) => {
    await tx.execute(sql.raw(work));
    done.resolve();
    await ended.promise;
  });
  await done.promise;
  return {
    end: async () => {
      ended.resolve();
      await transaction;
    },
  };
}

const untilItWaits = () =>
  expect
    .poll(() =>
      rows(
        `select from pg_stat_activity where datname = current_database() and application_name = 'migrate' and wait_event_type = 'Lock'`,
      ),
    )
    .toHaveLength(1);

test('a migration that waits for a table gives way to those who write to it', async () => {
  const migrate = migration('alter table idempotency_records add column probe integer');
  const reader = await open('select from idempotency_records');
  const migrated = migrate();
  await untilItWaits();
  // Waits behind the migration until that gives way; the reader still reads.
  await write('b');
  await Promise.all([reader.end(), migrated]);
  expect(await rows('select probe from idempotency_records')).toEqual([{ probe: null }]);
});

test('an index of a table that is there is built while others write to it', async () => {
  const migrate = migration(
    'CREATE TABLE "probe" ("id" integer)',
    'CREATE INDEX "probe_id" ON "probe" USING btree ("id")',
    'CREATE INDEX "idempotency_records_probe" ON "idempotency_records" USING btree ("fingerprint")',
    'DROP INDEX "idempotency_records_created"',
  );
  const writer = await open(
    `insert into idempotency_records (scope, key, fingerprint, operation_id) values ('a', 'b', 'c', 'd')`,
  );
  const migrated = migrate();
  await untilItWaits();
  // The index waits for the writer before, and nobody for the index.
  await database.db.transaction(async (tx) => {
    await tx.execute(sql`set local lock_timeout = '1ms'`);
    await tx.execute(sql`update idempotency_records set fingerprint = 'e'`);
  });
  await Promise.all([writer.end(), migrated]);
  const names = await rows(
    `select indexrelid::regclass::text as name from pg_index where indisvalid and indexrelid::regclass::text in
      ('probe_id', 'idempotency_records_probe', 'idempotency_records_created') order by name`,
  );
  expect(names).toEqual([{ name: 'idempotency_records_probe' }, { name: 'probe_id' }]);
});

test('an index that could not be built is built by the next try, and what went before is not done again', async () => {
  const migrate = migration(
    'alter table idempotency_records add column probe integer',
    'CREATE UNIQUE INDEX "idempotency_records_probe" ON "idempotency_records" USING btree ("fingerprint")',
  );
  await write('b');
  await write('c');
  await expect(migrate()).rejects.toThrow();
  const valid = () =>
    rows(`select indisvalid as valid from pg_index where indexrelid = 'idempotency_records_probe'::regclass`);
  expect(await valid()).toEqual([{ valid: false }]);
  await database.db.execute(sql`delete from idempotency_records where key = 'c'`);
  await migrate();
  expect(await valid()).toEqual([{ valid: true }]);
  await migrate();
});

test('two that migrate at the same time take turns', async () => {
  const migrate = migration(
    'CREATE TABLE "probe" ("id" integer)',
    'CREATE INDEX "idempotency_records_probe" ON "idempotency_records" USING btree ("fingerprint")',
  );
  await Promise.all([migrate(), migrate()]);
  expect(await rows(`select to_regclass('probe') as probe`)).toEqual([{ probe: 'probe' }]);
});

test('of several authenticator apps of a person, the one that codes were taken of is kept, else the newest', async () => {
  await database.db.execute(sql`drop index two_factors_per_person`);
  for (const id of ['used', 'begun']) {
    await database.db.insert(people).values({ id, name: id, email: `${id}@people.example` });
  }
  const app = (id: string, personId: string, verified: boolean, lastTimeStep: number | null) => ({
    id,
    personId,
    verified,
    lastTimeStep,
    secret: 's',
    backupCodes: 'b',
  });
  await database.db
    .insert(twoFactors)
    .values([
      app('two_1', 'used', true, null),
      app('two_2', 'used', true, 7),
      app('two_3', 'used', true, 6),
      app('two_4', 'used', false, 8),
      app('two_5', 'begun', false, null),
      app('two_6', 'begun', false, null),
    ]);
  const file = new URL('../../db/migrations/0014_one_app_per_person.sql', import.meta.url);
  const [deletes = '', creates = ''] = readFileSync(file, 'utf8').split('--> statement-breakpoint');
  await migration(deletes, creates)();
  expect(await rows('select id from two_factors order by id')).toEqual([{ id: 'two_2' }, { id: 'two_6' }]);
});

test('what drizzle-kit writes is told apart', () => {
  const created = '\nCREATE TABLE "probe" ("id" integer)';
  const own = '\nCREATE INDEX "probe_id" ON "probe" USING btree ("id")';
  const steps = stepsOf([
    created,
    own,
    '\n-- Why.\nCREATE UNIQUE INDEX "a" ON "numbers" USING btree ("id") WHERE "on" is not null',
    'DROP INDEX "b";',
  ]);
  expect(steps).toEqual({
    changes: [created, own],
    indexes: [
      {
        name: 'a',
        statement:
          'create UNIQUE index concurrently if not exists "a" ON "numbers" USING btree ("id") WHERE "on" is not null',
      },
      { name: 'b', statement: 'drop index concurrently if exists "b"' },
    ],
  });
});
