import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import pLimit from 'p-limit';
import { LIVE_STATUSES } from '../contract/number.ts';
import type { AccountRow } from '../db/accounts.ts';
import { closedAccounts, numbersInStatus, stillIn } from '../db/close-account.ts';
import { accountsToErase, eraseAccount, eraseAudit, eraseEvents, eraseNumbers } from '../db/erase-account.ts';
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

/** How many numbers have ended, and how many do not. */
interface Worked {
  ended: number;
  left: number;
}

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

  /** Goes over the live numbers of an account once. Gives way after each full page, and after one that was waited for in vain. */
  async function* walk(account: AccountRow): AsyncGenerator<void, Worked> {
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
        const isFull = rows.length === limits.page;
        after = isFull ? rows.at(-1)?.id : undefined;
        if (isFull || left.length > 0) yield;
      }
    }
    return result;
  }

  /** Ends the live numbers of an account; another walk finds what was submitted, or moved on, while the first went by. */
  async function* workOff(account: AccountRow): AsyncGenerator<void, Worked> {
    let ended = 0;
    let left = 0;
    for (let walks = 0; walks < limits.walks; walks += 1) {
      const last = yield* walk(account);
      ended += last.ended;
      left = last.left;
      if (last.ended === 0 && last.left === 0) break;
    }
    if (left > 0) logger.error({ accountId: account.id, left }, 'Numbers of a closed account do not end');
    return { ended, left };
  }

  /**
   * All closed accounts in turn, a page of each, so that a small one is done in its first turn, whatever the others
   * have. Also those that are closed meanwhile.
   */
  async function workOffAll(): Promise<Worked> {
    const seen = new Set<string>();
    const result = { ended: 0, left: 0 };
    let underWay: ReturnType<typeof workOff>[] = [];
    for (;;) {
      const closed = (await closedAccounts(db)).filter(({ id }) => !seen.has(id));
      for (const { id } of closed) seen.add(id);
      const turn = [...underWay, ...closed.map(workOff)];
      if (turn.length === 0) return result;
      underWay = [];
      for (const account of turn) {
        const { done, value } = await account.next();
        if (!done) {
          underWay.push(account);
          continue;
        }
        result.ended += value.ended;
        result.left += value.left;
      }
    }
  }

  return {
    /**
     * Ends the live numbers of all closed accounts. Fails with `numbers_left`, for good, where some do not end
     * however often they are asked; the Schedule's next run asks again.
     */
    async endNumbersOfClosedAccounts(): Promise<{ ended: number }> {
      const { ended, left } = await workOffAll();
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
        while (await eraseEvents(db, accountId, limits.batch)) unlessStopping();
        while (await eraseAudit(db, accountId, limits.batch)) unlessStopping();
        await eraseAccount(db, accountId);
        logger.info({ accountId }, 'Closed account erased');
      }
      return { erased: ids.length };
    },
  };
}
