/** How the process that forwards begins and ends. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveries } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { dropFailedJobs, dropStaleJobs } from '../../delivery/old-jobs.ts';
import { until } from '../../dev/until.ts';
import { type Customer, startCustomer } from '../support/customer.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { connectWaba, messageUpdate, numberAtMeta, startForwarding } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
let customer: Customer;
let accountId: string;
let waba: Awaited<ReturnType<typeof connectWaba>>;

beforeAll(async () => {
  database = await createTestDatabase();
  customer = await startCustomer();
  accountId = (await createAccount(database.db)).id;
  waba = await connectWaba(database.db, accountId);
});
afterAll(async () => {
  await customer.close();
  await database.drop();
});

const eventually = (holds: () => boolean | Promise<boolean>) =>
  until(async () => expect(await holds()).toBe(true), AbortSignal.timeout(8_000));
const numberAt = (path: string) =>
  numberAtMeta(database.db, accountId, waba.id, { incomingUrl: customer.url(path) });
const stateOf = async (numberId: string) =>
  (await database.db.select().from(deliveries).where(eq(deliveries.numberId, numberId))).map(
    ({ state }) => state,
  );

test('when it ends it begins no delivery more, whatever round is under way', async () => {
  const number = await numberAt('/ending');
  let stopped: Promise<void> | undefined;
  await database.db.transaction(async (tx) => {
    // Partitions are made at the beginning, which waits for this.
    await tx.execute(sql`select pg_advisory_xact_lock(7264025)`);
    const forwarding = await startForwarding(database, { SAMPLE_ENDPOINT: customer.endpoint });
    await storeUpdates(database.db, [messageUpdate(waba, number)]);
    await eventually(async () => (await stateOf(number.id))[0] === 'delivered');
    stopped = forwarding.stop();
    await eventually(async () => {
      const { rows } = await database.db.execute(sql`
        select from pg_stat_activity where datname = current_database() and application_name = 'delivery jobs'`);
      return rows.length === 0;
    });
    await storeUpdates(database.db, [messageUpdate(waba, number)]);
  });
  await stopped;
  expect((await stateOf(number.id)).toSorted()).toEqual(['delivered', 'pending']);
  expect(customer.at('/ending')).toHaveLength(1);
});

test('what is due is sent though its jobs are dropped, which are those that nobody needs', async () => {
  const { db } = database;
  const number = await numberAt('/stale');
  await storeUpdates(db, [messageUpdate(waba, number)]);
  await db.execute(sql`
    insert into graphile_worker._private_jobs (task_id, payload)
    select id, '{"targets":[]}' from graphile_worker._private_tasks, generate_series(1, 25000)
    where identifier = 'forward'`);
  await db.execute(sql`select graphile_worker.add_job('work-off', '{}')`);
  const jobs = async () => {
    const { rows } = await db.execute<{ task: string; count: number }>(sql`
      select task_identifier as task, count(*)::int as count from graphile_worker.jobs group by 1`);
    return rows;
  };
  await dropStaleJobs(db, new AbortController().signal);
  expect(await jobs()).toEqual([{ task: 'work-off', count: 1 }]);
  await db.execute(sql`delete from graphile_worker._private_jobs`);
  const forwarding = await startForwarding(database, { SAMPLE_ENDPOINT: customer.endpoint });
  await eventually(async () => (await stateOf(number.id))[0] === 'delivered');
  await forwarding.stop();
});

test('a clock behind that of the database delays nothing', async () => {
  const number = await numberAt('/late');
  const now = () => new Date(Date.now() - 10 * 60_000);
  const forwarding = await startForwarding(database, { SAMPLE_ENDPOINT: customer.endpoint }, { now });
  await storeUpdates(database.db, [messageUpdate(waba, number)]);
  await eventually(async () => (await stateOf(number.id))[0] === 'delivered');
  await forwarding.stop();
});

test('jobs that have used up their tries are kept for 30 days', async () => {
  const { db } = database;
  for (const days of [29, 31]) {
    await db.execute(
      sql`select graphile_worker.add_job('work-off', json_build_object('days', ${days}::int))`,
    );
  }
  await db.execute(sql`alter table graphile_worker._private_jobs disable trigger user`);
  await db.execute(sql`
    update graphile_worker._private_jobs set attempts = max_attempts,
      updated_at = now() - make_interval(days => (payload ->> 'days')::int)`);
  await db.execute(sql`select graphile_worker.add_job('work-off', '{"days":0}')`);
  await dropFailedJobs(db);
  const { rows } = await db.execute(sql`
    select (payload ->> 'days')::int as days from graphile_worker._private_jobs order by 1`);
  expect(rows).toEqual([{ days: 0 }, { days: 29 }]);
});
