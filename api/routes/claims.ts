/** Sharing the queue: taking a review, giving it back, and asking for the next one. */
import { emptyBody } from '../../contract/fields.ts';
import { STAGES } from '../../contract/number.ts';
import { claimBody, nextBody, reviewView, viewReview } from '../../contract/reviews.ts';
import { recordAudit } from '../../db/audit.ts';
import { claim, claimNext, claimOn, holdNumber, releaseClaim } from '../../db/claims.ts';
import type { Transaction } from '../../db/client.ts';
import { stateOf } from '../../db/number-row.ts';
import { isMember } from '../../db/people.ts';
import { readReview } from '../../db/reviews.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import { staffOf } from '../auth.ts';
import { checkClaim, checkOpen } from '../claims.ts';
import type { Routes } from '../context.ts';
import { type Answer, give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { findFor, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';

const config = { access: ['support'], emptyBody: true } as const;
const tags = ['Review'];
const nothing: Answer = { status: 204, headers: {}, body: null };

export const claimRoutes: Routes = async (app, { api }) => {
  const { db } = api;
  const ms = api.config.CLAIM_MINUTES * 60_000;

  app.put(
    '/v1/numbers/:id/claim',
    {
      config,
      schema: {
        summary: 'Claim a review',
        description:
          'Nobody else decides on it until the claim runs out; claiming it again renews the claim. A claim ends with the decision, the stage or the attempt.',
        operationId: 'claimReview',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: claimBody,
        response: answers({ 200: reviewView }, [
          ...GUARDED,
          ...WRITES,
          'own_account',
          'not_found',
          'not_pending',
          'second_approval_needed',
          'claimed',
        ]),
      },
    },
    async (request, reply) => {
      const caller = staffOf(request);
      const { personId } = caller;
      const { id } = request.params;
      const { accountId } = (await findFor(api, caller, id)).row;
      if (await isMember(db, personId, accountId)) throw new ProblemError('own_account');
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx) => {
        const row = await holdNumber(tx, id);
        if (!row) throw new ProblemError('not_found');
        checkOpen(row, personId);
        const held = await claimOn(tx, row);
        if (!request.body.force) checkClaim(held, personId);
        await claim(tx, row, { personId, ms });
        if (held && held.personId !== personId) {
          await recordAudit(tx, {
            ...originOf(request),
            type: 'claim.taken-over',
            actor: caller.actor,
            accountId,
            targetId: held.personId,
            data: { numberId: id },
          });
        }
        return { answer: await reviewAnswer(tx, id), result: null };
      });
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/numbers/:id/claim',
    {
      config,
      schema: {
        summary: 'Give a review back',
        description: 'Ends a claim of your own, so that others can decide.',
        operationId: 'releaseReview',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 204: noBody('Given back.') }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_claimed',
        ]),
      },
    },
    async (request, reply) => {
      const caller = staffOf(request);
      const { row } = await findFor(api, caller, request.params.id);
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx) => {
        if (!(await releaseClaim(tx, row, caller.personId))) throw new ProblemError('not_claimed');
        return { answer: nothing, result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/reviews/next',
    {
      config,
      schema: {
        summary: 'Claim the next review',
        description:
          'Another one at each call: first resubmissions that you judged the time before, then other resubmissions, then the longest waiting. Never one of an account of yours, one that you gave the first approval, or one that waits for the customer.',
        operationId: 'nextReview',
        tags,
        headers: writeHeaders,
        body: nextBody,
        response: answers({ 200: reviewView, 204: noBody('There is none.') }, [...GUARDED, ...WRITES]),
      },
    },
    async (request, reply) => {
      const { personId } = staffOf(request);
      const { stage } = request.body;
      const stages = stage === undefined ? STAGES : [stage];
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx) => {
        const row = await claimNext(tx, stages, { personId, ms });
        return { answer: row ? await reviewAnswer(tx, row.id) : nothing, result: null };
      });
      return give(reply, answer);
    },
  );
};

async function reviewAnswer(tx: Transaction, numberId: string): Promise<Answer> {
  const review = await readReview(tx, numberId);
  const { row, accountName } = review;
  return { status: 200, headers: {}, body: viewReview({ ...row, accountName }, stateOf(row), review) };
}
