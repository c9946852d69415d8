/** Callback profiles: where the delivery statuses of an account's messages go. */
import { z } from 'zod';
import {
  callbackProfileFields,
  callbackProfilePage,
  callbackProfileView,
  newCallbackProfileView,
  viewCallbackProfile,
} from '../../contract/callback-profiles.ts';
import { emptyBody } from '../../contract/fields.ts';
import { anyId, pageQuery } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import {
  changeCallbackProfile,
  createCallbackProfile,
  deleteCallbackProfile,
  getCallbackProfile,
  listCallbackProfiles,
  MAX_CALLBACK_PROFILES,
} from '../../db/callback-profiles.ts';
import { getTarget, getTargets, rotateSecret } from '../../db/targets.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import {
  type Answer,
  give,
  inTransaction,
  keyedRequest,
  problemAnswer,
  writeHeaders,
} from '../idempotency.ts';
import { readJson } from '../json.ts';
import { checkTarget } from '../numbers.ts';
import { page, readCursor } from '../paging.ts';
import { invalidField, ProblemError } from '../problems.ts';
import { giveSecret } from '../targets.ts';

export const profileParams = z.object({
  id: anyId.meta(about('The profile, as it was answered.', 'cbp_019ab2c4f0c97d8e8f3b5d6a7c8e9f01')),
});
const cursor = z.string().regex(/^cbp_[0-9a-f]{32}$/);
const config = { access: ['customer'] } as const;
const tags = ['Callback profiles'];

export const callbackProfileRoutes: Routes = async (app, { api }) => {
  const { db, publicUrl } = api;
  const fields = callbackProfileFields(api.urls);

  app.get(
    '/v1/callback-profiles',
    {
      config,
      schema: {
        summary: 'List callback profiles, newest first',
        description: 'Those of your account.',
        operationId: 'listCallbackProfiles',
        tags,
        querystring: z.strictObject(pageQuery),
        response: answers({ 200: callbackProfilePage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at } = request.query;
      const before = readCursor(at, cursor);
      const { accountId } = customerOf(request);
      const { items, next } = await listCallbackProfiles(db, accountId, { limit, before });
      const targets = await getTargets(
        db,
        items.map(({ id }) => id),
      );
      const views = items.map((row) => viewCallbackProfile(row, targets.get(row.id) ?? null));
      return page(request, reply, publicUrl, views, next);
    },
  );

  app.post(
    '/v1/callback-profiles',
    {
      config: { ...config, answerHeaders: ['Location'] },
      schema: {
        summary: 'Create a callback profile',
        description: `Numbers name it in \`callbackProfileId\`. The answer shows its secret. An account has ${MAX_CALLBACK_PROFILES} at most.`,
        operationId: 'createCallbackProfile',
        tags,
        headers: writeHeaders,
        body: fields.creation,
        response: answers({ 201: newCallbackProfileView }, [...GUARDED, ...WRITES]),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const keyed = keyedRequest(request);
      const earlier = await checkTarget(api, keyed, request.body.url, '/url');
      if (earlier) return giveSecret(api, reply, earlier);
      const { sealed } = await api.targetSecrets.create();
      const { answer } = await inTransaction(db, keyed, async (tx) => {
        const row = await createCallbackProfile(tx, accountId, request.body);
        if (!row) {
          const detail = `The account has ${MAX_CALLBACK_PROFILES} callback profiles; delete one first.`;
          throw invalidField('', 'too_many', detail);
        }
        await rotateSecret(tx, { id: row.id, accountId, kind: 'callback', sealed });
        const location = `${publicUrl}/v1/callback-profiles/${row.id}`;
        // Sealed as long as it is stored.
        const body = { ...viewCallbackProfile(row, null), secret: sealed };
        return { answer: { status: 201, headers: { location }, body }, result: null };
      });
      return giveSecret(api, reply, answer);
    },
  );

  app.get(
    '/v1/callback-profiles/:id',
    {
      config,
      schema: {
        summary: 'Read a callback profile',
        description: 'Where it sends, and which statuses.',
        operationId: 'getCallbackProfile',
        tags,
        params: profileParams,
        response: answers({ 200: callbackProfileView }, [...GUARDED, 'not_found']),
      },
    },
    async (request) => {
      const row = existing(await getCallbackProfile(db, customerOf(request).accountId, request.params.id));
      return viewCallbackProfile(row, await getTarget(db, row.id));
    },
  );

  await app.register(changeRoute, { api });

  app.delete(
    '/v1/callback-profiles/:id',
    {
      config: { ...config, emptyBody: true },
      schema: {
        summary: 'Delete a callback profile',
        description: 'Not while a pending or approved number names it.',
        operationId: 'deleteCallbackProfile',
        tags,
        params: profileParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 204: noBody('Deleted.') }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'profile_in_use',
        ]),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx) => {
        const { numberIds } = existing(await deleteCallbackProfile(tx, accountId, request.params.id));
        const deleted: Answer = { status: 204, headers: {}, body: null };
        const inUse = () => problemAnswer(new ProblemError('profile_in_use', { extra: { numberIds } }));
        return { answer: numberIds.length === 0 ? deleted : inUse(), result: null };
      });
      return give(reply, answer);
    },
  );
};

/** Apart from the others, which do not take its second media type. */
const changeRoute: Routes = async (app, { api }) => {
  const { db } = api;
  const { changes: body } = callbackProfileFields(api.urls);

  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'buffer' }, readJson(app));
  app.patch(
    '/v1/callback-profiles/:id',
    {
      config,
      schema: {
        summary: 'Change a callback profile',
        description: 'Send the fields to change. It counts for all numbers that name the profile.',
        operationId: 'changeCallbackProfile',
        tags,
        consumes: ['application/json', 'application/merge-patch+json'],
        params: profileParams,
        headers: writeHeaders,
        body,
        response: answers({ 200: callbackProfileView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { id } = request.params;
      const keyed = keyedRequest(request);
      // Before DNS is asked.
      if (request.body.url !== undefined) existing(await getCallbackProfile(db, accountId, id));
      const earlier = await checkTarget(api, keyed, request.body.url, '/url');
      if (earlier) return give(reply, earlier);
      const { answer } = await inTransaction(db, keyed, async (tx) => {
        const row = existing(await changeCallbackProfile(tx, accountId, id, request.body));
        const body = viewCallbackProfile(row, await getTarget(tx, id));
        return { answer: { status: 200, headers: {}, body }, result: null };
      });
      return give(reply, answer);
    },
  );
};

/** Throws `not_found` where there is none. */
function existing<T>(found: T | null): T {
  if (found === null) throw new ProblemError('not_found');
  return found;
}
