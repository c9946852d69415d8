/** A name that Meta approves beside the first one: the number is registered anew until WhatsApp shows it. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FacebookNews } from '../../contract/facebook.ts';
import { newId } from '../../contract/ids.ts';
import { workingTimeOf } from '../../contract/working-time.ts';
import { acceptResubmission } from '../../db/accept.ts';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { decideName } from '../../dev/meta/decisions.ts';
import { createReadBack } from '../../worker/read-back.ts';
import { acceptNumber, readEvents, readState } from '../support/accepted.ts';
import { type AtBoth, type StackAtMeta, startStackAtMeta } from '../support/at-meta.ts';
import { CUSTOMER, decision } from '../support/number-state.ts';

const OTHER = 'Yellow Shop';

let at: StackAtMeta;
beforeAll(async () => {
  at = await startStackAtMeta({ META_POLL_SECONDS: '0.2' });
});
afterAll(() => at.close());

const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000, interval: 50 });
const stateOf = (row: NumberRow) => readState(at.stack.db, row.id);
const decide = ({ theirs }: AtBoth, decided: 'APPROVED' | 'REJECTED') =>
  decideName(at.simulator.simulation, theirs, { decision: decided, reason: undefined });

/** Reads the number as the worker does, after each webhook was lost. */
async function read(row: NumberRow): Promise<void> {
  const { db, workflows, config } = at.stack;
  const logger = { info() {}, warn() {}, error: console.error };
  await changeMetaNumber(db, row.id, { readAt: sql`now()` });
  await createReadBack(
    { db, lockDb: db, workflows, meta: at.steps, config, logger },
    { perConnection: 100 },
  )();
}

/** Support approves the details; Meta has verified the number before. */
async function bringToName(row: NumberRow): Promise<void> {
  await at.stack.workflows.start(row);
  await at.stack.workflows.decide(row, 'verification', { ...decision(), attempt: row.attempt });
  await poll(() => stateOf(row)).toMatchObject({ facebook: { step: 'name' }, sync: { state: 'synced' } });
}

/** Meta declines the name, and the number is submitted again, as it is or under another one. */
async function submittedAgain(changes: { displayName?: string }): Promise<AtBoth> {
  const number = await at.registered();
  decide(number, 'REJECTED');
  await read(number.row);
  await poll(async () => (await stateOf(number.row)).status).toBe('REJECTED');
  const { id: numberId, accountId } = number.row;
  const row = await at.stack.db.transaction((tx) =>
    acceptResubmission(tx, {
      ...{ numberId, accountId, changes, by: CUSTOMER, operationId: newId('op') },
      settings: {
        verificationDueMs: 3_600_000,
        workingTime: workingTimeOf(at.stack.config),
        fourEyes: [],
        mailDomain: 'numbers.example',
        submissionsPerDay: 100,
      },
    }),
  );
  if (!row || 'taken' in row || 'notRejected' in row) throw new Error('not resubmitted');
  await bringToName(row);
  return { ...number, row };
}

async function expectShown({ row, theirs }: AtBoth, name: string): Promise<void> {
  await poll(async () => {
    await read(row);
    return stateOf(row);
  }).toMatchObject({
    status: 'APPROVED',
    facebook: null,
    whatsappName: { name, status: 'APPROVED', requestedName: null },
  });
  expect(theirs).toMatchObject({ verifiedName: name, registered: true, newName: null });
}

const registrations = async (row: NumberRow) =>
  (await readEvents(at.stack.db, row.id)).filter(({ type }) => type === 'facebook.registered').length;

test('submitted again under another name after a refusal: Meta shows that, though its webhook was lost', async () => {
  const number = await submittedAgain({ displayName: OTHER });
  await read(number.row);
  expect((await stateOf(number.row)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  decide(number, 'APPROVED');
  await expectShown(number, OTHER);
  const calls = number.theirs.registrations.length;
  // Once for each name, and the second attempt found it registered.
  expect([calls, await registrations(number.row)]).toEqual([2, 3]);
});

test('the same told by its webhook: nothing is said to be shown before it is', async () => {
  const number = await submittedAgain({ displayName: OTHER });
  decide(number, 'APPROVED');
  const name: FacebookNews['name'] = { status: 'APPROVED', name: OTHER, requestedName: OTHER, reason: null };
  await at.stack.workflows.hear(number.row, {
    ...{ operationId: newId('op'), source: 'webhook', at: new Date().toISOString(), name },
  });
  await expectShown(number, OTHER);
  expect(number.theirs.registrations).toHaveLength(2);
  const told = (await readEvents(at.stack.db, number.row.id)).filter(({ type }) => type === 'name.changed');
  expect(told.slice(-2).map(({ data }) => data)).toMatchObject([
    { name: null, status: 'APPROVED', requestedName: OTHER },
    { name: OTHER, status: 'APPROVED', requestedName: null },
  ]);
});

test('submitted again unchanged: what Meta said before does not refuse it', async () => {
  const number = await submittedAgain({});
  const { displayName } = number.row;
  expect(number.theirs).toMatchObject({ newName: displayName, newNameStatus: 'PENDING_REVIEW' });
  await read(number.row);
  expect(await at.steps.addNumber({ numberId: number.row.id })).toMatchObject({ done: true });
  expect((await stateOf(number.row)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  decide(number, 'APPROVED');
  await expectShown(number, displayName);
});

test('a released number, submitted anew under another name, while Meta reviews one already', async () => {
  const before = await at.connected();
  const { mobileNumber } = before.row;
  await at.stack.workflows.release(before.row, { operationId: newId('op'), attempt: 1, by: CUSTOMER });
  await poll(async () => (await stateOf(before.row)).status).toBe('RELEASED');
  await poll(async () => before.theirs.registered).toBe(false);
  Object.assign(before.theirs, { newName: 'Red Shop', newNameStatus: 'PENDING_REVIEW' });

  const row = await acceptNumber(at.stack.db, at.account.id, { mobileNumber, displayName: OTHER });
  await at.stack.workflows.start(row);
  await at.stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
  // It goes on by itself later, or when somebody says so.
  await poll(() => stateOf(row)).toMatchObject({
    facebook: { step: 'add', turn: 'facebook', problem: { until: expect.stringMatching(/^20/) } },
  });
  decide(before, 'REJECTED');
  await at.stack.workflows.resume(row, { operationId: newId('op'), attempt: 1, by: CUSTOMER });
  await poll(async () => (await stateOf(row)).facebook?.step).toBe('name');
  const number = { row, theirs: before.theirs };
  decide(number, 'APPROVED');
  await expectShown(number, OTHER);
});
