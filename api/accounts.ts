/** What several routes do with accounts: refuse, answer, send what was written, have the numbers of a closed one ended. */
import type { FastifyBaseLogger } from 'fastify';
import { viewAccount } from '../contract/account-views.ts';
import type { AccountRow } from '../db/accounts.ts';
import type { Caller } from './auth.ts';
import type { ApiContext } from './context.ts';
import type { Answer } from './idempotency.ts';
import { ProblemError } from './problems.ts';

/** Refuses what needs the scope `admin` on a route that others may call for themselves. */
export function needAdmin(caller: Caller): void {
  if (caller.scopes.includes('admin')) return;
  const detail = `This call needs the scope "admin"; this caller has: ${caller.scopes.join(', ')}.`;
  throw new ProblemError('forbidden', { detail });
}

/** The account as it was found and locked, if it is open. */
export function openAccount(account: AccountRow | null): AccountRow {
  if (!account) throw new ProblemError('not_found');
  if (account.closedAt) throw new ProblemError('account_closed');
  return account;
}

export function accountAnswer(api: ApiContext, account: AccountRow): Answer {
  return { status: 200, headers: {}, body: viewAccount(account, api.config.ACCOUNT_ERASURE_DAYS) };
}

/** Has the numbers of an account ended that was just closed. Nobody waits for it: the Schedule does it, too. */
export function endNumbersSoon(api: ApiContext, log: FastifyBaseLogger, accountId: string): void {
  api.workflows.endClosed().catch((error: unknown) => {
    log.warn({ err: error, accountId }, 'The numbers of a closed account are left to the Schedule');
  });
}
