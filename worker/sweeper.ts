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
import type { Config } from '../contract/config.ts';
import { getNumber, NUMBER_WORKFLOW, workflowId } from '../contract/messages.ts';
import { isLive, LIVE_STATUSES } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import { LOCKS } from '../db/advisory-locks.ts';
import { deleteOldAudit } from '../db/audit.ts';
import { deleteOldChanges } from '../db/change-feed.ts';
import { deleteExpiredClaims } from '../db/claims.ts';
import type { Database } from '../db/client.ts';
import { deleteExpiredDecisionLinks } from '../db/decision-links.ts';
import { deleteExpiredIdempotencyRecords } from '../db/idempotency.ts';
import { deleteExpiredLinks } from '../db/links.ts';
import { noteResumed, renewedConnections } from '../db/meta-connections.ts';
import { heldUpNumbers } from '../db/meta-numbers.ts';
import type { NumberRow } from '../db/number-row.ts';
import { deleteExpiredSessions } from '../db/sessions.ts';
import { countStarted, findNumber, findNumbers, startedNumbers, unstartedNumbers } from '../db/started.ts';
import { type NumberWorkflows, TemporalUnavailable, WorkflowClosed } from '../temporal/numbers.ts';
import { type FoundWorkflow, recentWorkflows } from '../temporal/recent.ts';
import { callWithin } from '../temporal/unavailable.ts';

/** Looking at the workflow of each number takes a while: not in every round. */
const WALK_EVERY_ROUNDS = 3;
/** Numbers looked at together. */
const PAGE = 200;
/** How long a round walks on while numbers are known to lack a workflow. */
const WALK_MS = 10_000;
/** After this a round begins nothing more; it ends one call later. */
const ROUND_MS = 30_000;
const CALL_DEADLINE_MS = 5_000;
/** By status, too: a rejected number's workflow may still be running for its emails. */
const RUNNING_LIVE =
  `WorkflowType="${NUMBER_WORKFLOW}" AND ExecutionStatus="Running" ` +
  `AND NumberStatus IN (${LIVE_STATUSES.map((status) => `"${status}"`).join(', ')})`;
const ENDED_BADLY = `WorkflowType="${NUMBER_WORKFLOW}" AND ExecutionStatus IN ("Terminated","Failed","TimedOut","Canceled")`;

export interface SweeperDeps {
  client: Client;
  db: Database;
  /** One connection of its own, for the lock. */
  lockDb: Database;
  workflows: NumberWorkflows;
  config: Pick<Config, 'AUDIT_RETENTION_DAYS'>;
  logger: Logger;
  /** Told of every round that was this worker's, for the metrics. */
  onRound: (result: { ok: boolean; started: number }) => void;
}

/** Sweeps until `signal` aborts. A failed round is logged and counted, and the next one tries again what failed. */
export async function sweep(deps: SweeperDeps, everySeconds: number, signal: AbortSignal): Promise<void> {
  const round = createSweeper(deps);
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  while (!signal.aborted) {
    const done = round().then(
      (started) => {
        if (started !== null) deps.onRound({ ok: true, started });
      },
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

/**
 * One round of the sweeper: resolves with how many workflows it started, or with null where another worker
 * sweeps. Between rounds it keeps its place among the numbers, and what failed.
 */
export function createSweeper(
  deps: Omit<SweeperDeps, 'onRound'>,
  { page = PAGE }: { page?: number } = {},
): () => Promise<number | null> {
  const { client, db, workflows, config, logger } = deps;
  let place = '';
  let rounds = 0;
  /** Fewer workflows than numbers, at the last walk; a start that the list does not show yet is none. */
  let lostBefore = Number.POSITIVE_INFINITY;
  /** Live numbers that cannot be helped: their workflow has completed. */
  const completed = new Set<string>();
  const endedLately = recentWorkflows(client, { by: 'CloseTime', query: ENDED_BADLY });
  const begunLately = recentWorkflows(client, { by: 'StartTime', query: RUNNING_LIVE });
  /** By workflow id: what has been found and not been dealt with yet. */
  const ended = new Map<string, FoundWorkflow>();
  const begun = new Map<string, FoundWorkflow>();
  /** By the renewal of a connection: of the numbers that wait for a token, the last one that was told. */
  const resumedUpTo = new Map<string, string>();

  async function startAgain(row: NumberRow, why: string): Promise<number> {
    const current = await findNumber(db, row.id);
    if (!current || current.attempt !== row.attempt || current.status !== row.status) return 0;
    const about = { numberId: row.id, number: lastFour(row.mobileNumber), why };
    if (await workflows.start(current)) {
      logger.info(about, 'Workflow started by the sweeper');
      return 1;
    }
    // Started by somebody else this moment, which is well, or completed, which a live number's never does.
    if (why !== 'not started' && !(await isRunning(current))) {
      completed.add(row.id);
      logger.error(about, 'The workflow of a live number has completed; see "Restore" in docs/operations.md');
    }
    return 0;
  }

  /** Numbers that were accepted while Temporal was away, or whose API process died before the start. */
  async function startAccepted(signal: AbortSignal): Promise<number> {
    return total(await unstartedNumbers(db, page), signal, (row) => startAgain(row, 'not started'));
  }

  /**
   * A page of numbers, and more of them while there are fewer workflows than numbers: Temporal has lost some.
   * Equal counts prove nothing, because a stray workflow counts like one that is missed.
   */
  async function startLost(signal: AbortSignal): Promise<number> {
    const { count } = await callWithin(client, CALL_DEADLINE_MS, () => client.workflow.count(RUNNING_LIVE));
    const lost = (await countStarted(db)) - count - completed.size;
    const surelyLost = Math.min(lost, lostBefore);
    lostBefore = lost;
    const stopAt = Date.now() + WALK_MS;
    let started = 0;
    do {
      const rows = await startedNumbers(db, place, page);
      place = rows.length === page ? (rows.at(-1)?.id ?? '') : '';
      started += await total(rows, signal, async (row) => {
        if (!(await isRunning(row))) return startAgain(row, 'lost');
        completed.delete(row.id);
        return 0;
      });
    } while (started < surelyLost && place !== '' && Date.now() < stopAt);
    return started;
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

  /**
   * What was terminated is started again. A reset, too, terminates a run, and starts another from an earlier
   * point: that one is told to take the row's state. What failed is left to the walk over all numbers: it would
   * fail again at once.
   */
  async function followEnded(signal: AbortSignal): Promise<number> {
    for (const found of await endedLately()) ended.set(found.workflowId, found);
    return total([...ended.values()], signal, async (found) => {
      const started = await followOne(found);
      ended.delete(found.workflowId);
      return started;
    });
  }

  async function followOne({ numberId, attempt, status }: FoundWorkflow): Promise<number> {
    const row = await findNumber(db, numberId);
    if (!row || !isLive(row.status) || row.attempt !== attempt) return 0;
    if (!(await isRunning(row))) return status === 'TERMINATED' ? startAgain(row, 'terminated') : 0;
    const known = await callWithin(client, CALL_DEADLINE_MS, () =>
      client.workflow.getHandle(workflowId(row)).query(getNumber),
    );
    if (known.revision >= row.revision) return 0;
    await workflows.refresh(row);
    logger.info({ numberId }, 'Workflow asked to take the state of its row');
    return 0;
  }

  /**
   * A workflow that runs for a number that has ended, or for an earlier attempt: a completed run was reset, which
   * leaves no trace in its status. Told to take the row's state, it ends, too.
   */
  async function endStrays(signal: AbortSignal): Promise<number> {
    for (const found of await begunLately()) begun.set(found.workflowId, found);
    const rows = await findNumbers(db, [...new Set([...begun.values()].map(({ numberId }) => numberId))]);
    const rowOf = new Map(rows.map((row) => [row.id, row]));
    return total([...begun.values()], signal, async (found) => {
      const row = rowOf.get(found.numberId);
      if (row && (!isLive(row.status) || found.attempt < row.attempt)) await endStray(found, row);
      begun.delete(found.workflowId);
      return 0;
    });
  }

  async function endStray({ workflowId: id, attempt }: FoundWorkflow, row: NumberRow): Promise<void> {
    const known = await callWithin(client, CALL_DEADLINE_MS, () =>
      client.workflow.getHandle(id).query(getNumber),
    );
    // Ended meanwhile: the list lags a little.
    if (!isLive(known.status)) return;
    await workflows.refresh({ ...row, attempt });
    logger.info({ numberId: row.id, attempt }, 'Workflow of an ended attempt asked to end');
  }

  /** Tells the numbers that wait for a token that there is a new one. */
  async function resumeHeldUp(signal: AbortSignal): Promise<number> {
    for (const connection of await renewedConnections(db)) {
      const { id } = connection;
      const renewal = `connection:${id}:${connection.updatedAt.getTime()}`;
      // One that was told, and came back with the token of before, is told once more.
      const operationId = `${renewal}:${connection.resumedAt?.getTime() ?? 0}`;
      let after: string | null = resumedUpTo.get(renewal) ?? '';
      while (after !== null) {
        const rows: NumberRow[] = await heldUpNumbers(db, id, { after, limit: page });
        await total(rows, signal, async (row) => {
          await resume(row, operationId);
          return 0;
        });
        after = rows.length === page ? (rows.at(-1)?.id ?? null) : null;
        if (after !== null) resumedUpTo.set(renewal, after);
      }
      await noteResumed(db, connection);
      resumedUpTo.delete(renewal);
    }
    return 0;
  }

  async function resume(row: NumberRow, operationId: string): Promise<void> {
    const by = { type: 'system', id: null } as const;
    await workflows.resume(row, { operationId, attempt: row.attempt, by }).catch((error: unknown) => {
      // It has ended meanwhile.
      if (!(error instanceof WorkflowClosed)) throw error;
    });
    logger.info({ numberId: row.id, number: lastFour(row.mobileNumber) }, 'Told of a new token of Meta');
  }

  async function heal(signal: AbortSignal): Promise<number> {
    if (!(await workflows.reachable())) throw new TemporalUnavailable('Temporal does not answer');
    const walk = rounds++ % WALK_EVERY_ROUNDS === 0;
    return inTurn(
      [startAccepted, followEnded, endStrays, resumeHeldUp, ...(walk ? [startLost] : [])],
      signal,
    );
  }

  /** After the healing: a table that is locked must not keep numbers without their workflow. */
  const cleanUps = [
    () => deleteExpiredIdempotencyRecords(db),
    () => deleteExpiredSessions(db),
    () => deleteExpiredLinks(db),
    () => deleteExpiredDecisionLinks(db),
    () => deleteExpiredClaims(db),
    () => deleteOldChanges(db),
    () => deleteOldAudit(db, config.AUDIT_RETENTION_DAYS),
  ].map((cleanUp) => async () => {
    await cleanUp();
    // It started no workflow.
    return 0;
  });

  return () =>
    deps.lockDb.transaction(async (tx) => {
      const { rows } = await tx.execute<{ locked: boolean }>(
        sql`select pg_try_advisory_xact_lock(${LOCKS.sweep}) as locked`,
      );
      if (!rows[0]?.locked) return null;
      return inTurn([heal, ...cleanUps], AbortSignal.timeout(ROUND_MS));
    });
}

/** Takes every step, also after one that failed, and adds up what they give. All failures are thrown at the end. */
async function inTurn(
  steps: ((signal: AbortSignal) => Promise<number>)[],
  signal: AbortSignal,
): Promise<number> {
  let sum = 0;
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      signal.throwIfAborted();
      sum += await step(signal);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join('; '));
  if (failures.length > 0) throw failures[0];
  return sum;
}

/**
 * Does the work for every item, a few at a time, and adds up what it gives. A failure is thrown once all others
 * are done; items that the signal left no time for fail, too.
 */
async function total<T>(
  items: T[],
  signal: AbortSignal,
  work: (item: T) => Promise<number>,
): Promise<number> {
  const limit = pLimit(8);
  const results = await Promise.allSettled(
    items.map((item) =>
      limit(() => {
        signal.throwIfAborted();
        return work(item);
      }),
    ),
  );
  const failed = results.filter((result) => result.status === 'rejected');
  if (failed[0]) throw new Error(`${failed.length} of ${items.length} failed`, { cause: failed[0].reason });
  return results.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
}
