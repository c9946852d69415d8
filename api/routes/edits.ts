/** Editing an approved number, with no new approval. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Changes } from '../../contract/fields.ts';
import { numberView } from '../../contract/views.ts';
import type { NumberOfAccount } from '../../db/read.ts';
import { EditRefused, WorkflowClosed } from '../../temporal/numbers.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { type Customer, customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { notApproved } from '../decisions.ts';
import { expectedRevision, ifMatch } from '../etag.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { readJson } from '../json.ts';
import { checkTarget, findFor, lookAgain, numberAnswer, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { checkReferences } from '../references.ts';

/** Tries while the workflow takes the state of its row. */
const CATCH_UP_TRIES = 3;
const CATCH_UP_MS = 400;

export const editRoutes: Routes = async (app, { api }) => {
  // Here alone, so that other routes answer 415 to it.
  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'buffer' }, readJson(app));

  app.patch(
    '/v1/numbers/:id',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Edit an approved number',
        description:
          'Send the fields to change; `null` or "" clears an optional one. The next read shows it; nobody has to approve.',
        operationId: 'editNumber',
        tags: ['Numbers'],
        consumes: ['application/json', 'application/merge-patch+json'],
        params: numberParams,
        headers: writeHeaders.extend(ifMatch),
        body: api.fields.changes,
        response: answers({ 200: numberView }, [
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
      const keyed = keyedRequest(request);
      const changes = request.body;
      const tag = request.headers['if-match'];
      const earlier = await checkTarget(api, keyed, changes.incomingUrl);
      if (earlier) return give(reply, earlier);
      const answer = await throughWorkflow(api.db, keyed, (operation) =>
        edit(api, caller, found, changes, tag, operation),
      );
      return give(reply, answer);
    },
  );
};

async function edit(
  api: ApiContext,
  caller: Customer,
  before: NumberOfAccount,
  changes: Changes,
  tag: string | undefined,
  operation: Operation,
): Promise<Answer> {
  const { operationId } = operation;
  const { done, found } = await lookAgain(api, caller, before, operation);
  if (done) return numberAnswer(found, caller);
  const { row } = found;
  if (row.status !== 'APPROVED') throw notApproved(row);
  const revision = expectedRevision(tag, row);
  await checkReferences(api.db, caller.accountId, changes);
  const wanted = {
    changes,
    by: caller.actor,
    ...(revision !== undefined && { expectedRevision: revision }),
  };
  for (let tries = 1; ; tries++) {
    try {
      const state = await api.workflows.edit(row, operationId, wanted);
      return numberAnswer(found, caller, { state });
    } catch (error) {
      const refused = error instanceof EditRefused ? error.code : null;
      const mayLag = refused === 'not_approved' || refused === 'revision_conflict';
      if (!mayLag && !(error instanceof WorkflowClosed)) throw explain(error);
      const { row: now } = await findFor(api, caller, row.id);
      if (now.status !== 'APPROVED') throw notApproved(now);
      if (refused === 'revision_conflict' && now.revision !== revision) throw explain(error);
      // The workflow knows less than the row: it was reset, and has to take the row's state first.
      if (refused === null || tries === CATCH_UP_TRIES) {
        throw new ProblemError('unavailable', { cause: error });
      }
      await api.workflows.refresh(now);
      await sleep(CATCH_UP_MS);
    }
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof EditRefused)) return error;
  return new ProblemError(error.code, { fact: error.message, cause: error });
}
