/** What was not taken is found among so much that was. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeliveryState } from '../../contract/deliveries.ts';
import { firstUuid } from '../../contract/ids.ts';
import type { Database } from '../../db/client.ts';
import { deliveriesToReplay, listDeliveries } from '../../db/deliveries.ts';
import { acceptNumber } from '../support/accepted.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
let numberId: string;
const SINCE = new Date(Date.now() - 3_600_000);
const TAKEN = 200_000;

beforeAll(async () => {
  database = await createTestDatabase();
  const { id } = await createAccount(database.db);
  numberId = (await acceptNumber(database.db, id, { status: 'APPROVED' })).id;
  const add = (state: DeliveryState, count: number, after: number) =>
    database.db.execute(sql`
      insert into deliveries (id, day, target_id, number_id, conversation, state)
      select (left(${firstUuid(SINCE.getTime() + after)}, 24) || lpad(to_hex(n), 12, '0'))::uuid,
        (now() at time zone 'UTC')::date, ${numberId}, ${numberId}, 1, ${state}
      from generate_series(1, ${count}::int) n`);
  await add('delivered', TAKEN, 1);
  await add('failed', 3, 2);
  await add('pending', 2, 3);
  await add('delivered', TAKEN, 4);
  await database.db.execute(sql`analyze deliveries`);
}, 120_000);
afterAll(() => database.drop());

/** Rows that were looked at. */
async function lookedAt(work: (tx: Database) => Promise<unknown>): Promise<number> {
  return database.db.transaction(async (tx) => {
    await work(tx as unknown as Database);
    const { rows } = await tx.execute<{ count: number }>(sql`
      select sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::int as count from pg_stat_xact_user_tables
      where relname like 'deliveries%'`);
    return rows[0]?.count ?? Number.NaN;
  });
}

test.each(['pending', 'failed', undefined] as const)('a replay of what is %s', async (state) => {
  const looked = await lookedAt(async (tx) => {
    const { chosen } = await deliveriesToReplay(tx as never, numberId, {
      since: SINCE,
      state,
      limit: 10_000,
    });
    expect(chosen).toHaveLength({ pending: 2, failed: 3, none: 5 }[state ?? 'none']);
  });
  expect(looked).toBeLessThan(100);
});

test.each(['pending', 'failed'] as const)('a page of what is %s', async (state) => {
  const looked = await lookedAt((tx) => listDeliveries(tx, numberId, { state, before: null, limit: 50 }));
  expect(looked).toBeLessThan(100);
});

test('what was taken is found, too', async () => {
  const looked = await lookedAt(async (tx) => {
    const state = 'delivered';
    const { chosen } = await deliveriesToReplay(tx as never, numberId, { since: SINCE, state, limit: 10 });
    expect(chosen).toHaveLength(10);
  });
  expect(looked).toBeGreaterThan(10);
});
