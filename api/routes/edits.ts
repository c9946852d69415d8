/** Editing an approved number, with no new approval. */
import { numberView } from '../../contract/views.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { edit } from '../edit.ts';
import { ifMatch } from '../etag.ts';
import { give, keyedRequest, throughWorkflow, writeHeaders } from '../idempotency.ts';
import { readJson } from '../json.ts';
import { checkTarget, findFor, numberParams } from '../numbers.ts';

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
