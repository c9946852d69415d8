/** The caller's own account: reading it, changing it, closing it. */
import { accountChanges, ownAccountClosure } from '../../contract/account-fields.ts';
import { accountView, viewAccount } from '../../contract/account-views.ts';
import { type AccountRow, changeAccount, findAccount, lockAccount } from '../../db/accounts.ts';
import { accountAnswer, closeAsAsked, openAccount } from '../accounts.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { invalidField } from '../problems.ts';

export const accountRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/account',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Read your account',
        description: 'The account that the key is of, or that the session acts for.',
        operationId: 'getAccount',
        tags: ['Account'],
        response: answers({ 200: accountView }, GUARDED),
      },
    },
    async (request) => {
      const account = openAccount(await findAccount(api.db, customerOf(request).accountId));
      return viewAccount(account, api.config.ACCOUNT_ERASURE_DAYS);
    },
  );

  app.patch(
    '/v1/account',
    {
      config: { access: ['customer'], scope: 'admin' },
      schema: {
        summary: 'Change your account',
        description: 'What is left out stays as it is.',
        operationId: 'changeAccount',
        tags: ['Account'],
        headers: writeHeaders,
        body: accountChanges,
        response: answers({ 200: accountView }, [...GUARDED, ...WRITES, 'account_closed']),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const before = openAccount(await lockAccount(tx, accountId));
        const account = await changeAccount(tx, before, request.body, auditOf(request));
        return { answer: accountAnswer(api, account), result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/account/closure',
    {
      config: { access: ['customer'], scope: 'admin' },
      schema: {
        summary: 'Close your account',
        description:
          "For good. Keys and sessions stop at once, also the caller's. Pending numbers are withdrawn, approved ones released within minutes; personal data is erased from `eraseAt` on.",
        operationId: 'closeOwnAccount',
        tags: ['Account'],
        headers: writeHeaders,
        body: ownAccountClosure,
        response: answers({ 200: accountView }, [...GUARDED, ...WRITES, 'account_closed']),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const check = ({ name }: AccountRow) => {
        if (request.body.name.normalize('NFC').trim() === name) return;
        throw invalidField('/name', 'mismatch', "Send the account's name as GET /v1/account answers it.");
      };
      return give(reply, await closeAsAsked(api, request, { accountId, check }));
    },
  );
};
