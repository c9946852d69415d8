/** Support's verification, and Facebook's decision as support records it. */
import { type DecisionBody, decisionBody } from '../../contract/fields.ts';
import type { Stage } from '../../contract/number.ts';
import { numberView } from '../../contract/views.ts';
import { claimOn, releaseClaim } from '../../db/claims.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { isMember } from '../../db/people.ts';
import { isInTimeline, type NumberOfAccount } from '../../db/read.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { type Staff, staffOf } from '../auth.ts';
import { checkClaim } from '../claims.ts';
import type { ApiContext, Routes } from '../context.ts';
import { judgeDecision } from '../decisions.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { findFor, lookAgain, numberAnswer, numberParams, unlessClosed, untilDone } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { dueWithTimeLeft } from '../stage-time.ts';

const STAGE_ROUTES = [
  {
    stage: 'verification',
    path: '/v1/numbers/:id/verification',
    operationId: 'verifyNumber',
    summary: "Decide on a number's details",
    description:
      'The first decision of a stage stands. Some business categories need two supporters to approve: the first ' +
      'approval answers 200 with the status unchanged, and `approvals` with it; a rejection rejects at once.',
    codes: ['second_approval_needed'],
  },
  {
    stage: 'facebook',
    path: '/v1/numbers/:id/facebook-decision',
    operationId: 'recordFacebookDecision',
    summary: "Record Facebook's decision",
    description: 'Before support has approved it is kept, and takes effect with that approval.',
    codes: [],
  },
] as const;

export const decisionRoutes: Routes = async (app, { api }) => {
  for (const { stage, path, codes, ...about } of STAGE_ROUTES) {
    app.post(
      path,
      {
        config: { access: ['support'] },
        schema: {
          ...about,
          tags: ['Review'],
          params: numberParams,
          headers: writeHeaders,
          body: decisionBody,
          response: answers({ 200: numberView }, [
            ...GUARDED,
            ...WRITES,
            'own_account',
            'not_found',
            'not_pending',
            'already_decided',
            'claimed',
            'stale_attempt',
            ...codes,
          ]),
        },
      },
      async (request, reply) => {
        const caller = staffOf(request);
        const found = await findFor(api, caller, request.params.id);
        const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
          decide(api, caller, stage, found, request.body, operation),
        );
        return give(reply, answer);
      },
    );
  }
};

async function decide(
  api: ApiContext,
  caller: Staff,
  stage: Stage,
  before: NumberOfAccount,
  body: DecisionBody,
  operation: Operation,
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
