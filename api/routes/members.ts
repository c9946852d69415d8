/** The people of the caller's account. */
import { z } from 'zod';
import { memberChanges } from '../../contract/account-fields.ts';
import { memberPage, memberView, viewMember } from '../../contract/account-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import { anyId, pageQuery } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import { changeRole, listMembers, removeMember } from '../../db/members.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { customerOf, needScope } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { page, readCursor } from '../paging.ts';
import { ProblemError } from '../problems.ts';

const cursor = z.string().regex(/^mem_[0-9a-f]{32}$/);
const params = z.object({
  personId: anyId.meta(about('The id of the person.', 'usr_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
});

export const memberRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/members',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'List the members of your account',
        description: 'In the order they joined.',
        operationId: 'listMembers',
        tags: ['Account'],
        querystring: z.strictObject(pageQuery),
        response: answers({ 200: memberPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { limit, cursor: at } = request.query;
      const { items, next } = await listMembers(api.db, accountId, { limit, after: readCursor(at, cursor) });
      return page(request, reply, api.publicUrl, items.map(viewMember), next);
    },
  );

  app.patch(
    '/v1/members/:personId',
    {
      config: { access: ['customer'], scope: 'admin' },
      schema: {
        summary: 'Change the role of a member',
        description: 'An account keeps an admin who can sign in.',
        operationId: 'changeMember',
        tags: ['Account'],
        params,
        headers: writeHeaders,
        body: memberChanges,
        response: answers({ 200: memberView }, [...GUARDED, ...WRITES, 'not_found', 'last_admin']),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { personId } = request.params;
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const { role } = request.body;
        const member = await changeRole(tx, { accountId, personId, role }, auditOf(request));
        if (typeof member === 'string') throw refusal(member);
        return { answer: { status: 200, headers: {}, body: viewMember(member) }, result: null };
      });
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/members/:personId',
    {
      config: { access: ['customer'], emptyBody: true },
      schema: {
        summary: 'Remove a member, or leave the account',
        description:
          'Removing others is for admins; everybody may leave by naming themselves. Sessions lose the account at once; keys and invitations that the member made stay: revoke what is not to. An account keeps an admin who can sign in.',
        operationId: 'removeMember',
        tags: ['Account'],
        params,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 204: noBody('Removed.') }, [...GUARDED, ...WRITES, 'not_found', 'last_admin']),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const { accountId } = caller;
      const { personId } = request.params;
      if (personId !== caller.personId) needScope(caller, 'admin');
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const removed = await removeMember(tx, { accountId, personId }, auditOf(request));
        if (removed !== 'removed') throw refusal(removed);
        return { answer: { status: 204, headers: {}, body: null }, result: null };
      });
      return give(reply, answer);
    },
  );
};

function refusal(why: 'unknown' | 'last_admin'): ProblemError {
  return new ProblemError(why === 'unknown' ? 'not_found' : 'last_admin');
}
