/** Resubmitting a rejected number: the same number, the next attempt. */
import { numberView } from '../../contract/views.ts';
import { acceptResubmission } from '../../db/accept.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { expectedRevision, ifMatch } from '../etag.ts';
import { give, inTransaction, keyedRequest, problemAnswer, writeHeaders } from '../idempotency.ts';
import { checkTarget, findFor, numberAnswer, numberParams, numberTaken } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { checkReferences } from '../references.ts';
import { goOn, withReviewRequests } from '../review-requests.ts';

export const resubmissionRoutes: Routes = async (app, { api }) => {
  const { db } = api;

  app.post(
    '/v1/numbers/:id/resubmission',
    {
      config: { access: ['customer'], emptyBody: true },
      schema: {
        summary: 'Resubmit a rejected number',
        description: 'Send the fields to change, or nothing. It goes back to support as the next attempt.',
        operationId: 'resubmitNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders.extend(ifMatch),
        body: api.fields.changes,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_rejected',
          'number_taken',
          'revision_conflict',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const { id } = request.params;
      const changes = request.body;
      const keyed = keyedRequest(request);
      // Before DNS is asked; the transaction looks for itself.
      if (changes.incomingUrl) await findFor(api, caller, id);
      const earlier = await checkTarget(api, keyed, changes.incomingUrl);
      if (earlier) return give(reply, earlier);
      const { answer, result } = await inTransaction(db, keyed, async (tx, operationId) => {
        const { accountId, actor: by } = caller;
        const outcome = await acceptResubmission(tx, {
          numberId: id,
          accountId,
          by,
          operationId,
          changes,
          check: async (before) => {
            expectedRevision(request.headers['if-match'], before);
            // Also of what stays: a profile can be deleted while the number is rejected.
            await checkReferences(tx, accountId, { ...before, ...changes });
          },
          settings: api.acceptance,
        });
        // Rolls the record back too: there is nothing that a key could be for.
        if (!outcome) throw new ProblemError('not_found');
        if ('taken' in outcome) {
          return { answer: problemAnswer(numberTaken(outcome, accountId)), result: null };
        }
        if ('notRejected' in outcome) {
          const fact = `The number is ${outcome.notRejected.status}.`;
          return { answer: problemAnswer(new ProblemError('not_rejected', { fact })), result: null };
        }
        return {
          answer: numberAnswer({ row: outcome }, caller),
          result: await withReviewRequests(tx, api, outcome),
        };
      });
      if (result) await goOn(api, result, request.log);
      return give(reply, answer);
    },
  );
};
