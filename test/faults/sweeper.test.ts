/** The sweeper's rounds, one at a time, against a real Temporal server. */

import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  NUMBER_WORKFLOW,
  type NumberApprovalInput,
  NumberStatusKey,
  TASK_QUEUE,
  workflowId,
} from '../../contract/messages.ts';
import { LOCKS } from '../../db/advisory-locks.ts';
import { keepConnection } from '../../db/meta-connections.ts';
import { ensureMetaNumber } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { numbers } from '../../db/schema.ts';
import { TemporalUnavailable } from '../../temporal/numbers.ts';
import { createSweeper } from '../../worker/sweeper.ts';
import { acceptNumber } from '../support/accepted.ts';
import { createAccount, startStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let accountId: string;
const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };

beforeAll(async () => {
  stack = await startStack();
  accountId = (await createAccount(stack.db)).id;
});
beforeEach(() => vi.clearAllMocks());
afterAll(() => stack.close());

/** Pages of one number, so that the order of things shows. */
const sweeper = () => {
  const { client, db, workflows, config } = stack;
  return createSweeper({ client, db, lockDb: db, workflows, config, logger }, { page: 1 });
};
const handleOf = (row: NumberRow) => stack.client.workflow.getHandle(workflowId(row));
const statusOf = async (row: NumberRow) => (await handleOf(row).describe()).status.name;

async function startNumbers(count: number): Promise<NumberRow[]> {
  const rows = [];
  for (let index = 0; index < count; index++) {
    const row = await acceptNumber(stack.db, accountId);
    await stack.workflows.start(row);
    rows.push(row);
  }
  for (const row of rows) await expect.poll(() => isListed(row), { timeout: 20_000 }).toBe(true);
  return rows;
}

/** The list lags a little, and counts are made of it. */
async function isListed(row: NumberRow): Promise<boolean> {
  return (await stack.client.workflow.count(`WorkflowId="${workflowId(row)}"`)).count === 1;
}

async function runningInList(): Promise<number> {
  return (
    await stack.client.workflow.count(`WorkflowType="${NUMBER_WORKFLOW}" AND ExecutionStatus="Running"`)
  ).count;
}

/** Temporal forgets it, as after a loss of data. */
async function forget(row: NumberRow): Promise<void> {
  const { namespace } = stack.client.options;
  await stack.client.workflowService.deleteWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: workflowId(row) },
  });
  await expect.poll(() => statusOf(row).catch(() => 'gone'), { timeout: 20_000 }).toBe('gone');
}

test('what was accepted without a workflow is started, once', async () => {
  const row = await acceptNumber(stack.db, accountId);
  const round = sweeper();
  expect(await round()).toBe(1);
  expect(await statusOf(row)).toBe('RUNNING');
  await round();
  expect(logger.info.mock.calls.filter(([about]) => about.why === 'not started')).toHaveLength(1);
});

test('a terminated one is started again at once, wherever the walk over all numbers is', async () => {
  const rows = await startNumbers(5);
  const [last] = rows.slice(-1);
  if (!last) throw new Error('none');
  // Makes up for the one that is missed, so that the counts do not tell.
  const stray = await startStray(last);
  const round = sweeper();
  await round();
  await handleOf(last).terminate('by an operator');
  await expect.poll(round, { timeout: 20_000, interval: 200 }).toBe(1);
  expect(await statusOf(last)).toBe('RUNNING');
  await stray.terminate('test');
  expect(logger.info).toHaveBeenCalledWith(
    expect.objectContaining({ numberId: last.id, why: 'terminated' }),
    expect.any(String),
  );
});

test('a stray workflow does not hide a lost one', async () => {
  const [row] = await startNumbers(1);
  if (!row) throw new Error('none');
  const before = await runningInList();
  const stray = await startStray(row);
  await forget(row);
  await expect.poll(runningInList, { timeout: 20_000 }).toBe(before);
  const round = sweeper();
  await expect
    .poll(
      async () => {
        await round();
        return statusOf(row).catch(() => 'gone');
      },
      { timeout: 60_000, interval: 50 },
    )
    .toBe('RUNNING');
  await stray.terminate('test');
});

test('many lost ones are started in one round', async () => {
  const rows = await startNumbers(6);
  for (const row of rows) await forget(row);
  await expect.poll(runningInList, { timeout: 20_000 }).toBeLessThan(await liveNumbers());
  const started = await sweeper()();
  expect(started).toBeGreaterThanOrEqual(6);
  for (const row of rows) expect(await statusOf(row)).toBe('RUNNING');
});

test('a live number whose workflow has completed is told as an error, not as started', async () => {
  const [row] = await startNumbers(1);
  if (!row) throw new Error('none');
  await handleOf(row).signal('withdraw', {});
  await handleOf(row).result();
  // As after the restore of an older backup.
  await stack.db.execute(sql`update numbers set status = 'PENDING_VERIFICATION', revision = 1, ending = null
    where id = ${row.id}`);
  const round = sweeper();
  await expect
    .poll(
      async () => {
        await round();
        return logger.error.mock.calls.map(([about]) => about.numberId);
      },
      { timeout: 60_000, interval: 50 },
    )
    .toContain(row.id);
  expect(logger.info.mock.calls.filter(([about]) => about.numberId === row.id)).toEqual([]);
  await stack.db.execute(sql`update numbers set status = 'WITHDRAWN' where id = ${row.id}`);
});

test('a round of another worker is none of this one', async () => {
  const held = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  const other = stack.db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${LOCKS.sweep})`);
    holding.resolve();
    await held.promise;
  });
  await holding.promise;
  const round = sweeper();
  expect(await round()).toBeNull();
  held.resolve();
  await other;
  expect(await round()).toEqual(expect.any(Number));
});

test('deletes what the audit log has kept for long enough', async () => {
  await stack.db.execute(
    sql`insert into audit_events (id, type, at) values ('aud_old', 'key.created', now() - interval '401 days'),
      ('aud_kept', 'key.created', now() - interval '399 days')`,
  );
  await sweeper()();
  const { rows } = await stack.db.execute(
    sql`select id from audit_events where id in ('aud_old', 'aud_kept')`,
  );
  expect(rows).toEqual([{ id: 'aud_kept' }]);
});

test('clean-ups that fail stop neither the healing nor the other clean-ups, and all are told', async () => {
  const { db } = stack;
  const failing = ['idempotency_records', 'change_feed'];
  await db.execute(
    sql`create function refuse() returns trigger language plpgsql as $$ begin raise 'locked'; end $$`,
  );
  for (const table of failing) {
    await db.execute(
      sql.raw(`create trigger refuse before delete on ${table} for each statement execute function refuse()`),
    );
  }
  await db.execute(sql`insert into audit_events (id, type, at)
    values ('aud_older', 'key.created', now() - interval '401 days')`);
  const row = await acceptNumber(db, accountId);
  const failed = await sweeper()().then(String, String);
  await db.execute(sql`drop function refuse() cascade`);
  for (const table of failing) expect(failed).toContain(`delete from "${table}"`);
  expect(await statusOf(row)).toBe('RUNNING');
  expect((await db.execute(sql`select id from audit_events where id = 'aud_older'`)).rows).toEqual([]);
});

test('without a worker a round fails at what has to be asked, and comes back to it', {
  timeout: 60_000,
}, async () => {
  const [row] = await startNumbers(1);
  if (!row) throw new Error('none');
  // A run of an attempt that has ended: it has to be asked, and nobody answers.
  await stack.db.execute(sql`update numbers set status = 'RELEASED' where id = ${row.id}`);
  await stack.stopWorker();
  const round = sweeper();
  await expect
    .poll(() => round().then(String, String), { timeout: 40_000, interval: 50 })
    .toContain('failed');
  await stack.startWorker();
  await expect
    .poll(
      async () => {
        await round();
        return logger.info.mock.calls.map(([about, message]) => [about.numberId, message]);
      },
      { timeout: 30_000, interval: 50 },
    )
    .toContainEqual([row.id, 'Workflow of an ended attempt asked to end']);
});

async function liveNumbers(): Promise<number> {
  return stack.db.$count(
    numbers,
    sql`status in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL', 'APPROVED')`,
  );
}

/** A workflow for an attempt of the number that never was. */
async function startStray(row: NumberRow) {
  const { state, ...input } = await inputOf(row);
  return stack.client.workflow.start(NUMBER_WORKFLOW, {
    workflowId: workflowId({ ...row, attempt: 7 }),
    taskQueue: TASK_QUEUE,
    args: [{ ...input, state: { ...state, attempt: 7 } }],
    typedSearchAttributes: [{ key: NumberStatusKey, value: row.status }],
  });
}

async function inputOf(row: NumberRow): Promise<NumberApprovalInput> {
  const { events } = await handleOf(row).fetchHistory();
  const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  return JSON.parse(Buffer.from(payload?.data ?? []).toString());
}

test('numbers that wait for a token are told once that there is a new one', async () => {
  const { client, db, config } = stack;
  const told: string[] = [];
  const workflows = {
    ...stack.workflows,
    resume: async (row: NumberRow) => void told.push(row.id),
  };
  const round = createSweeper({ client, db, lockDb: db, workflows, config, logger }, { page: 1 });
  const connected = { name: null, token: null, tokenHash: 'one' };
  const connect = (tokenHash: string) =>
    db.transaction((tx) => keepConnection(tx, null, { ...connected, wabaId: '1', tokenHash }, null));
  const connection = await connect('one');
  if (typeof connection === 'string') throw new Error(connection);
  const problem = { message: 'Refused.', code: 190, subcode: null, fbtraceId: null, until: null };
  const facebook = {
    step: 'add',
    turn: 'operator',
    since: new Date().toISOString(),
    codeMethod: null,
  } as const;
  const rows = await startNumbers(3);
  for (const row of rows) await ensureMetaNumber(db, row, connection.id);
  const waiting = rows.slice(0, 2);
  for (const { id } of waiting) {
    await db
      .update(numbers)
      .set({ facebook: { ...facebook, problem } })
      .where(eq(numbers.id, id));
  }
  await round();
  await round();
  expect(told.toSorted()).toEqual(waiting.map(({ id }) => id).toSorted());

  await connect('two');
  workflows.resume = async () => {
    throw new TemporalUnavailable('not now');
  };
  await expect(round()).rejects.toThrow('failed');
  workflows.resume = async (row) => void told.push(row.id);
  told.length = 0;
  await round();
  await round();
  expect(told.toSorted()).toEqual(waiting.map(({ id }) => id).toSorted());
});
