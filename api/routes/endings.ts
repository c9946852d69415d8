/** How a customer ends a number: withdrawing a pending one, releasing an approved one. */
import { emptyBody } from '../../contract/fields.ts';
import { isPending } from '../../contract/number.ts';
import { numberView } from '../../contract/views.ts';
import type { NumberRow } from '../../db/number-row.ts';
import type { NumberOfAccount } from '../../db/read.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { type Customer, customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { judgeRelease, judgeWithdrawal, notApproved, notPending } from '../decisions.ts';
import { expectedRevision, ifMatch } from '../etag.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { findFor, lookAgain, numberAnswer, numberParams, unlessClosed, untilDone } from '../numbers.ts';

export const endingRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/numbers/:id/withdrawal',
    {
      config: { access: ['customer'], emptyBody: true },
      schema: {
        summary: 'Withdraw a pending number',
        description: 'Nobody decides on it any more, and its phone number can be submitted again.',
        operationId: 'withdrawNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders.extend(ifMatch),
        body: emptyBody,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_pending',
          'already_decided',
          'revision_conflict',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const tag = request.headers['if-match'];
      const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
        withdraw(api, caller, found, tag, operation),
      );
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/numbers/:id',
    {
      config: { access: ['customer'], emptyBody: true },
      schema: {
        summary: 'Release an approved number',
        description: 'It stays readable as RELEASED, and its phone number can be submitted again.',
        operationId: 'releaseNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders.extend(ifMatch),
        body: emptyBody,
        response: answers({ 204: noBody('Released.') }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_approved',
          'revision_conflict',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const tag = request.headers['if-match'];
      const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
        release(api, caller, found, tag, operation),
      );
      return give(reply, answer);
    },
  );
};

async function withdraw(
  api: ApiContext,
  caller: Customer,
  before: NumberOfAccount,
  tag: string | undefined,
  operation: Operation,
): Promise<Answer> {
  const { operationId } = operation;
  const { done, found } = await lookAgain(api, caller, before, operation);
  const { row } = found;
  if (done) return numberAnswer(found, caller);
  if (!isPending(row.status)) throw notPending(row, 'customer');
  expectedRevision(tag, row);
  const { attempt, stage } = await operation.seen({ attempt: row.attempt, stage: row.status });
  const judge = (now: NumberRow) => judgeWithdrawal(now, { attempt, stage, operationId });
  // A repeat is for the stage that the first try saw: refused where that has ended.
  if (judge(row) === 'done') return numberAnswer(found, caller);
  await unlessClosed(api.workflows.withdraw(row, { operationId, attempt, stage, by: caller.actor }));
  return numberAnswer(await untilDone(api, row, judge), caller);
}

async function release(
  api: ApiContext,
  caller: Customer,
  before: NumberOfAccount,
  tag: string | undefined,
  operation: Operation,
): Promise<Answer> {
  const { operationId } = operation;
  const released: Answer = { status: 204, headers: {}, body: null };
  const { done, found } = await lookAgain(api, caller, before, operation);
  const { row } = found;
  if (done) return released;
  if (row.status !== 'APPROVED') throw notApproved(row);
  expectedRevision(tag, row);
  await unlessClosed(api.workflows.release(row, { operationId, attempt: row.attempt, by: caller.actor }));
  await untilDone(api, row, (now) => judgeRelease(now, operationId));
  return released;
}
