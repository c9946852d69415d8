/** How a customer ends a number: withdrawing a pending one, releasing an approved one. */
import { z } from 'zod';
import { isPending } from '../../contract/number.ts';
import { numberView } from '../../contract/views.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { isInTimeline } from '../../db/read.ts';
import { WorkflowClosed } from '../../temporal/numbers.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { type Customer, customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { judgeRelease, judgeWithdrawal, notApproved, notPending } from '../decisions.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { findFor, numberAnswer, numberParams, untilDone } from '../numbers.ts';

export const endingRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/numbers/:id/withdrawal',
    {
      config: { access: ['customer'], emptyBody: true },
      schema: {
        summary: 'Withdraw a pending number',
        operationId: 'withdrawNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders,
        body: z.strictObject({}),
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_pending',
          'already_decided',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
        withdraw(api, caller, request.params.id, operation),
      );
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/numbers/:id',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Release an approved number',
        description: 'It stays readable as RELEASED, and its phone number can be submitted again.',
        operationId: 'releaseNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders,
        response: answers({ 204: noBody('Released.') }, [...GUARDED, ...WRITES, 'not_found', 'not_approved']),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
        release(api, caller, request.params.id, operation),
      );
      return give(reply, answer);
    },
  );
};

async function withdraw(
  api: ApiContext,
  caller: Customer,
  id: string,
  { operationId, resumed, seen }: Operation,
): Promise<Answer> {
  const found = await findFor(api, caller, id);
  const { row } = found;
  if (resumed && (await isInTimeline(api.db, id, operationId))) return numberAnswer(found, caller);
  if (!isPending(row.status)) throw notPending(row, 'customer');
  const { attempt, stage } = await seen({ attempt: row.attempt, stage: row.status });
  const judge = (now: NumberRow) => judgeWithdrawal(now, { attempt, stage, operationId });
  // A repeat is for the stage that the first try saw: refused where that has ended.
  if (judge(row) === 'done') return numberAnswer(found, caller);
  await unlessClosed(api.workflows.withdraw(row, { operationId, attempt, stage, by: caller.actor }));
  return numberAnswer(await untilDone(api, row, judge), caller);
}

async function release(
  api: ApiContext,
  caller: Customer,
  id: string,
  { operationId, resumed }: Operation,
): Promise<Answer> {
  const released: Answer = { status: 204, headers: {}, body: null };
  const { row } = await findFor(api, caller, id);
  if (resumed && (await isInTimeline(api.db, id, operationId))) return released;
  if (row.status !== 'APPROVED') throw notApproved(row);
  await unlessClosed(api.workflows.release(row, { operationId, attempt: row.attempt, by: caller.actor }));
  await untilDone(api, row, (now) => judgeRelease(now, operationId));
  return released;
}

/** A workflow that has ended cannot be asked; its row says, now or in a moment, how it ended. */
export async function unlessClosed(sent: Promise<void>): Promise<void> {
  await sent.catch((error: unknown) => {
    if (!(error instanceof WorkflowClosed)) throw error;
  });
}
