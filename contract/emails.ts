/**
 * What each email tells of, as it was when the email was written: the JSON kept in `emails.data`.
 * Plain types only. Aliases, not interfaces: they fit a JSON column.
 */
import type { EmailKind, RejectionNotice, Stage } from './number.ts';

/** The number as it was when the email was written. */
export type NumberEmailData = {
  numberId: string;
  accountId: string;
  /** E.164. */
  mobileNumber: string;
  displayName: string;
  attempt: number;
  /** Who rejected, why, and the fields at fault; null in every other email. */
  rejection: RejectionNotice | null;
};

/** One waiting number in a review email. Times are RFC 3339, UTC. */
export type ReviewLine = {
  numberId: string;
  displayName: string;
  /** The last four digits: the whole number is read where the reader has signed in. */
  lastFour: string;
  stage: Stage;
  waitingSince: string;
  dueAt: string;
};

/** What waits for a decision, for support (due and overdue) or for the second address (overdue by far). */
export type ReviewEmailData = {
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  /** When it was counted: what is overdue is judged by this. */
  at: string;
  counts: Record<Stage, { due: number; overdue: number }>;
  /** The longest waiting, first. */
  lines: ReviewLine[];
  /** How many more wait than `lines` shows. */
  more: number;
};

/** The data of each kind of email. */
export type EmailData = {
  [K in EmailKind]: K extends `review-${string}` ? ReviewEmailData : NumberEmailData;
};
