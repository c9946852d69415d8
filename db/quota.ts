/** How many numbers an account may submit within 24 hours. Resubmissions do not count: each follows a rejection by hand. */
import { sql } from 'drizzle-orm';
import { firstId, timeOfId } from '../contract/ids.ts';
import { LOCKS } from './advisory-locks.ts';
import type { Transaction } from './client.ts';
import { numbers } from './schema.ts';

const DAY_MS = 86_400_000;
/**
 * So many below the quota an account's submissions begin to take their turns, so that none passes it. More than are
 * ever under way at the same time; further below they do not wait for each other.
 */
const IN_TURN = 200;

/** When the account may submit the next number, or null: now. Holds until the transaction ends. */
export async function nextSubmission(
  tx: Transaction,
  accountId: string,
  quota: number,
): Promise<Date | null> {
  const seen = await newest(tx, accountId, quota);
  if (seen.count < quota - IN_TURN) return null;
  if (seen.count < quota) {
    await tx.execute(sql`select pg_advisory_xact_lock(${LOCKS.quota}, hashtext(${accountId}))`);
  }
  const { count, oldest } = seen.count < quota ? await newest(tx, accountId, quota) : seen;
  return count < quota || oldest === null ? null : new Date(timeOfId(oldest) + DAY_MS);
}

/** The newest numbers of the last 24 hours, at most `limit`: their index alone is read. */
async function newest(
  tx: Transaction,
  accountId: string,
  limit: number,
): Promise<{ count: number; oldest: string | null }> {
  const since = firstId('num', Date.now() - DAY_MS);
  const { rows } = await tx.execute<{ count: number; oldest: string | null }>(sql`
    select count(*)::int as count, min(id) as oldest from (
      select ${numbers.id} from ${numbers}
      where ${numbers.accountId} = ${accountId} and ${numbers.id} > ${since}
      order by ${numbers.id} desc limit ${limit}
    ) as newest`);
  return rows[0] ?? { count: 0, oldest: null };
}
