/** What takes minutes or days, on Temporal's time-skipping server. */

import { ApplicationFailure } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Activities } from '../../activities/index.ts';
import { createSaveActivity } from '../../activities/save.ts';
import {
  getNumber,
  META_TASK_QUEUE,
  NextActionAtKey,
  NUMBER_WORKFLOW,
  type NumberApprovalInput,
  NumberOwnerKey,
  NumberStatusKey,
  supportVerification,
  TASK_QUEUE,
  workflowId,
} from '../../contract/messages.ts';
import { type NumberRow, stateOf } from '../../db/number-row.ts';
import { acceptNumber, readEmails, readEvents } from '../support/accepted.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { decision } from '../support/number-state.ts';
import { createAccount } from '../support/stack.ts';

let env: TestWorkflowEnvironment;
let database: TestDatabase;
let workers: Worker[];
let running: Promise<unknown>;
/** How often the mail server was asked, and at what (skipped) time it was last. */
const asked: Date[] = [];

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  database = await createTestDatabase();
  env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: inject('temporalTestServer') } },
  });
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: { [NumberStatusKey.name]: 2, [NumberOwnerKey.name]: 2, [NextActionAtKey.name]: 6 },
  });
  const activities: Pick<Activities, 'save' | 'sendEmails' | 'addNumber' | 'requestCode'> = {
    ...createSaveActivity({ db: database.db, mailDomain: 'numbers.example' }),
    // A mail server that never takes anything, as its activity reports it.
    async sendEmails() {
      asked.push(new Date(await env.currentTimeMs()));
      throw ApplicationFailure.retryable('421 try later', 'email_deferred');
    },
    // A Meta that sends codes which nobody gets.
    addNumber: async () => ({ configured: true, done: true }),
    requestCode: async () => ({ done: true, needed: true }),
  };
  const queue = (taskQueue: string) => ({ connection: env.nativeConnection, taskQueue, activities });
  workers = [
    await Worker.create({ ...queue(TASK_QUEUE), workflowBundle: { codePath: inject('workflowBundle') } }),
    await Worker.create(queue(META_TASK_QUEUE)),
  ];
  running = Promise.all(workers.map((worker) => worker.run()));
});

afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await running;
  await env.teardown();
  await database.drop();
});

async function start(row: NumberRow, settings: Partial<NumberApprovalInput['settings']> = {}) {
  const input: NumberApprovalInput = {
    numberId: row.id,
    accountId: row.accountId,
    mobileNumber: row.mobileNumber,
    state: stateOf(row),
    settings: { facebookDueMs: 1000, ...settings },
  };
  return env.client.workflow.start(NUMBER_WORKFLOW, {
    workflowId: workflowId(row),
    taskQueue: TASK_QUEUE,
    args: [input],
  });
}

test('a rejected number ends within minutes though the mail server never answers', async () => {
  const row = await acceptNumber(database.db, (await createAccount(database.db)).id);
  const handle = await start(row);
  const rejection = decision({ outcome: 'rejected', reason: 'No such shop' });
  await handle.signal(supportVerification, { ...rejection, attempt: 1 });
  const began = await env.currentTimeMs();
  await expect(handle.result()).resolves.toMatchObject({ status: 'REJECTED' });
  // Two lanes at the most: the one that was under way, and the one for the rejection. (When the workflow ended
  // is not told: the server's clock may have skipped to the timeout of the last try meanwhile.)
  const last = asked.at(-1)?.getTime() ?? 0;
  expect(last - began).toBeLessThanOrEqual(20 * 60_000);
  expect(asked.length).toBeGreaterThan(10);
});

test('a number that waits for months wakes nobody and still hears its decision', async () => {
  const row = await acceptNumber(database.db, (await createAccount(database.db)).id);
  const handle = await start(row);
  await env.sleep('1 hour');
  const before = (await handle.describe()).historyLength;
  await env.sleep('90 days');
  const after = await handle.describe();
  expect(after.status.name).toBe('RUNNING');
  expect(after.historyLength).toBe(before);
  await handle.signal(supportVerification, { ...decision(), attempt: 1 });
  await expect.poll(async () => (await handle.query(getNumber)).status).toBe('PENDING_FACEBOOK_APPROVAL');
});

test('a code that nobody enters: a reminder after 23 days, withdrawn after 30', async () => {
  const row = await acceptNumber(database.db, (await createAccount(database.db)).id);
  const handle = await start(row, { meta: true });
  await handle.signal(supportVerification, { ...decision(), attempt: 1 });
  await expect.poll(async () => (await handle.query(getNumber)).facebook?.step).toBe('code');
  const { length: before } = (await handle.fetchHistory()).events ?? [];
  const types = async () => (await readEvents(database.db, row.id)).map(({ type }) => type).slice(3);
  await env.sleep('22 days');
  expect(await types()).toEqual([]);
  await env.sleep('2 days');
  await expect.poll(types).toEqual(['facebook.code_reminder']);
  await env.sleep('5 days');
  expect((await handle.query(getNumber)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  await env.sleep('2 days');
  await expect.poll(types).toEqual(['facebook.code_reminder', 'withdrawn']);
  expect((await readEvents(database.db, row.id)).at(-1)).toMatchObject({
    actor: { type: 'system', id: null },
    data: { codeNotEntered: true },
  });
  expect((await readEmails(database.db, row.id)).map(({ kind }) => kind)).toEqual([
    'submitted',
    'verified',
    'code-needed',
    'code-reminder',
    'withdrawn',
  ]);
  await expect(handle.result()).resolves.toMatchObject({ status: 'WITHDRAWN' });
  const timers = (await handle.fetchHistory()).events
    ?.slice(before)
    .filter((one) => one.timerStartedEventAttributes);
  expect(timers?.length).toBe(1);
});
