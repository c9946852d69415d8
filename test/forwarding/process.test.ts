/** The process that forwards, killed and doubled. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveries } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { until } from '../../dev/until.ts';
import { type Customer, startCustomer } from '../support/customer.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { connectWaba, messageUpdate, numberAtMeta } from '../support/forwarding.ts';
import { startDelivery } from '../support/processes.ts';
import { AUTH_SECRET, createAccount } from '../support/stack.ts';

let database: TestDatabase;
let customer: Customer;
let accountId: string;
let waba: { id: string; wabaId: string };
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  customer = await startCustomer();
  accountId = (await createAccount(database.db)).id;
  waba = await connectWaba(database.db, accountId);
  env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    DATABASE_URL: database.url,
    AUTH_SECRET,
    SAMPLE_ENDPOINT: customer.endpoint,
    SHUTDOWN_GRACE_SECONDS: '5',
  };
});
afterAll(async () => {
  await customer.close();
  await database.drop();
});

const eventually = (holds: () => boolean | Promise<boolean>) =>
  until(async () => expect(await holds()).toBe(true), AbortSignal.timeout(40_000));
const textOf = ({ body }: { body: string }): string => JSON.parse(body).data.meta.messages[0].text.body;
const metric = async (url: string, name: string) =>
  Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(url)).text())?.[1]);

async function numberAt(path: string) {
  customer.answer(path, async (response) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    response.end();
  });
  return numberAtMeta(database.db, accountId, waba.id, { incomingUrl: customer.url(path) });
}
type Number_ = Awaited<ReturnType<typeof numberAt>>;

/** 20 webhooks of 20 messages in 4 conversations. */
async function tell(number: Number_, from: number): Promise<void> {
  for (let webhook = 0; webhook < 20; webhook++) {
    const all = Array.from({ length: 20 }, (_, n) => from + webhook * 20 + n);
    await storeUpdates(
      database.db,
      all.map((n) => messageUpdate(waba, number, { from: String(n % 4), text: String(n) })),
    );
  }
}
const statesOf = async (number: Number_) => {
  const rows = await database.db.select().from(deliveries).where(eq(deliveries.numberId, number.id));
  return rows.map(({ state }) => state);
};
const allDelivered = async (number: Number_) =>
  (await statesOf(number)).every((state) => state === 'delivered');

test('kill -9 in the middle loses nothing: each is delivered, what was under way maybe twice, with one id', async () => {
  const number = await numberAt('/killed');
  let delivery = await startDelivery(env);
  await tell(number, 0);
  for (let kills = 1; kills <= 3; kills++) {
    await eventually(() => customer.at('/killed').length >= kills * 60);
    await delivery.kill();
    delivery = await startDelivery(env);
  }
  await eventually(() => allDelivered(number));
  const received = customer.at('/killed');
  const ids = new Map<string, Set<string>>();
  for (const one of received) {
    const known = ids.get(textOf(one)) ?? new Set();
    ids.set(textOf(one), known.add(String(one.headers['webhook-id'])));
  }
  expect(ids.size).toBe(400);
  expect([...ids.values()].every(({ size }) => size === 1)).toBe(true);
  // Of a conversation the first tries are in order.
  for (const from of [0, 1, 2, 3]) {
    const first = [...new Set(received.map(textOf).map(Number))].filter((n) => n % 4 === from);
    expect(first).toEqual(first.toSorted((a, b) => a - b));
  }
  expect(await delivery.stop()).toBe(0);
});

test('of two processes one forwards; the other takes over when that is killed, or stops in order', async () => {
  const [one, two] = [await startDelivery(env), await startDelivery(env)];
  await eventually(async () => (await metric(one.metricsUrl, 'delivery_leading')) === 1);
  expect(await metric(two.metricsUrl, 'delivery_leading')).toBe(0);
  const number = await numberAt('/doubled');
  await tell(number, 0);
  await eventually(() => customer.at('/doubled').length >= 50);
  await one.kill();
  await eventually(() => allDelivered(number));
  expect(await metric(two.metricsUrl, 'delivery_leading')).toBe(1);
  expect(await metric(two.metricsUrl, 'deliveries_delivered_total')).toBeGreaterThan(0);

  const three = await startDelivery(env);
  await tell(number, 400);
  expect(await two.stop()).toBe(0);
  await eventually(() => allDelivered(number));
  const texts = customer.at('/doubled').map(textOf);
  expect(new Set(texts).size).toBe(800);
  // Whoever stops in order waits for its answers, so that nothing of the second part came twice.
  expect(texts.filter((text) => Number(text) >= 400)).toHaveLength(400);
  expect(await three.stop()).toBe(0);
});

test('connections to PostgreSQL that are cut end neither the process nor the forwarding', async () => {
  const delivery = await startDelivery(env);
  const number = await numberAt('/cut');
  await tell(number, 0);
  for (let cuts = 1; cuts <= 3; cuts++) {
    await eventually(() => customer.at('/cut').length >= cuts * 80);
    await database.db.execute(sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name <> 'test' and pid <> pg_backend_pid()`);
  }
  await eventually(() => allDelivered(number));
  await tell(number, 400);
  await eventually(async () => (await statesOf(number)).length === 800 && (await allDelivered(number)));
  expect(new Set(customer.at('/cut').map(textOf)).size).toBe(800);
  expect(delivery.log()).toContain('The lock was lost');
  expect(await delivery.stop()).toBe(0);
});

test('without AUTH_SECRET it does not start, and says so', async () => {
  const { AUTH_SECRET: _, ...bare } = env;
  await expect(startDelivery(bare)).rejects.toThrow(/AUTH_SECRET is not set/);
});
