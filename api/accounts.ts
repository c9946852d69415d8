/** What several routes do with accounts: refuse, answer, close. */
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { viewAccount } from '../contract/account-views.ts';
import type { AccountRow } from '../db/accounts.ts';
import { type Closure, closeAccount } from '../db/close-account.ts';
import { auditOf } from './audit.ts';
import type { ApiContext } from './context.ts';
import { type Answer, inTransaction, keyedRequest } from './idempotency.ts';
import { sendSoon } from './mail.ts';
import { ProblemError } from './problems.ts';

/** The account as it was found and locked, if it is open. */
export function openAccount(account: AccountRow | null): AccountRow {
  if (!account) throw new ProblemError('not_found');
  if (account.closedAt) throw new ProblemError('account_closed');
  return account;
}

export function accountAnswer(api: ApiContext, account: AccountRow): Answer {
  return { status: 200, headers: {}, body: viewAccount(account, api.config.ACCOUNT_ERASURE_DAYS) };
}

/** Closes an account as asked for, and sets off what follows from that. */
export async function closeAsAsked(
  api: ApiContext,
  request: FastifyRequest,
  closure: Omit<Closure, 'settings'>,
): Promise<Answer> {
  const { answer, result } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
    const closed = await closeAccount(tx, { ...closure, settings: api.closing }, auditOf(request));
    if (closed === null) throw new ProblemError('not_found');
    if (closed === 'closed') throw new ProblemError('account_closed');
    return { answer: accountAnswer(api, closed.account), result: closed.lanes };
  });
  if (result) {
    for (const lane of result) sendSoon(api, lane, request.log);
    endNumbersSoon(api, request.log, closure.accountId);
  }
  return answer;
}

/** Has the numbers of an account ended that was just closed. Nobody waits for it: the Schedule does it, too. */
function endNumbersSoon(api: ApiContext, log: FastifyBaseLogger, accountId: string): void {
  api.workflows.endClosed().catch((error: unknown) => {
    log.warn({ err: error, accountId }, 'The numbers of a closed account are left to the Schedule');
  });
}
