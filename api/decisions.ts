/** Judging decisions, withdrawals and releases by what the row says. Pure: throws the problem of a refusal. */
import { type Actor, isPending, isSameActor, type PendingStatus, type Stage } from '../contract/number.ts';
import { type StandingDecision, type Viewer, viewActor } from '../contract/views.ts';
import type { NumberRow } from '../db/number-row.ts';
import { invalidField, ProblemError } from './problems.ts';

export interface WantedDecision {
  stage: Stage;
  attempt: number;
  outcome: string;
  operationId: string;
  by: Actor;
}

/** `done` when this decision stands, `open` while none does. */
export function judgeDecision(row: NumberRow, wanted: WantedDecision): 'done' | 'open' {
  if (wanted.attempt < row.attempt) {
    throw new ProblemError('stale_attempt', { fact: `The number is at attempt ${row.attempt}.` });
  }
  if (wanted.attempt > row.attempt) {
    throw invalidField('/attempt', 'unknown_attempt', `The number is at attempt ${row.attempt}.`);
  }
  const standing = wanted.stage === 'verification' ? row.verification : row.facebookDecision;
  if (standing?.decisionId === wanted.operationId) return 'done';
  const mine = wanted.stage === 'verification' && row.approvals.find(({ by }) => isSameActor(by, wanted.by));
  if (mine && mine.decisionId === wanted.operationId) return 'done';
  if (row.status === 'WITHDRAWN' || row.status === 'RELEASED') throw notPending(row, 'staff');
  if (standing) {
    const { by, outcome, at } = standing;
    // The same person saying the same again, e.g. a second click.
    if ((isSameActor(by, wanted.by) || mine) && outcome === wanted.outcome) return 'done';
    throw new ProblemError('already_decided', { extra: { decision: shown({ outcome, by, at }, 'staff') } });
  }
  if (!isPending(row.status)) throw notPending(row, 'staff');
  if (mine && wanted.outcome === 'approved') throw new ProblemError('second_approval_needed');
  return 'open';
}

/** `done` when withdrawn by this operation, `open` while the stage that the customer saw goes on. */
export function judgeWithdrawal(
  row: NumberRow,
  wanted: { attempt: number; stage: PendingStatus; operationId: string },
): 'done' | 'open' {
  if (row.status === 'WITHDRAWN' && row.ending?.operationId === wanted.operationId) return 'done';
  return judgeStage(row, wanted, 'customer');
}

/** `open` while the stage that was seen goes on. */
export function judgeStage(
  row: NumberRow,
  seen: { attempt: number; stage: PendingStatus },
  viewer: Viewer,
): 'open' {
  if (row.attempt !== seen.attempt) {
    throw new ProblemError('not_pending', { fact: 'That attempt was rejected and resubmitted meanwhile.' });
  }
  if (row.status === seen.stage) return 'open';
  if (!isPending(row.status)) throw notPending(row, viewer);
  // The stage ended first, and the number waits for the next decision.
  const { verification } = row;
  throw new ProblemError('already_decided', {
    extra: verification ? { decision: shown({ ...verification }, viewer) } : {},
  });
}

/** `done` when released by this operation. */
export function judgeRelease(row: NumberRow, operationId: string): 'done' | 'open' {
  if (row.status === 'RELEASED' && row.ending?.operationId === operationId) return 'done';
  if (row.status !== 'APPROVED') throw notApproved(row);
  return 'open';
}

/** What ended the attempt: a withdrawal, a release, or the decision that rejected or approved it. */
function endOf(row: NumberRow): StandingDecision | null {
  const { status, ending } = row;
  if (status === 'WITHDRAWN' || status === 'RELEASED') {
    const outcome = status === 'WITHDRAWN' ? 'withdrawn' : 'released';
    return ending && { outcome, by: ending.by, at: ending.at };
  }
  const decision = row.verification?.outcome === 'rejected' ? row.verification : row.facebookDecision;
  return decision && { outcome: decision.outcome, by: decision.by, at: decision.at };
}

export function notPending(row: NumberRow, viewer: Viewer): ProblemError {
  const end = endOf(row);
  return new ProblemError('not_pending', {
    fact: `The number is ${row.status}.`,
    extra: end ? { decision: shown(end, viewer) } : {},
  });
}

export function notApproved(row: NumberRow): ProblemError {
  return new ProblemError('not_approved', { fact: `The number is ${row.status}.` });
}

function shown({ outcome, by, at }: StandingDecision, viewer: Viewer): StandingDecision {
  return { outcome, by: viewActor(by, viewer), at };
}
