import { randomUUID } from 'node:crypto';
import { asc, eq, sql, TransactionRollbackError } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { eraseAccount, eraseEvents } from '../../db/erase-account.ts';
import { numberWithDigits } from '../../db/meta-news.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { addPartitions, dropOldPartitions } from '../../db/partitions.ts';
import { deliveries, events, metaNumbers, numbers, targets } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { callbackProfile, connectWaba, messageUpdate, numberAtMeta } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
let accountId: string;
let waba: { id: string; wabaId: string };
let ours: typeof waba;

beforeAll(async () => {
  database = await createTestDatabase();
  accountId = (await createAccount(database.db)).id;
  waba = await connectWaba(database.db, accountId);
  ours = await connectWaba(database.db, null);
});
afterAll(() => database.drop());

const storedOf = (numberId: string) =>
  database.db.select().from(events).where(eq(events.numberId, numberId)).orderBy(asc(events.id));
const deliveriesOf = (numberId: string) =>
  database.db.select().from(deliveries).where(eq(deliveries.numberId, numberId)).orderBy(asc(deliveries.id));
const jobs = async (task: string) => {
  const { rows } = await database.db.execute<{ payload: Record<string, unknown> }>(sql`
    delete from graphile_worker._private_jobs using graphile_worker._private_tasks tasks
    where tasks.id = task_id and identifier = ${task} returning payload`);
  return rows.map(({ payload }) => payload);
};

test('a message is stored once, with its delivery, its target and one job', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const update = messageUpdate(waba, number, { content: '{"text":"\\u0000 \\ud83d"}' });
  expect(await storeUpdates(database.db, [update])).toMatchObject({ stored: 1, deliveries: 1 });
  // Again, in the same webhook and beside another.
  const other = messageUpdate(waba, number);
  expect(await storeUpdates(database.db, [update, other, other])).toMatchObject({ stored: 1, deliveries: 1 });

  const stored = await storedOf(number.id);
  expect(stored).toMatchObject([
    { key: update.key, accountId, wabaId: waba.wabaId, content: update.content },
    { key: other.key },
  ]);
  expect(await deliveriesOf(number.id)).toMatchObject(
    stored.map(({ id, day }) => ({ id, day, targetId: number.id, state: 'pending', tries: 0 })),
  );
  const [target] = await database.db.select().from(targets).where(eq(targets.id, number.id));
  expect(target).toMatchObject({ accountId, kind: 'incoming', secret: null, offAt: null });
  expect(await jobs('forward')).toEqual([{ targets: [number.id] }, { targets: [number.id] }]);
});

test('updates that arrive at once in two orders do not wait for each other', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const [one, two] = [randomUUID(), randomUUID()].sort().map((key) => messageUpdate(waba, number, { key }));
  if (!one || !two) throw new Error('There are two.');
  const waiting = (count: number) =>
    expect
      .poll(async () => {
        const { rows } = await database.db.execute(sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
        return rows.length;
      })
      .toBe(count);
  let stored: Promise<unknown>[] = [];
  await database.db
    .transaction(async (tx) => {
      const { key, at } = one;
      const day = at.toISOString().slice(0, 10);
      const rest = { type: 'message.received' as const, at, content: '{}' };
      await tx.insert(events).values({ id: randomUUID(), day, key, ...rest });
      stored = [storeUpdates(database.db, [one, two])];
      await waiting(1);
      stored.push(storeUpdates(database.db, [two, one]));
      await waiting(2);
      tx.rollback();
    })
    .catch((error) => expect(error).toBeInstanceOf(TransactionRollbackError));
  await Promise.all(stored);
  expect(await storedOf(number.id)).toHaveLength(2);
});

test('an event counts only where WABA and digits belong to the same connection', async () => {
  const stranger = (await createAccount(database.db)).id;
  const theirs = await connectWaba(database.db, stranger);
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const wrong = messageUpdate(theirs, number);
  const unknown = messageUpdate({ wabaId: '1' }, number);
  expect(await storeUpdates(database.db, [wrong, unknown])).toMatchObject({ stored: 2, deliveries: 0 });
  expect(await storedOf(number.id)).toEqual([]);
  const kept = await database.db.select().from(events).where(eq(events.key, wrong.key));
  expect(kept).toMatchObject([{ accountId: null, numberId: null, wabaId: theirs.wabaId, content: '{}' }]);
});

test("a number counts by Meta's id where Meta writes its digits otherwise, and one that is not ours is counted", async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id, { mobileNumber: '+5564981234567' });
  const otherwise = { digits: '556481234567', phoneNumberId: number.phoneNumberId };
  const stranger = { digits: '556481234568', phoneNumberId: '7' };
  expect(
    await storeUpdates(database.db, [messageUpdate(waba, otherwise), messageUpdate(waba, stranger)]),
  ).toMatchObject({ stored: 2, deliveries: 1, unknown: 1 });
  expect(await deliveriesOf(number.id)).toHaveLength(1);
  // A change names it by digits alone: those that Meta showed when it was read.
  expect(await numberWithDigits(database.db, waba.id, otherwise.digits)).toBeNull();
  const lastRead = { node: { display_phone_number: '+55 64 8123-4567' } };
  await database.db.update(metaNumbers).set({ lastRead }).where(eq(metaNumbers.numberId, number.id));
  for (const digits of [otherwise.digits, number.digits]) {
    expect(await numberWithDigits(database.db, waba.id, digits)).toMatchObject({ id: number.id });
  }
});

test('a number that was released and submitted anew is the live one', async () => {
  const live = await numberAtMeta(database.db, accountId, ours.id);
  const { mobileNumber } = live;
  const old = await numberAtMeta(database.db, accountId, ours.id, { mobileNumber, status: 'RELEASED' });
  await storeUpdates(database.db, [messageUpdate(ours, live)]);
  expect(await storedOf(old.id)).toEqual([]);
  expect(await storedOf(live.id)).toHaveLength(1);
});

test('a number that is proven at Meta is meant before one that another account has only submitted', async () => {
  const proven = await numberAtMeta(database.db, accountId, ours.id, { status: 'REJECTED' });
  await database.db
    .update(metaNumbers)
    .set({ verifiedAt: new Date() })
    .where(eq(metaNumbers.numberId, proven.id));
  const stranger = (await createAccount(database.db)).id;
  const { mobileNumber } = proven;
  const submitted = await numberAtMeta(database.db, stranger, ours.id, {
    mobileNumber,
    status: 'PENDING_FACEBOOK_APPROVAL',
  });
  await storeUpdates(database.db, [messageUpdate(ours, proven)]);
  expect(await storedOf(submitted.id)).toEqual([]);
  expect(await storedOf(proven.id)).toHaveLength(1);
});

test('a number of an account that was erased gets nothing', async () => {
  const gone = (await createAccount(database.db)).id;
  const number = await numberAtMeta(database.db, gone, ours.id, { status: 'RELEASED' });
  await storeUpdates(database.db, [messageUpdate(ours, number)]);
  expect(await storedOf(number.id)).toHaveLength(1);
  await eraseEvents(database.db, gone, 10);
  await eraseAccount(database.db, gone);
  expect(await storeUpdates(database.db, [messageUpdate(ours, number)])).toMatchObject({ deliveries: 0 });
  expect(await storedOf(number.id)).toEqual([]);
  expect(await database.db.select().from(targets).where(eq(targets.accountId, gone))).toEqual([]);
});

test('a status goes to the callback profile that asked for it, while that is active', async () => {
  const profile = await callbackProfile(database.db, accountId);
  const paused = await callbackProfile(database.db, accountId, { active: false });
  const number = await numberAtMeta(database.db, accountId, waba.id, { callbackProfileId: profile });
  const other = await numberAtMeta(database.db, accountId, waba.id, { callbackProfileId: paused });
  const status = (of: typeof number, status: string) =>
    messageUpdate(waba, of, { type: 'message.status', status });
  await storeUpdates(database.db, [status(number, 'read'), status(number, 'sent'), status(other, 'read')]);
  expect(await storedOf(number.id)).toHaveLength(2);
  expect(await deliveriesOf(number.id)).toMatchObject([{ targetId: profile }]);
  expect(await deliveriesOf(other.id)).toEqual([]);
});

test('changes are stored with their account and worked off where the connection is known', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const change = { type: 'change', field: 'phone_number_name_update', phoneNumberId: null } as const;
  await jobs('work-off');
  await storeUpdates(database.db, [
    messageUpdate(waba, number, change),
    messageUpdate(waba, number, { ...change, digits: null }),
    messageUpdate({ wabaId: '2' }, number, change),
  ]);
  expect(await storedOf(number.id)).toMatchObject([{ type: 'change', accountId }]);
  expect(await jobs('work-off')).toHaveLength(2);
});

test('our own events are stored once per operation, and go where they are sent to', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const own = {
    numberId: number.id,
    type: 'number.quality_changed' as const,
    at: new Date(),
    operationId: newId('op'),
    data: { qualityColor: 'RED' },
  };
  const insert = (...all: Parameters<typeof insertOwnEvents>[1]) =>
    database.db.transaction((tx) => insertOwnEvents(tx, all));
  const [id] = await insert(own);
  expect(id).toMatch(/^dlv_/);
  expect(await insert(own)).toEqual([]);
  // There is no profile that it could go to.
  expect(await insert({ ...own, type: 'test', target: 'callback' })).toEqual([]);
  expect(await deliveriesOf(number.id)).toHaveLength(1);
});

test('an update of long ago is recognised when it comes again, and one of a day without partition is stored', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  const old = messageUpdate(waba, number, { at: new Date('2020-01-01'), key: randomUUID() });
  expect(await storeUpdates(database.db, [old, old])).toMatchObject({ stored: 1 });
  const later = new Date(Date.now() + 90 * 24 * 3_600_000);
  const update = messageUpdate(waba, number, { at: later });
  expect(await storeUpdates(database.db, [update], later)).toMatchObject({ stored: 1 });
});

test('partitions are dropped when nothing in them is younger than 30 days', async () => {
  const number = await numberAtMeta(database.db, accountId, waba.id);
  await storeUpdates(database.db, [messageUpdate(waba, number)]);
  const day = 24 * 3_600_000;
  const at = (days: number) => new Date(Date.now() + days * day);
  await addPartitions(database.db, new Date());
  // Read by somebody, as by a backup: writers wait for one try, not for one of each partition.
  await database.db.transaction(async (tx) => {
    await tx.execute(sql`select from ${deliveries} limit 1`);
    expect(await dropOldPartitions(database.db, at(90))).toEqual([]);
  });
  await dropOldPartitions(database.db, at(38));
  expect(await storedOf(number.id)).toHaveLength(1);
  expect(await deliveriesOf(number.id)).toHaveLength(1);
  const dropped = await dropOldPartitions(database.db, at(39));
  expect(dropped).toContain(`events_${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`);
  expect(await storedOf(number.id)).toEqual([]);
  // Of deliveries a week goes at once.
  await dropOldPartitions(database.db, at(46));
  expect(await deliveriesOf(number.id)).toEqual([]);
  expect(await database.db.select().from(numbers).where(eq(numbers.id, number.id))).toHaveLength(1);
});
