/**
 * Starts what a crash or an unreachable Temporal left behind, and starts again what was terminated: every
 * live number has its workflow. A loop in the worker, so that it also runs while Temporal is away; an
 * advisory lock lets one worker at a time do it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { sql } from 'drizzle-orm';
import pLimit from 'p-limit';
import type { Logger } from '../activities/deps.ts';
import { getNumber, NUMBER_WORKFLOW, workflowId } from '../contract/messages.ts';
import { isLive, LIVE_STATUSES } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import type { Database } from '../db/client.ts';
import { deleteExpiredIdempotencyRecords } from '../db/idempotency.ts';
import type { NumberRow } from '../db/number-row.ts';
import { countStarted, findNumber, findNumbers, startedNumbers, unstartedNumbers } from '../db/started.ts';
import { type NumberWorkflows, TemporalUnavailable } from '../temporal/numbers.ts';
import { callWithin } from '../temporal/unavailable.ts';

/** An arbitrary number that means "sweeping". */
const SWEEP_LOCK = 7_264_022;
/** Counting over a million rows takes a while: not in every round. */
const LOST_EVERY_ROUNDS = 3;
/** Numbers looked at in one round. */
const PAGE = 200;
const ROUND_DEADLINE_MS = 45_000;
const CALL_DEADLINE_MS = 5_000;
/** Of all pages of a list together. */
const LIST_DEADLINE_MS = 20_000;
/** By status, too: a rejected number's workflow may still be running for its emails. */
const RUNNING_LIVE =
  `WorkflowType="${NUMBER_WORKFLOW}" AND ExecutionStatus="Running" ` +
  `AND NumberStatus IN (${LIVE_STATUSES.map((status) => `"${status}"`).join(', ')})`;

export interface SweeperDeps {
  client: Client;
  db: Database;
  /** One connection of its own, for the lock. */
  lockDb: Database;
  workflows: NumberWorkflows;
  logger: Logger;
  /** Told of every round, for the metrics. */
  onRound: (result: { ok: boolean; started: number }) => void;
}

/** Sweeps until `signal` aborts. A failed round is logged and counted, and the next one tries again. */
export async function sweep(deps: SweeperDeps, everySeconds: number, signal: AbortSignal): Promise<void> {
  const round = createSweeper(deps);
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  while (!signal.aborted) {
    const done = round().then(
      (started) => deps.onRound({ ok: true, started }),
      (error) => {
        deps.onRound({ ok: false, started: 0 });
        deps.logger.error({ err: error }, 'Sweep failed; it is tried again');
      },
    );
    // A stop does not wait for a round: whatever it leaves, the next one finds.
    await Promise.race([done, stopped]);
    await sleep(everySeconds * 1000, undefined, { signal }).catch(() => {});
  }
}

/** One round of the sweeper; keeps its place among the numbers between rounds. */
function createSweeper(deps: SweeperDeps): () => Promise<number> {
  const { client, db, workflows, logger } = deps;
  let place = '';
  let rounds = 0;
  /** Runs that ended badly, and runs that began, are looked for since then. */
  let closedSince = new Date(Date.now() - 24 * 3_600_000);
  let begunSince = closedSince;

  async function startAgain(row: NumberRow, why: string): Promise<number> {
    const current = await findNumber(db, row.id);
    if (!current || current.attempt !== row.attempt || current.status !== row.status) return 0;
    await workflows.start(current);
    logger.info(
      { numberId: row.id, number: lastFour(row.mobileNumber), why },
      'Workflow started by the sweeper',
    );
    return 1;
  }

  /** Numbers that were accepted while Temporal was away, or whose API process died before the start. */
  async function startAccepted(): Promise<number> {
    const rows = await unstartedNumbers(db, PAGE);
    return total(rows, (row) => startAgain(row, 'not started'));
  }

  /** Fewer workflows than live numbers: some were terminated, or Temporal lost them. A page of rows a round. */
  async function startLost(): Promise<number> {
    const { count } = await callWithin(client, CALL_DEADLINE_MS, () => client.workflow.count(RUNNING_LIVE));
    if (count >= (await countStarted(db))) return 0;
    const rows = await startedNumbers(db, place, PAGE);
    place = rows.length === PAGE ? (rows.at(-1)?.id ?? '') : '';
    return total(rows, async (row) => ((await isRunning(row)) ? 0 : startAgain(row, 'lost')));
  }

  async function isRunning(row: NumberRow): Promise<boolean> {
    try {
      const { status } = await callWithin(client, CALL_DEADLINE_MS, () =>
        client.workflow.getHandle(workflowId(row)).describe(),
      );
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** A reset ends one run and starts another from an earlier point: that one is told to take the row's state. */
  async function followResets(): Promise<number> {
    const since = closedSince;
    // Visibility lags: look back a little further the next time.
    const next = new Date(Date.now() - 60_000);
    const query =
      `WorkflowType="${NUMBER_WORKFLOW}" AND ExecutionStatus IN ("Terminated","Failed","TimedOut","Canceled") ` +
      `AND CloseTime > "${since.toISOString()}"`;
    const ended = await list(query);
    const numberIds = new Set(ended.map(({ numberId }) => numberId));
    await total([...numberIds], async (id) => {
      const row = await findNumber(db, id);
      if (row && (await isRunning(row)) && (await lags(row))) {
        await workflows.refresh(row);
        logger.info({ numberId: id }, 'Workflow asked to take the state of its row');
      }
      return 0;
    });
    closedSince = next;
    return 0;
  }

  /**
   * A workflow that runs for a number that has ended, or for an earlier attempt: a completed run was reset, which
   * leaves no trace in its status. Told to take the row's state, it ends, too.
   */
  async function endStrays(): Promise<number> {
    const next = new Date(Date.now() - 60_000);
    const begun = Map.groupBy(
      await list(`${RUNNING_LIVE} AND StartTime > "${begunSince.toISOString()}"`),
      ({ numberId }) => numberId,
    );
    const rows = await findNumbers(db, [...begun.keys()]);
    const strays = rows.flatMap((row) =>
      (begun.get(row.id) ?? [])
        .filter(({ attempt }) => !isLive(row.status) || attempt < row.attempt)
        .map((stray) => ({ ...stray, row })),
    );
    await total(strays, async ({ id, attempt, row }) => {
      const known = await callWithin(client, CALL_DEADLINE_MS, () =>
        client.workflow.getHandle(id).query(getNumber),
      );
      // Ended meanwhile: the list lags a little.
      if (!isLive(known.status)) return 0;
      await workflows.refresh({ ...row, attempt });
      logger.info({ numberId: row.id, attempt }, 'Workflow of an ended attempt asked to end');
      return 0;
    });
    begunSince = next;
    return 0;
  }

  /** What a query finds, by the parts of the workflow ids. */
  async function list(query: string) {
    const found: { id: string; numberId: string; attempt: number }[] = [];
    await callWithin(client, LIST_DEADLINE_MS, async () => {
      for await (const { workflowId: id } of client.workflow.list({ query })) {
        const [, , numberId, attempt] = id.split(':');
        if (numberId) found.push({ id, numberId, attempt: Number(attempt) });
      }
    });
    return found;
  }

  async function lags(row: NumberRow): Promise<boolean> {
    const known = await callWithin(client, CALL_DEADLINE_MS, () =>
      client.workflow.getHandle(workflowId(row)).query(getNumber),
    );
    return known.revision < row.revision;
  }

  return () =>
    deps.lockDb.transaction(async (tx) => {
      const { rows } = await tx.execute<{ locked: boolean }>(
        sql`select pg_try_advisory_xact_lock(${SWEEP_LOCK}) as locked`,
      );
      if (!rows[0]?.locked) return 0;
      const deadline = AbortSignal.timeout(ROUND_DEADLINE_MS);
      const work = async () => {
        await deleteExpiredIdempotencyRecords(db);
        if (!(await workflows.reachable())) throw new TemporalUnavailable('Temporal does not answer');
        const whole = rounds++ % LOST_EVERY_ROUNDS === 0;
        // Strays before lost ones: they would count for them.
        return inTurn([startAccepted, ...(whole ? [endStrays, startLost] : []), followResets]);
      };
      return Promise.race([work(), expired(deadline)]);
    });
}

function expired(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new TemporalUnavailable('A round took too long')));
  });
}

/** Takes every step, also after one that failed, and adds up what they give. The first failure is thrown at the end. */
async function inTurn(steps: (() => Promise<number>)[]): Promise<number> {
  let sum = 0;
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      sum += await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return sum;
}

/** Does the work for every item, a few at a time, and adds up what it gives. A failure fails the round at the end. */
async function total<T>(items: T[], work: (item: T) => Promise<number>): Promise<number> {
  const limit = pLimit(8);
  const results = await Promise.allSettled(items.map((item) => limit(() => work(item))));
  const failed = results.filter((result) => result.status === 'rejected');
  if (failed[0]) throw new Error(`${failed.length} of ${items.length} failed`, { cause: failed[0].reason });
  return results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
}
