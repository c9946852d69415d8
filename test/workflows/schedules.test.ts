/** When the Schedules run, as the Temporal server understood it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../contract/config.ts';
import { ensureSchedules } from '../../temporal/schedules.ts';
import { startStack, type TestStack } from '../support/stack.ts';

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
