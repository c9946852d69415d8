/** When the Schedules run, as the Temporal server understood it. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import { images } from '../../db/schema.ts';
import { ensureSchedules } from '../../temporal/schedules.ts';
import { createAccount, startStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startStack({ worker: false });
});
afterAll(() => stack.close());

/** The local time of each of the next runs of the digest. */
async function nextDigests(env: Record<string, string>, timeZone: string) {
  await ensureSchedules(stack.client, loadConfig({ ...stack.env, ...env }));
  const { info } = await stack.client.schedule.getHandle('review-digest').describe();
  const local = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  return info.nextActionTimes.map((time) => local.format(time));
}

test('the digest comes at its hour on working days, and moves with the configuration', async () => {
  const daily = new Set(await nextDigests({}, 'UTC'));
  expect([...daily].sort()).toEqual(
    ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].map((day) => `${day} 08:00`).sort(),
  );
  const env = { DIGEST_HOUR: '9', WORKING_TIME_ZONE: 'Asia/Kolkata', WORKING_DAYS: 'mon-wed,sat' };
  const some = new Set(await nextDigests(env, 'Asia/Kolkata'));
  expect([...some].sort()).toEqual(['Mon 09:00', 'Sat 09:00', 'Tue 09:00', 'Wed 09:00']);
});

test('pictures are cleaned up by a worker, every hour', async () => {
  await ensureSchedules(stack.client, loadConfig(stack.env));
  const schedule = stack.client.schedule.getHandle('image-cleanup');
  const { info } = await schedule.describe();
  const [first = new Date(0), second = new Date(0)] = info.nextActionTimes;
  expect(second.getTime() - first.getTime()).toBe(3_600_000);
  const { id: accountId } = await createAccount(stack.db);
  const id = newId('img');
  await stack.db.insert(images).values({
    id,
    accountId,
    contentType: 'image/png',
    width: 640,
    height: 640,
    bytes: 1,
    store: 'database',
    createdBy: { type: 'customer', id: null },
    createdAt: new Date(Date.now() - 25 * 3_600_000),
  });
  await stack.startWorker();
  await schedule.trigger();
  const left = () => stack.db.$count(images, eq(images.id, id));
  await expect.poll(left, { timeout: 50_000 }).toBe(0);
});
