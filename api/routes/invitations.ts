/** Inviting people to an account: by its admins, and by operators. */
import { z } from 'zod';
import { newInvitation } from '../../contract/account-fields.ts';
import { invitationQuery } from '../../contract/account-queries.ts';
import { invitationPage, invitationView, viewInvitation } from '../../contract/account-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import { anyId } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import {
  INVITATIONS_A_DAY,
  invite,
  listInvitations,
  OPEN_INVITATIONS,
  revokeInvitation,
} from '../../db/invitations.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { type Caller, callerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { invitationLink } from '../invitations.ts';
import { sendSoon } from '../mail.ts';
import { page, readCursor } from '../paging.ts';
import { invalidField, malformedQuery, ProblemError } from '../problems.ts';

const cursor = z.string().regex(/^inv_[0-9a-f]{32}$/);

/** The account that the caller invites to: their own; an operator names one. Null where they named none. */
function accountFor(caller: Caller, named: string | undefined): string | null {
  if (caller.kind !== 'customer') return named ?? null;
  if (named === undefined || named === caller.accountId) return caller.accountId;
  throw new ProblemError('forbidden', { detail: 'Naming an account is for operators: leave accountId out.' });
}

export const invitationRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/invitations',
    {
      config: { access: ['customer', 'operator'], scope: 'admin' },
      schema: {
        summary: 'List open invitations, newest first',
        description: 'Those that were neither accepted nor revoked and have not expired.',
        operationId: 'listInvitations',
        tags: ['Account'],
        querystring: invitationQuery,
        response: answers({ 200: invitationPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, accountId: named } = request.query;
      const accountId = accountFor(callerOf(request), named);
      if (accountId === null) {
        throw malformedQuery([
          { pointer: 'accountId', code: 'required', detail: 'Send the id of an account.' },
        ]);
      }
      const before = readCursor(at, cursor);
      const { items, next } = await listInvitations(api.db, accountId, { limit, before });
      return page(request, reply, api.publicUrl, items.map(viewInvitation), next);
    },
  );

  app.post(
    '/v1/invitations',
    {
      config: { access: ['customer', 'operator'], scope: 'admin' },
      schema: {
        summary: 'Invite somebody to the account',
        description: `By an email whose link works once, for seven days. Inviting an address again ends the invitation before. At most ${OPEN_INVITATIONS} are open at a time, and ${INVITATIONS_A_DAY} are sent within 24 hours.`,
        operationId: 'invite',
        tags: ['Account'],
        headers: writeHeaders,
        body: newInvitation,
        response: answers({ 201: invitationView }, [
          ...GUARDED,
          ...WRITES,
          'already_exists',
          'limit_reached',
          'account_closed',
        ]),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { email, role, accountId: named } = request.body;
      const accountId = accountFor(caller, named);
      if (accountId === null) throw refusal('unknown');
      const inviterId = caller.kind === 'customer' ? caller.personId : null;
      const { answer, result } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const wanted = { accountId, email, role, inviterId };
        const { mailDomain } = api.acceptance;
        const invited = await invite(
          tx,
          { ...wanted, linkTo: invitationLink(api), mailDomain },
          auditOf(request),
        );
        if (typeof invited === 'string') throw refusal(invited);
        return { answer: { status: 201, headers: {}, body: viewInvitation(invited) }, result: email };
      });
      if (result) sendSoon(api, result, request.log);
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/invitations/:id',
    {
      config: { access: ['customer', 'operator'], scope: 'admin', emptyBody: true },
      schema: {
        summary: 'Revoke an open invitation',
        description: 'Its link does not work any more.',
        operationId: 'revokeInvitation',
        tags: ['Account'],
        params: z.object({
          id: anyId.meta(about('The id of the invitation.', 'inv_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
        }),
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 204: noBody('Revoked.') }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const accountId = caller.kind === 'customer' ? caller.accountId : null;
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const { id } = request.params;
        const revoked = await revokeInvitation(tx, { id, accountId }, auditOf(request));
        if (!revoked) throw new ProblemError('not_found');
        return { answer: { status: 204, headers: {}, body: null }, result: null };
      });
      return give(reply, answer);
    },
  );
};

function refusal(why: 'unknown' | 'closed' | 'member' | 'open_limit' | 'day_limit'): ProblemError {
  switch (why) {
    case 'unknown':
      return invalidField('/accountId', 'unknown', 'Send the id of an account.');
    case 'closed':
      return new ProblemError('account_closed');
    case 'member':
      return new ProblemError('already_exists', {
        detail: 'The person with this address is a member already.',
      });
    case 'open_limit':
      return new ProblemError('limit_reached', {
        detail: `${OPEN_INVITATIONS} invitations are open, the most there may be. Revoke one that is not needed any more: DELETE /v1/invitations/{id}.`,
      });
    case 'day_limit':
      return new ProblemError('limit_reached', {
        detail: `${INVITATIONS_A_DAY} invitations were sent within 24 hours, the most there may be. Invite again when the first of them is a day old.`,
      });
  }
}
