/** The review queue: what waits for a decision, the longest waiting first. */
import { and, asc, eq, inArray, lt, or, sql } from 'drizzle-orm';
import { PENDING_STATUSES, type Stage } from '../contract/number.ts';
import type { Database } from './client.ts';
import { cut, type NumberOfAccount, type Page, withAccount } from './read.ts';
import { numbers } from './schema.ts';

/** Place in the queue. */
export interface ReviewPlace {
  waitingSince: Date;
  id: string;
}

export async function listReviews(
  db: Database,
  filter: {
    stage?: Stage | undefined;
    overdue?: boolean | undefined;
    /** Reviews that a person has claimed. Nobody has yet. */
    claimedBy?: string | undefined;
  },
  page: { limit: number; after: ReviewPlace | null },
): Promise<Page<NumberOfAccount, ReviewPlace>> {
  const { after } = page;
  const found = await withAccount(db)
    .where(
      and(
        filter.stage === undefined
          ? inArray(numbers.status, [...PENDING_STATUSES])
          : eq(
              numbers.status,
              filter.stage === 'verification' ? 'PENDING_VERIFICATION' : 'PENDING_FACEBOOK_APPROVAL',
            ),
        filter.overdue === undefined ? undefined : overdue(filter.overdue),
        filter.claimedBy === undefined ? undefined : sql`false`,
        after === null
          ? undefined
          : sql`(${numbers.waitingSince}, ${numbers.id}) > (${after.waitingSince.toISOString()}::timestamptz, ${after.id})`,
      ),
    )
    .orderBy(asc(numbers.waitingSince), asc(numbers.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, ({ row }) => ({
    waitingSince: row.waitingSince ?? row.submittedAt,
    id: row.id,
  }));
}

function overdue(yes: boolean) {
  return yes
    ? lt(numbers.dueAt, sql`now()`)
    : or(sql`${numbers.dueAt} is null`, sql`${numbers.dueAt} >= now()`);
}
