/** What waits for a decision, for the daily emails to our own people. */
import { and, asc, gt, inArray, isNull, lte, or, type SQL, sql } from 'drizzle-orm';
import type { ReviewEmailData, ReviewLine } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import { type EmailKind, PENDING_STATUSES, type PendingStatus, stageOf } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import type { Database } from './client.ts';
import { emails, numbers } from './schema.ts';
import { isReviewable } from './turns.ts';

/** Lines that one email shows. */
const LINES = 50;

/** Due by then, or overdue. */
export function dueBy(then: Date): SQL {
  return lte(numbers.dueAt, then.toISOString());
}

/** Waited for more than three times as long as planned. */
export function overdueByFar(at: Date): SQL {
  const waited = sql`${at.toISOString()}::timestamptz - ${numbers.waitingSince}`;
  return gt(waited, sql`3 * (${numbers.dueAt} - ${numbers.waitingSince})`);
}

/** Counts the pending numbers that `which` selects, as of `at`, and lists the longest waiting. */
export async function waitingNumbers(
  db: Database,
  options: { day: string; at: Date; which: SQL },
): Promise<ReviewEmailData> {
  const { day, at } = options;
  const overdue = lte(numbers.dueAt, at.toISOString());
  // While the customer has time to answer, or all goes on at Meta, there is nothing for support to do.
  const ours = or(and(isNull(numbers.question), isReviewable), overdue);
  const where = and(inArray(numbers.status, [...PENDING_STATUSES]), options.which, ours);
  const totals = await db
    .select({
      status: sql<PendingStatus>`${numbers.status}`,
      overdue: sql<number>`count(*) filter (where ${overdue})::int`,
      due: sql<number>`count(*) filter (where not (${overdue}))::int`,
    })
    .from(numbers)
    .where(where)
    .groupBy(numbers.status);
  const rows = await db
    .select()
    .from(numbers)
    .where(where)
    .orderBy(asc(numbers.waitingSince), asc(numbers.id))
    .limit(LINES);

  const counts = { verification: { due: 0, overdue: 0 }, facebook: { due: 0, overdue: 0 } };
  for (const total of totals) counts[stageOf(total.status)] = { due: total.due, overdue: total.overdue };
  const all = totals.reduce((sum, total) => sum + total.due + total.overdue, 0);
  const lines = rows.map(
    (row): ReviewLine => ({
      numberId: row.id,
      displayName: row.displayName,
      lastFour: lastFour(row.mobileNumber),
      stage: stageOf(row.status as PendingStatus),
      unanswered: row.question !== null,
      waitingSince: row.waitingSince ?? row.submittedAt,
      dueAt: row.dueAt ?? at.toISOString(),
    }),
  );
  return { day, at: at.toISOString(), counts, lines, more: Math.max(0, all - lines.length) };
}

/** Writes a day's email of a kind to a lane, once: a repeat writes none. */
export async function writeReviewEmail(
  db: Database,
  email: { lane: string; kind: EmailKind; data: ReviewEmailData; mailDomain: string },
): Promise<void> {
  await db
    .insert(emails)
    .values({
      id: newId('eml'),
      lane: email.lane,
      kind: email.kind,
      messageId: `${email.kind}.${email.data.day}@${email.mailDomain}`,
      data: email.data,
    })
    .onConflictDoNothing({ target: emails.messageId });
}
