import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import pLimit from 'p-limit';
import { LIVE_STATUSES } from '../contract/number.ts';
import type { AccountRow } from '../db/accounts.ts';
import { closedAccounts, numbersInStatus, stillIn } from '../db/close-account.ts';
import { accountsToErase, eraseAccount, eraseAudit, eraseNumbers } from '../db/erase-account.ts';
import type { NumberRow } from '../db/number-row.ts';
import { TemporalUnavailable, WorkflowClosed } from '../temporal/numbers.ts';
import type { ActivityDeps } from './deps.ts';

/** Milliseconds unless named otherwise. */
export const CLOSING_LIMITS = {
  /** Numbers asked to end before the next ones are: a large account must not hold up everybody else's decisions. */
  page: 100,
  atOnce: 8,
  /** How long they may take to end. */
  ending: 30_000,
  /** How often the walk over a closed account's numbers is made before those that are left are told. */
  walks: 3,
  /** Numbers, and entries of the audit log, erased in one transaction. */
  batch: 500,
};
const POLL_MS = 250;

/** Type of the failure that numbers of a closed account cannot be ended. */
const NUMBERS_LEFT = 'numbers_left';

export function createClosingActivities(
  {
    db,
    workflows,
    config,
    logger,
    stopping,
  }: Pick<ActivityDeps, 'db' | 'workflows' | 'config' | 'logger' | 'stopping'>,
  limits: typeof CLOSING_LIMITS = CLOSING_LIMITS,
) {
  const unlessStopping = () => {
    if (stopping.aborted) throw ApplicationFailure.retryable('The worker stops.', 'stopping');
  };

  /**
   * Withdraws a pending number, releases an approved one. One whose workflow has ended is looked at again; one that
   * Temporal refuses counts among those that do not end, and holds up no other. Throws TemporalUnavailable.
   */
  async function end(account: AccountRow, row: NumberRow): Promise<void> {
    const operationId = `closing:${account.id}`;
    const by = account.closedBy ?? { type: 'system', id: null };
    const request = { operationId, attempt: row.attempt, by, accountClosed: true };
    const asked =
      row.status === 'APPROVED'
        ? workflows.release(row, request)
        : workflows.withdraw(row, { ...request, stage: null });
    await asked.catch((error: unknown) => {
      if (error instanceof TemporalUnavailable) throw error;
      if (error instanceof WorkflowClosed) return;
      logger.error({ err: error, numberId: row.id }, 'A number of a closed account cannot be asked to end');
    });
  }

  /** Waits for numbers to end, and returns those that have not. */
  async function untilEnded(rows: NumberRow[]): Promise<string[]> {
    const deadline = performance.now() + limits.ending;
    let left = rows.map(({ id }) => id);
    for (;;) {
      left = await stillIn(db, left, LIVE_STATUSES);
      if (left.length === 0 || performance.now() > deadline) return left;
      unlessStopping();
      await sleep(POLL_MS);
    }
  }

  /** Goes over the live numbers of an account once. */
  async function walk(account: AccountRow): Promise<{ ended: number; left: number }> {
    const limit = pLimit(limits.atOnce);
    const result = { ended: 0, left: 0 };
    for (const status of LIVE_STATUSES) {
      let after: string | undefined = '';
      while (after !== undefined) {
        unlessStopping();
        const rows = await numbersInStatus(db, { accountId: account.id, status }, after, limits.page);
        await Promise.all(rows.map((row) => limit(() => end(account, row))));
        const left = await untilEnded(rows);
        result.ended += rows.length - left.length;
        result.left += left.length;
        after = rows.length === limits.page ? rows.at(-1)?.id : undefined;
      }
    }
    return result;
  }

  /** Also those that were closed while the others were worked off. */
  async function* closedOnes(): AsyncGenerator<AccountRow> {
    const seen = new Set<string>();
    for (;;) {
      const next = (await closedAccounts(db)).filter(({ id }) => !seen.has(id));
      if (next.length === 0) return;
      for (const account of next) seen.add(account.id);
      yield* next;
    }
  }

  return {
    /**
     * Ends the live numbers of all closed accounts. Fails with `numbers_left`, for good, where some do not end
     * however often they are asked; the Schedule's next run asks again.
     */
    async endNumbersOfClosedAccounts(): Promise<{ ended: number }> {
      let ended = 0;
      let left = 0;
      for await (const account of closedOnes()) {
        let last = { ended: 0, left: 0 };
        for (let walks = 0; walks < limits.walks; walks += 1) {
          last = await walk(account);
          ended += last.ended;
          // Another one finds what was submitted, or moved on, while the first went by.
          if (last.ended === 0 && last.left === 0) break;
        }
        left += last.left;
        if (last.left > 0) {
          logger.error({ accountId: account.id, left: last.left }, 'Numbers of a closed account do not end');
        }
      }
      if (ended > 0) logger.info({ ended }, 'Numbers of closed accounts ended');
      if (left > 0) {
        throw ApplicationFailure.nonRetryable(`${left} numbers of closed accounts do not end`, NUMBERS_LEFT);
      }
      return { ended };
    },

    /** Erases the personal data of accounts that were closed `ACCOUNT_ERASURE_DAYS` ago. */
    async eraseClosedAccounts(): Promise<{ erased: number }> {
      const ids = await accountsToErase(db, config.ACCOUNT_ERASURE_DAYS);
      for (const accountId of ids) {
        let after: string | null = '';
        while (after !== null) {
          unlessStopping();
          after = await eraseNumbers(db, accountId, after, limits.batch);
        }
        while (await eraseAudit(db, accountId, limits.batch)) unlessStopping();
        await eraseAccount(db, accountId);
        logger.info({ accountId }, 'Closed account erased');
      }
      return { erased: ids.length };
    },
  };
}
