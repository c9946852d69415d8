/** Accounts, as operators create, change and close them. */
import { z } from 'zod';
import { accountChanges, accountClosure, newAccount } from '../../contract/account-fields.ts';
import { accountQuery } from '../../contract/account-queries.ts';
import {
  accountPage,
  accountView,
  newAccountView,
  viewAccount,
  viewInvitation,
} from '../../contract/account-views.ts';
import { anyId } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import { changeAccount, createAccount, findAccount, listAccounts, lockAccount } from '../../db/accounts.ts';
import { invite } from '../../db/invitations.ts';
import { accountAnswer, closeAsAsked, openAccount } from '../accounts.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { invitationLink } from '../invitations.ts';
import { sendSoon } from '../mail.ts';
import { page, readCursor } from '../paging.ts';
import { ProblemError } from '../problems.ts';

const cursor = z.string().regex(/^org_[0-9a-f]{32}$/);
const params = z.object({
  id: anyId.meta(about('The id of the account.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
});

export const accountsRoutes: Routes = async (app, { api }) => {
  const erasureDays = api.config.ACCOUNT_ERASURE_DAYS;

  app.get(
    '/v1/accounts',
    {
      config: { access: ['operator'] },
      schema: {
        summary: 'List accounts, newest first',
        description: 'Closed ones, too.',
        operationId: 'listAccounts',
        tags: ['Operation'],
        querystring: accountQuery,
        response: answers({ 200: accountPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, q } = request.query;
      const { items, next } = await listAccounts(api.db, { q }, { limit, before: readCursor(at, cursor) });
      const views = items.map((row) => viewAccount(row, erasureDays));
      return page(request, reply, api.publicUrl, views, next);
    },
  );

  app.post(
    '/v1/accounts',
    {
      config: { access: ['operator'], scope: 'admin', answerHeaders: ['Location'] },
      schema: {
        summary: 'Create an account',
        description: 'Its first admin is invited by email.',
        operationId: 'createAccount',
        tags: ['Operation'],
        headers: writeHeaders,
        body: newAccount,
        response: answers({ 201: newAccountView }, [...GUARDED, ...WRITES]),
      },
    },
    async (request, reply) => {
      const { admin, ...account } = request.body;
      const { answer, result } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const by = auditOf(request);
        const created = await createAccount(tx, account, by);
        const invitation = await invite(
          tx,
          {
            accountId: created.id,
            role: 'admin',
            ...admin,
            inviterId: null,
            linkTo: invitationLink(api),
            mailDomain: api.acceptance.mailDomain,
          },
          by,
        );
        if (typeof invitation === 'string') throw new Error(`Nobody was invited: ${invitation}`);
        const body = { ...viewAccount(created, erasureDays), invitation: viewInvitation(invitation) };
        const location = `${api.publicUrl}/v1/accounts/${created.id}`;
        return { answer: { status: 201, headers: { location }, body }, result: admin.email };
      });
      if (result) sendSoon(api, result, request.log);
      return give(reply, answer);
    },
  );

  app.get(
    '/v1/accounts/:id',
    {
      config: { access: ['operator'] },
      schema: {
        summary: 'Read an account',
        description: 'Also one that is closed.',
        operationId: 'getAccountById',
        tags: ['Operation'],
        params,
        response: answers({ 200: accountView }, [...GUARDED, 'not_found']),
      },
    },
    async (request) => {
      const account = await findAccount(api.db, request.params.id);
      if (!account) throw new ProblemError('not_found');
      return viewAccount(account, erasureDays);
    },
  );

  app.patch(
    '/v1/accounts/:id',
    {
      config: { access: ['operator'], scope: 'admin' },
      schema: {
        summary: 'Change an account',
        description: 'What is left out stays as it is.',
        operationId: 'changeAccountById',
        tags: ['Operation'],
        params,
        headers: writeHeaders,
        body: accountChanges,
        response: answers({ 200: accountView }, [...GUARDED, ...WRITES, 'not_found', 'account_closed']),
      },
    },
    async (request, reply) => {
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const before = openAccount(await lockAccount(tx, request.params.id));
        const account = await changeAccount(tx, before, request.body, auditOf(request));
        return { answer: accountAnswer(api, account), result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/accounts/:id/closure',
    {
      config: { access: ['operator'], scope: 'admin' },
      schema: {
        summary: 'Close an account',
        description:
          'For good. Its keys and sessions stop at once; pending numbers are withdrawn, approved ones released within minutes; personal data is erased from `eraseAt` on.',
        operationId: 'closeAccount',
        tags: ['Operation'],
        params,
        headers: writeHeaders,
        body: accountClosure,
        response: answers({ 200: accountView }, [...GUARDED, ...WRITES, 'not_found', 'account_closed']),
      },
    },
    async (request, reply) => {
      const { id: accountId } = request.params;
      const { reason } = request.body;
      return give(reply, await closeAsAsked(api, request, { accountId, reason }));
    },
  );
};
