/** The budget of registrations: 10 of a number in 72 hours, whoever asks. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../db/client.ts';
import { reserveRegistration } from '../../db/meta-registrations.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { metaRegistrations, numbers } from '../../db/schema.ts';
import { failureSchema } from '../../dev/meta/failures.ts';
import { acceptNumber, freshNumber } from '../support/accepted.ts';
import { callsTo, startTestMeta, type TestMeta, verifyNumber } from '../support/meta.ts';
import { createAccount } from '../support/stack.ts';

const HOUR = 3_600_000;
let meta: TestMeta;

beforeAll(async () => {
  meta = await startTestMeta();
});
afterAll(() => meta.close());

async function verified(): Promise<NumberRow> {
  const { id } = await createAccount(meta.db);
  const number = await acceptNumber(meta.db, id, { status: 'PENDING_FACEBOOK_APPROVAL' });
  await verifyNumber(meta, number);
  meta.simulator.simulation.calls.length = 0;
  return number;
}

const statusOf = ({ id }: NumberRow, status: NumberRow['status']) =>
  meta.db.update(numbers).set({ status }).where(eq(numbers.id, id));
const countedFor = ({ mobileNumber }: Pick<NumberRow, 'mobileNumber'>) =>
  meta.db.select().from(metaRegistrations).where(eq(metaRegistrations.mobileNumber, mobileNumber));

test('two processes that ask at the same moment get 10 together', async () => {
  const processes = ['one', 'two'].map((name) => openDatabase(meta.config, { name, max: 8 }));
  const mobileNumber = freshNumber();
  const asked = await Promise.all(
    processes.flatMap((db) =>
      Array.from({ length: 12 }, () => reserveRegistration(db, mobileNumber, 'register')),
    ),
  );
  await Promise.all(processes.map((db) => db.close()));
  const granted = asked.filter((one) => 'seq' in one);
  expect(granted.map(({ before }) => before).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await countedFor({ mobileNumber })).toHaveLength(10);
});

test('the eleventh is never sent, and the number says when it can go on', async () => {
  const number = await verified();
  const numberId = number.id;
  for (let round = 0; round < 5; round += 1) {
    expect(await meta.steps.register({ numberId })).toEqual({ done: true });
    await statusOf(number, 'RELEASED');
    expect(await meta.steps.deregister({ numberId })).toEqual({ done: true });
    await statusOf(number, 'APPROVED');
  }
  const [oldest] = await countedFor(number);
  const until = new Date((oldest?.at.getTime() ?? 0) + 72 * HOUR + 60_000).toISOString();
  const usedUp = { done: false, turn: 'operator', problem: { code: null, until } };
  expect(await meta.steps.register({ numberId })).toMatchObject(usedUp);
  expect(callsTo(meta, 'POST', 'register')).toHaveLength(10);

  // The oldest leaves the window, and another one may be sent.
  await meta.db
    .update(metaRegistrations)
    .set({ at: sql`${metaRegistrations.at} - interval '73 hours'` })
    .where(eq(metaRegistrations.seq, oldest?.seq ?? 0));
  meta.simulator.simulation.advance(73 * HOUR);
  expect(await meta.steps.register({ numberId })).toEqual({ done: true });
});

test("Meta's own refusal freezes the number for 72 hours", async () => {
  const number = await verified();
  const numberId = number.id;
  meta.simulator.simulation.failures.add(failureSchema.parse({ path: '/register', code: 133016 }));
  const frozen = { done: false, turn: 'operator', problem: { until: expect.any(String) } };
  const first = await meta.steps.register({ numberId });
  expect(first).toMatchObject({ ...frozen, problem: { code: 133016, fbtraceId: expect.any(String) } });
  const second = await meta.steps.register({ numberId });
  expect(second).toMatchObject(frozen);
  if (second.done || second.problem.until === null) throw new Error('not frozen');
  expect(Date.parse(second.problem.until)).toBeGreaterThan(Date.now() + 71 * HOUR);
  expect(callsTo(meta, 'POST', '/register')).toHaveLength(1);
});

test('a call of which nobody knows what became of it counts, and the pauses grow', async () => {
  const number = await verified();
  const numberId = number.id;
  const waits: unknown[] = [];
  for (let call = 0; call < 10; call += 1) {
    meta.simulator.simulation.failures.add(failureSchema.parse({ path: '/register', code: 2 }));
    await meta.steps.register({ numberId }).catch((error) => waits.push(error.retryAfterMs));
  }
  const minutes = waits.map((wait) => (wait === null ? null : Number(wait) / 60_000));
  expect(minutes).toEqual([null, null, 1, 5, 15, 60, 180, 360, 720, 720]);
  expect(await meta.steps.register({ numberId })).toMatchObject({ done: false, turn: 'operator' });
  expect(await countedFor(number)).toHaveLength(10);
});
