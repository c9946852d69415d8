/** Editing an approved number, with no new approval. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Changes } from '../../contract/fields.ts';
import { numberView } from '../../contract/views.ts';
import { isInTimeline } from '../../db/read.ts';
import { EditRefused, WorkflowClosed } from '../../temporal/numbers.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { type Customer, customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { notApproved } from '../decisions.ts';
import { expectedRevision } from '../etag.ts';
import {
  type Answer,
  earlierAnswer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { readJson } from '../json.ts';
import { checkTarget, findFor, numberAnswer, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';

/** Tries while the workflow takes the state of its row. */
const CATCH_UP_TRIES = 3;
const CATCH_UP_MS = 400;

/** Fields of an edit or a resubmission. The number itself is named only to say why it cannot be changed. */
export function changesBody(api: ApiContext) {
  return api.fields.changes.in
    .extend({
      mobileNumber: z
        .never({ error: 'The number itself cannot be changed; submit the other number anew.' })
        .optional()
        .describe('Never: the number itself cannot be changed.'),
    })
    .transform(({ mobileNumber: _, ...changes }) => changes as Changes);
}

export const editRoutes: Routes = async (app, { api }) => {
  // Here alone, so that other routes answer 415 to it.
  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'buffer' }, readJson(app));

  app.patch(
    '/v1/numbers/:id',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Edit an approved number',
        operationId: 'editNumber',
        tags: ['Numbers'],
        consumes: ['application/json', 'application/merge-patch+json'],
        params: numberParams,
        headers: writeHeaders.extend({ 'if-match': z.string().optional().describe('The ETag to edit.') }),
        body: changesBody(api),
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
      const changes = request.body;
      const keyed = keyedRequest(request);
      if (changes.incomingUrl) {
        const earlier = await earlierAnswer(api.db, keyed);
        if (earlier) return give(reply, earlier);
        await findFor(api, customerOf(request), request.params.id);
        await checkTarget(changes.incomingUrl);
      }
      const answer = await throughWorkflow(api.db, keyed, (operation) =>
        edit(api, request, request.params.id, changes, operation),
      );
      return give(reply, answer);
    },
  );
};

async function edit(
  api: ApiContext,
  request: FastifyRequest,
  id: string,
  changes: Changes,
  { operationId, resumed }: Operation,
): Promise<Answer> {
  const caller: Customer = customerOf(request);
  const found = await findFor(api, caller, id);
  const { row } = found;
  if (resumed && (await isInTimeline(api.db, id, operationId))) return numberAnswer(found, caller);
  if (row.status !== 'APPROVED') throw notApproved(row);
  const revision = expectedRevision(request.headers['if-match'], row);
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
      const { row: now } = await findFor(api, caller, id);
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
  return new ProblemError(error.code, { detail: error.message, cause: error });
}
