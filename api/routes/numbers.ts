/** Submitting, listing and reading numbers. */
import { z } from 'zod';
import { numberQuery } from '../../contract/queries.ts';
import { numberPage, numberView, viewNumber } from '../../contract/views.ts';
import { acceptSubmission } from '../../db/accept.ts';
import { listNumbers } from '../../db/list.ts';
import { stateOf } from '../../db/number-row.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { callerOf, customerOf, tenantOf, viewerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { etagOf, ifNoneMatch, isUnchanged } from '../etag.ts';
import { give, inTransaction, keyedRequest, problemAnswer, writeHeaders } from '../idempotency.ts';
import { checkTarget, findFor, numberAnswer, numberParams, numberTaken, quotaExceeded } from '../numbers.ts';
import { page, readCursor } from '../paging.ts';
import { ProblemError } from '../problems.ts';
import { checkReferences } from '../references.ts';
import { goOn, withReviewRequests } from '../review-requests.ts';

const cursor = z.string().regex(/^num_[0-9a-f]{32}$/);

export const numberRoutes: Routes = async (app, { api }) => {
  const { db, publicUrl } = api;

  app.post(
    '/v1/numbers',
    {
      config: { access: ['customer'], answerHeaders: ['Location'] },
      schema: {
        summary: 'Submit a number for approval',
        description:
          'When it answers, reads and lists show the number, and the submitter gets an email. Support then verifies it, and Facebook decides.',
        operationId: 'submitNumber',
        tags: ['Numbers'],
        headers: writeHeaders,
        body: api.fields.submission,
        response: answers({ 201: numberView }, [...GUARDED, ...WRITES, 'number_taken', 'quota_exceeded']),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const keyed = keyedRequest(request);
      const submission = request.body;
      const earlier = await checkTarget(api, keyed, submission.incomingUrl);
      if (earlier) return give(reply, earlier);
      const { answer, result } = await inTransaction(db, keyed, async (tx, operationId) => {
        const { accountId, actor: by } = caller;
        await checkReferences(tx, accountId, submission);
        const row = await acceptSubmission(tx, {
          accountId,
          by,
          operationId,
          submission,
          settings: api.acceptance,
        });
        if ('until' in row) throw quotaExceeded(row, api.acceptance.submissionsPerDay);
        if ('taken' in row) return { answer: problemAnswer(numberTaken(row, accountId)), result: null };
        const created = numberAnswer({ row }, caller, { status: 201 });
        const location = `${publicUrl}/v1/numbers/${row.id}`;
        return {
          answer: { ...created, headers: { ...created.headers, location } },
          result: await withReviewRequests(tx, api, row),
        };
      });
      if (result) await goOn(api, result, request.log);
      return give(reply, answer);
    },
  );

  app.get(
    '/v1/numbers',
    {
      config: { access: ['customer', 'support', 'operator'] },
      schema: {
        summary: 'List numbers, newest first',
        description: 'Customers see those of their account, staff all. Filters are combined.',
        operationId: 'listNumbers',
        tags: ['Numbers'],
        querystring: numberQuery,
        response: answers({ 200: numberPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { limit, cursor: at, ...filter } = request.query;
      if (filter.accountId !== undefined && caller.kind === 'customer') {
        throw new ProblemError('forbidden', { detail: 'The filter accountId is for staff: leave it out.' });
      }
      const before = readCursor(at, cursor);
      const { items, next } = await listNumbers(db, tenantOf(caller), filter, { limit, before });
      const views = items.map(({ row, accountName }) =>
        viewNumber({ ...row, accountName }, stateOf(row), viewerOf(caller)),
      );
      return page(request, reply, publicUrl, views, next);
    },
  );

  app.get(
    '/v1/numbers/:id',
    {
      config: { access: ['customer', 'support', 'operator'] },
      schema: {
        summary: 'Read a number',
        description: 'Its profile, status, and what has to be done next by whom.',
        operationId: 'getNumber',
        tags: ['Numbers'],
        params: numberParams,
        headers: z.looseObject(ifNoneMatch),
        response: answers(
          { 200: numberView, 304: noBody('Not modified: the ETag is one of If-None-Match.') },
          [...GUARDED, 'not_found', 'invalid_request'],
        ),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const etag = etagOf(found.row);
      if (isUnchanged(request.headers['if-none-match'], etag))
        return reply.code(304).header('etag', etag).send(undefined);
      return give(reply, numberAnswer(found, caller));
    },
  );
};
