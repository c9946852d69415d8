/** Carrying out a decision of support: judged, sent to the workflow, waited for. */
import type { DecisionBody } from '../contract/fields.ts';
import type { Stage } from '../contract/number.ts';
import { claimOn, releaseClaim } from '../db/claims.ts';
import type { NumberRow } from '../db/number-row.ts';
import { isMember } from '../db/people.ts';
import { isInTimeline, type NumberOfAccount } from '../db/read.ts';
import type { Staff } from './auth.ts';
import { checkClaim } from './claims.ts';
import type { ApiContext } from './context.ts';
import { judgeDecision } from './decisions.ts';
import type { Answer, Operation } from './idempotency.ts';
import { findFor, lookAgain, numberAnswer, unlessClosed, untilDone } from './numbers.ts';
import { ProblemError } from './problems.ts';
import { dueWithTimeLeft } from './stage-time.ts';

/** Answers when it is decided: with the number as it is then. Throws the problem where it is refused. */
export async function decide(
  api: ApiContext,
  caller: Staff,
  stage: Stage,
  before: NumberOfAccount,
  body: DecisionBody,
  operation: Pick<Operation, 'operationId' | 'resumed' | 'seen'>,
): Promise<Answer> {
  const { operationId } = operation;
  const { done, found } = await lookAgain(api, caller, before, operation);
  if (done) return decided(api, caller, operationId, found);
  const { id, accountId } = found.row;
  if (await isMember(api.db, caller.personId, accountId)) throw new ProblemError('own_account');
  const by = caller.actor;
  const { outcome } = body;
  // A repeat is for the attempt that the first try saw, not for one that came meanwhile.
  const attempt = body.attempt ?? (await operation.seen(found.row.attempt));
  const judge = (row: NumberRow) => judgeDecision(row, { stage, attempt, outcome, operationId, by });

  if (judge(found.row) === 'done') return decided(api, caller, operationId, found);
  checkClaim(await claimOn(api.db, found.row), caller.personId);
  const { reason = null, code = null, fields = [] } = body;
  // A first approval of two ends an open question, and the review goes on.
  const dueAt = found.row.question && dueWithTimeLeft(found.row, new Date(), api.acceptance.workingTime);
  const signal = { decisionId: operationId, attempt, outcome, reason, code, fields, by, dueAt };
  await unlessClosed(api.workflows.decide(found.row, stage, signal));
  try {
    return await decided(api, caller, operationId, await untilDone(api, found.row, judge));
  } catch (error) {
    // It took effect, and the number has moved on since: e.g. it was rejected and resubmitted at once.
    const refused = error instanceof ProblemError && error.code !== 'unavailable';
    if (refused && (await isInTimeline(api.db, id, operationId))) {
      return numberAnswer(await findFor(api, caller, id), caller);
    }
    throw error;
  }
}

/** The answer to a decision that took effect. Its sender is done with the review, also where the stage goes on. */
async function decided(
  api: ApiContext,
  caller: Staff,
  operationId: string,
  found: NumberOfAccount,
): Promise<Answer> {
  const { row } = found;
  // After a first approval, or with a decision of Facebook's that is kept.
  const given = [...row.approvals, row.facebookDecision];
  const goesOn = row.status === 'PENDING_VERIFICATION';
  if (goesOn && given.some((decision) => decision?.decisionId === operationId)) {
    await releaseClaim(api.db, row, caller.personId);
  }
  return numberAnswer(found, caller);
}
