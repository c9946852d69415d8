/** What several routes do with a number: find it for a caller, answer it, wait for its workflow. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import type { NumberState } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import { anyId } from '../contract/queries.ts';
import { about, viewNumber } from '../contract/views.ts';
import type { QuotaExceeded, Taken } from '../db/accept.ts';
import type { KeyedRequest } from '../db/idempotency.ts';
import { type NumberRow, stateOf } from '../db/number-row.ts';
import { getNumber, isInTimeline, type NumberOfAccount } from '../db/read.ts';
import { targetProblem } from '../targets/target-url.ts';
import { WorkflowClosed } from '../temporal/numbers.ts';
import { type Caller, tenantOf, viewerOf } from './auth.ts';
import type { ApiContext } from './context.ts';
import { etagOf } from './etag.ts';
import { type Answer, earlierAnswer, type Operation } from './idempotency.ts';
import { invalidField, ProblemError } from './problems.ts';

export const numberParams = z.object({
  id: anyId.meta(about('The number, as it was answered.', 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
});

/** How long the answer to a submission waits for its workflow to start. */
const START_MS = 1_000;
/** How long an answer waits for the workflow to decide. */
const WAIT_MS = 10_000;

/** The number, if the caller may know of it. */
export async function findFor(api: ApiContext, caller: Caller, id: string): Promise<NumberOfAccount> {
  const found = await getNumber(api.db, id, tenantOf(caller));
  if (!found) throw new ProblemError('not_found');
  return found;
}

/** For an operation on a number that was `found`: whether a former try took effect, and the number as it is then. */
export async function lookAgain(
  api: ApiContext,
  caller: Caller,
  found: NumberOfAccount,
  { operationId, resumed }: Pick<Operation, 'operationId' | 'resumed'>,
): Promise<{ done: boolean; found: NumberOfAccount }> {
  if (!resumed) return { done: false, found };
  const { id } = found.row;
  // In this order: a row that was read before could lack what the timeline has.
  const done = await isInTimeline(api.db, id, operationId);
  return { done, found: await findFor(api, caller, id) };
}

/** Answers the number as it is in its row, or in `state` right after an edit. */
export function numberAnswer(
  { row, accountName }: { row: NumberRow; accountName?: string },
  caller: Caller,
  { status = 200, state = stateOf(row) }: { status?: number; state?: NumberState } = {},
): Answer {
  return {
    status,
    headers: { etag: etagOf(state) },
    body: viewNumber({ ...row, accountName }, state, viewerOf(caller)),
  };
}

/** A workflow that has ended cannot be asked; its row says, now or in a moment, how it ended. */
export async function unlessClosed(sent: Promise<void>): Promise<void> {
  await sent.catch((error: unknown) => {
    if (!(error instanceof WorkflowClosed)) throw error;
  });
}

/**
 * Waits until `judge` says that what was asked of the workflow is done, and returns the number then. `seen` is
 * the number as it was before. `judge` throws the problem where it was refused. Past the deadline:
 * `unavailable`; what was asked may take effect later.
 */
export async function untilDone(
  api: ApiContext,
  seen: NumberRow,
  judge: (row: NumberRow) => 'done' | 'open' | Promise<'done' | 'open'>,
): Promise<NumberOfAccount> {
  const deadline = Date.now() + WAIT_MS;
  for (let last = seen; ; ) {
    const changed = await api.watch.change(last, deadline);
    if (!changed) {
      const fact = 'The workflow did not decide in time; what was asked may take effect later.';
      throw new ProblemError('unavailable', { fact });
    }
    if ((await judge(changed.row)) === 'done') return changed;
    last = changed.row;
  }
}

/**
 * Starts the workflow of what was just accepted, and waits for that a moment. It is accepted in any case: what
 * does not start now, the sweeper starts.
 */
export async function startWorkflow(api: ApiContext, row: NumberRow, log: FastifyBaseLogger): Promise<void> {
  const started = api.workflows.start(row).catch((error) => {
    const number = lastFour(row.mobileNumber);
    log.warn({ err: error, numberId: row.id, number }, 'Accepted, but its workflow is left to the sweeper');
  });
  await Promise.race([started, sleep(START_MS, undefined, { ref: false })]);
}

/** Refuses a URL that is not safe to call. A repeated request is not judged again: it gets its answer. */
export async function checkTarget(
  api: ApiContext,
  keyed: KeyedRequest | null,
  url: string | null | undefined,
  pointer = '/incomingUrl',
): Promise<Answer | null> {
  if (!url) return null;
  const earlier = await earlierAnswer(api.db, keyed);
  const problem = earlier ? null : await targetProblem(url, api.urls);
  if (problem !== null) throw invalidField(pointer, 'unsafe_target', problem);
  return earlier;
}

/** The number is live already. Only its own account learns where. */
export function numberTaken({ holder }: Taken, accountId: string): ProblemError {
  return new ProblemError('number_taken', {
    extra: holder?.accountId === accountId ? { numberId: holder.id } : {},
  });
}

/** Thrown, never stored for an Idempotency-Key: the same request is welcome later. */
export function quotaExceeded({ until }: QuotaExceeded, quota: number): ProblemError {
  const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000));
  return new ProblemError('quota_exceeded', {
    fact: `${quota} numbers were submitted within 24 hours.`,
    headers: { 'retry-after': String(seconds) },
  });
}
