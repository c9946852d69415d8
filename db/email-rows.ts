/** Emails are written in the transaction of the change they tell of, and sent later by the lane. */
import { and, eq, gt, sql } from 'drizzle-orm';
import type { EmailData, NumberEmailData } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import type {
  CommentNotice,
  EmailKind,
  MetaNotice,
  NumberState,
  RejectionNotice,
} from '../contract/number.ts';
import type { Transaction } from './client.ts';
import { emails } from './schema.ts';

export type EmailRow = typeof emails.$inferSelect;
type NewEmailRow = typeof emails.$inferInsert;

/**
 * The row of an email about a number: one stable `Message-ID` per number, attempt, event and occurrence. A kind that
 * may come again in an attempt needs another `occurrence` each time.
 */
export function numberEmail(
  number: { id: string; accountId: string; mobileNumber: string },
  state: NumberState,
  kind: EmailKind,
  options: {
    mailDomain: string;
    occurrence?: number | string;
    rejection?: RejectionNotice | null;
    note?: string | null;
    comment?: CommentNotice;
    notice?: MetaNotice;
  },
) {
  const data: NumberEmailData & Partial<CommentNotice> & Partial<MetaNotice> = {
    numberId: number.id,
    accountId: number.accountId,
    mobileNumber: number.mobileNumber,
    displayName: state.profile.displayName,
    attempt: state.attempt,
    rejection: options.rejection ?? null,
    note: options.note ?? null,
    ...options.comment,
    ...options.notice,
  };
  return {
    id: newId('eml'),
    lane: number.id,
    numberId: number.id,
    attempt: state.attempt,
    kind,
    messageId: `${number.id}.${state.attempt}.${kind}.${options.occurrence ?? 1}@${options.mailDomain}`,
    data,
  } satisfies NewEmailRow;
}

/**
 * Writes an email to one address, in the transaction of what it tells of. `lane`: a person's id or an address, or a
 * number's id where it has to keep its place among that number's emails. Ask for its sending once that is
 * committed (`MailWorkflows.send`).
 */
export async function writeEmail<K extends EmailKind>(
  tx: Transaction,
  email: {
    lane: string;
    kind: K;
    recipient: string;
    data: EmailData[K];
    mailDomain: string;
    /** The account that it tells of, with whose personal data it is erased. */
    accountId?: string;
  },
): Promise<void> {
  const id = newId('eml');
  const { mailDomain: domain, ...rest } = email;
  await tx.insert(emails).values({ ...rest, id, messageId: `${id}@${domain}` });
}

/** Emails of one kind to one address within an hour that whoever knows the address may cause, signed in or not. */
const AN_HOUR = 5;

/** Whether an address has had its share of a kind of emails for now, so that nobody fills a mailbox in our name. */
export async function hasHadEnough(tx: Transaction, recipient: string, kind: EmailKind): Promise<boolean> {
  const lately = gt(emails.createdAt, sql`now() - interval '1 hour'`);
  const found = await tx
    .select({ id: emails.id })
    .from(emails)
    .where(and(eq(emails.recipient, recipient), eq(emails.kind, kind), lately))
    .limit(AN_HOUR);
  return found.length === AN_HOUR;
}

/** The domain of a From header such as `Numbers <numbers@example.com>`. */
export function mailDomain(from: string): string {
  return /@([^\s<>@]+)>?\s*$/.exec(from)?.[1] ?? 'localhost';
}
