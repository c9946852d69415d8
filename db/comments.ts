/** Comments change nothing of a number: an event without a revision, and the email that tells of it. */
import { and, desc, eq, gt, sql } from 'drizzle-orm';
import type { CustomerCommentData } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import { type Actor, type EventType, STAFF_EVENTS } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import { LOCKS } from './advisory-locks.ts';
import type { Transaction } from './client.ts';
import { numberEmail } from './email-rows.ts';
import { type NumberRow, stateOf } from './number-row.ts';
import type { EventRow, NumberOfAccount } from './read.ts';
import { emails, numberEvents } from './schema.ts';

/** Emails to support about the comments of one account within an hour. */
export const COMMENT_EMAILS_PER_ACCOUNT = 20;

export interface NewComment {
  type: Extract<EventType, 'comment' | 'comment.internal'>;
  by: Actor;
  text: string;
  operationId: string;
}

/** A comment as its event, to be written. */
export function commentEvent(number: NumberRow, { type, by, text, operationId }: NewComment) {
  return {
    id: newId('evt'),
    numberId: number.id,
    attempt: number.attempt,
    revision: null,
    type,
    at: new Date(),
    actor: by,
    data: { text },
    visibility: STAFF_EVENTS.includes(type) ? 'staff' : 'everyone',
    operationId,
  } satisfies Omit<EventRow, 'seq'>;
}

type CommentEvent = ReturnType<typeof commentEvent>;

/** Writes a comment and its email. Returns the lane to send once this is committed; null where there is no email. */
export async function writeComment(
  tx: Transaction,
  number: NumberOfAccount,
  event: CommentEvent,
  options: { mailDomain: string; emailTo: 'customer' | 'support' | null },
): Promise<string | null> {
  await tx.insert(numberEvents).values(event);
  const { mailDomain, emailTo } = options;
  if (emailTo === 'support') return emailSupport(tx, number, event, mailDomain);
  if (emailTo === null) return null;
  const { row } = number;
  const comment = { text: event.data.text, replyDueAt: null };
  await tx
    .insert(emails)
    .values(numberEmail(row, stateOf(row), 'comment', { mailDomain, occurrence: event.id, comment }));
  return row.id;
}

/**
 * One email per number and hour, and another one once the customer was written to, of support's answer or a decision:
 * the message's id is made of these, so that a second one is not written. Of all numbers of an account so many an hour,
 * and the last of them says so: nobody fills the mailbox. The row names no number, only the account: what support's
 * addresses refuse is not told in the customer's timeline. Its lane is the number's: a comment that the mail server does
 * not take holds back neither the digest nor those on other numbers.
 */
async function emailSupport(
  tx: Transaction,
  { row, accountName }: NumberOfAccount,
  event: CommentEvent,
  mailDomain: string,
): Promise<string | null> {
  const emailed = await emailedLately(tx, row.accountId);
  if (emailed >= COMMENT_EMAILS_PER_ACCOUNT) return null;
  const [latest] = await tx
    .select({ seq: emails.seq })
    .from(emails)
    .where(eq(emails.numberId, row.id))
    .orderBy(desc(emails.seq))
    .limit(1);
  const hour = Math.floor(event.at.getTime() / 3_600_000);
  const data: CustomerCommentData = {
    numberId: row.id,
    attempt: row.attempt,
    status: row.status,
    displayName: row.displayName,
    lastFour: lastFour(row.mobileNumber),
    accountName,
    text: event.data.text,
    lastForNow: emailed === COMMENT_EMAILS_PER_ACCOUNT - 1,
  };
  const written = await tx
    .insert(emails)
    .values({
      id: newId('eml'),
      lane: `support:${row.id}`,
      accountId: row.accountId,
      kind: 'customer-comment',
      messageId: `${row.id}.customer-comment.${hour}.${latest?.seq ?? 0}@${mailDomain}`,
      data,
    })
    .onConflictDoNothing({ target: emails.messageId })
    .returning({ lane: emails.lane });
  return written[0]?.lane ?? null;
}

/** The account's emails of the last hour, at most as many as there may be. Until the transaction ends nobody adds one. */
async function emailedLately(tx: Transaction, accountId: string): Promise<number> {
  await tx.execute(sql`select pg_advisory_xact_lock(${LOCKS.commentEmails}, hashtext(${accountId}))`);
  const lately = gt(emails.createdAt, sql`now() - interval '1 hour'`);
  const found = await tx
    .select({ id: emails.id })
    .from(emails)
    .where(and(eq(emails.accountId, accountId), eq(emails.kind, 'customer-comment'), lately))
    .limit(COMMENT_EMAILS_PER_ACCOUNT);
  return found.length;
}
