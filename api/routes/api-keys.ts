/** API keys: an account's by its admins, those of staff by operators. */
import { z } from 'zod';
import { newApiKey } from '../../contract/account-fields.ts';
import { apiKeyQuery } from '../../contract/account-queries.ts';
import { apiKeyPage, newApiKeyView, viewApiKey } from '../../contract/account-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import { anyId } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import { addApiKey, type KeyOwner, LIVE_KEYS, listApiKeys, revokeApiKey } from '../../db/manage-api-keys.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { type Caller, callerOf, viewerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { page, readCursor } from '../paging.ts';
import { invalidField, ProblemError } from '../problems.ts';

const cursor = z.string().regex(/^key_[0-9a-f]{32}$/);

/** Whose keys the caller manages. */
function ownerFor(caller: Caller, personId: string | undefined): KeyOwner {
  if (caller.kind !== 'customer') return { personId: personId ?? null };
  if (personId === undefined) return { accountId: caller.accountId };
  throw new ProblemError('forbidden', {
    detail: 'Keys of staff people are for operators: leave personId out.',
  });
}

export const apiKeyRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/api-keys',
    {
      config: { access: ['customer', 'operator'], scope: 'admin' },
      schema: {
        summary: 'List API keys, newest first',
        description:
          'Account admins: those of the account. Operators: those of staff people. Revoked ones, too.',
        operationId: 'listApiKeys',
        tags: ['Account'],
        querystring: apiKeyQuery,
        response: answers({ 200: apiKeyPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { limit, cursor: at, personId } = request.query;
      const before = readCursor(at, cursor);
      const { items, next } = await listApiKeys(api.db, ownerFor(caller, personId), { limit, before });
      const views = items.map((row) => viewApiKey(row, viewerOf(caller)));
      return page(request, reply, api.publicUrl, views, next);
    },
  );

  app.post(
    '/v1/api-keys',
    {
      config: { access: ['customer', 'operator'], scope: 'admin' },
      schema: {
        summary: 'Create an API key',
        description: `The key is shown once, in this answer. An account, or a staff person, has at most ${LIVE_KEYS} keys that work.`,
        operationId: 'createApiKey',
        tags: ['Account'],
        headers: writeHeaders,
        body: newApiKey,
        response: answers({ 201: newApiKeyView }, [...GUARDED, ...WRITES, 'limit_reached', 'account_closed']),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { personId, name, scopes, expiresAt = null } = request.body;
      const owner = ownerFor(caller, personId);
      const missing = scopes.filter((scope) => !caller.scopes.includes(scope));
      if (missing.length > 0) {
        const detail = `Nobody gives what they do not have themselves: ${missing.join(', ')}. Leave it out, or ask somebody who has it.`;
        throw new ProblemError('forbidden', { detail });
      }
      const { answer, result } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const whose = 'accountId' in owner ? owner : { personId: owner.personId ?? '' };
        const created = await addApiKey(tx, whose, { name, scopes, expiresAt }, auditOf(request));
        if (typeof created === 'string') throw refusal(created);
        // What is stored for a repeat has no secret in it.
        const body = { ...viewApiKey(created.row, viewerOf(caller)), key: null };
        return { answer: { status: 201, headers: {}, body }, result: created.key };
      });
      return give(
        reply,
        result === null ? answer : { ...answer, body: { ...(answer.body as object), key: result } },
      );
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      config: { access: ['customer', 'operator'], scope: 'admin', emptyBody: true },
      schema: {
        summary: 'Revoke an API key',
        description:
          'It stops with its next use. One that is revoked already stays so. A key may revoke itself.',
        operationId: 'revokeApiKey',
        tags: ['Account'],
        params: z.object({
          id: anyId.meta(about('The id of the key.', 'key_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
        }),
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 204: noBody('Revoked.') }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const owner = ownerFor(callerOf(request), undefined);
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const revoked = await revokeApiKey(tx, owner, request.params.id, auditOf(request));
        if (!revoked) throw new ProblemError('not_found');
        return { answer: { status: 204, headers: {}, body: null }, result: null };
      });
      return give(reply, answer);
    },
  );
};

function refusal(why: 'unknown' | 'closed' | 'scope' | 'limit'): ProblemError {
  switch (why) {
    case 'unknown':
      return invalidField('/personId', 'unknown', 'Send the id of a staff person.');
    case 'closed':
      return new ProblemError('account_closed');
    case 'scope':
      return invalidField('/scopes', 'not_for_support', 'A key of support can have "read" and "write".');
    case 'limit':
      return new ProblemError('limit_reached', {
        detail: `There are ${LIVE_KEYS} keys that work, the most there may be. Revoke one that is not needed any more: DELETE /v1/api-keys/{id}.`,
      });
  }
}
