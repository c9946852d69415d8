/**
 * What each email tells of, as it was when the email was written: the JSON kept in `emails.data`.
 * Plain types only. Aliases, not interfaces: they fit a JSON column.
 */

import type { OffReason, TargetKind } from './deliveries.ts';
import type { CodeMethod } from './facebook.ts';
import type { CommentNotice, NumberStatus, QualityChange, RejectionNotice, Stage } from './number.ts';

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
  /** The reason that came with an approval. Not in what earlier releases wrote. */
  note?: string | null;
};

/** One waiting number in a review email. Times are RFC 3339, UTC. */
export type ReviewLine = {
  numberId: string;
  displayName: string;
  /** The last four digits: the whole number is read where the reader has signed in. */
  lastFour: string;
  stage: Stage;
  /** Support asked the customer, who did not answer in time. Not in what earlier releases wrote. */
  unanswered?: boolean;
  waitingSince: string;
  dueAt: string;
};

/** What waits for a decision, for support (due and overdue) or for the second address (overdue by far). */
export type ReviewEmailData = {
  /** `YYYY-MM-DD`, in WORKING_TIME_ZONE. */
  day: string;
  /** When it was counted: what is overdue is judged by this. */
  at: string;
  counts: Record<Stage, { due: number; overdue: number }>;
  /** The longest waiting, first. */
  lines: ReviewLine[];
  /** How many more wait than `lines` shows. */
  more: number;
};

/** A comment of support, or the customer's answer to it is awaited. */
export type CommentEmailData = NumberEmailData & CommentNotice;

/** Withdrawn by an operator, or because nobody entered a code or put right what held the number up at Meta. */
export type WithdrawnEmailData = NumberEmailData & { codeNotEntered?: true; notPutRight?: true };

/** Meta has sent a code to the number, and it has to be entered by then. RFC 3339, UTC. */
export type CodeEmailData = NumberEmailData & { codeMethod: CodeMethod | null; dueAt: string };

/** What the customer has to put right at Meta, in words of ours. `dueAt`: when it is withdrawn otherwise, if it is. */
export type FacebookProblemData = NumberEmailData & { problem: string; dueAt?: string };

/** A changed name was declined; `shown` is what WhatsApp shows, null where nothing. */
export type NameDeclinedData = NumberEmailData & { declined: string; reason: string; shown: string | null };

export type QualityEmailData = NumberEmailData & { changes: QualityChange[] };

/** To support: a comment of a customer that answers no question. */
export type CustomerCommentData = {
  numberId: string;
  attempt: number;
  status: NumberStatus;
  displayName: string;
  /** The last four digits. */
  lastFour: string;
  accountName: string;
  text: string;
  /** The account has had its emails of this hour. Missing in what an earlier release wrote. */
  lastForNow?: boolean;
};

/** To a supporter who wants a decision link for each submission. */
export type ReviewRequestData = {
  numberId: string;
  attempt: number;
  displayName: string;
  /** The last four digits. */
  lastFour: string;
  accountName: string;
  /** The category's label. */
  category: string;
  dueAt: string;
  link?: string;
  expiresAt: string;
};

/** An email that carries a link of its reader's own. The link is erased once the email was sent. */
export type LinkEmailData = {
  /** Who is written to. */
  name: string;
  link?: string;
  /** RFC 3339, UTC. */
  expiresAt: string;
};

/** `signedUp`: somebody signed up with an address that has an account already. Not in what earlier releases wrote. */
export type PasswordEmailData = LinkEmailData & { signedUp?: boolean };

export type InvitationData = LinkEmailData & {
  accountName: string;
  role: 'admin' | 'member';
  /** Who invites, as they are called; null where that is not a person. */
  invitedBy: string | null;
};

export type StaffInvitationData = LinkEmailData & { role: 'support' | 'operator' };

export type AccountClosedData = {
  accountName: string;
  /** When the personal fields are erased: RFC 3339, UTC. */
  eraseAt: string;
};

/** Meta does not take a token any more, or misses a permission: calls with it have stopped. */
export type MetaTroubleData = {
  connectionId: string;
  wabaId: string;
  /** Whose token it is; null for ours. */
  accountName: string | null;
  trouble: 'token_refused' | 'permission_missing';
  /** Meta's error code, and what its support finds the call by. */
  code: number | null;
  fbtraceId: string | null;
  at: string;
  /** Whether our own people are written to, or the account's admins. */
  toStaff: boolean;
};

/** To the customer: nothing is sent to their Incoming URL or callback profile any more. */
export type TargetOffData = {
  what: TargetKind;
  reason: OffReason;
  /** Since when it has failed: RFC 3339, UTC. */
  since: string;
  /** Scheme, host and port. */
  origin: string;
  /** The number's or the profile's id. */
  reference: string;
  /** E.164; null for a callback profile. */
  mobileNumber: string | null;
  /** What the customer calls the number or the profile. */
  name: string;
};

/** Meta tells something of a WhatsApp Business Account that people have to look at. */
export type MetaNoticeData = {
  connectionId: string;
  wabaId: string;
  /** Whose it is; null for ours. */
  accountName: string | null;
  heading: string;
  /** In Meta's words. */
  details: string[];
  advice: string;
  /** The last digits of the number that it is about; null where it is about none. */
  number: string | null;
  at: string;
  /** Whether our own people are written to, or the account's admins. */
  toStaff: boolean;
};

/** The data of each kind of email. */
export type EmailData = {
  submitted: NumberEmailData;
  verified: NumberEmailData;
  approved: NumberEmailData;
  rejected: NumberEmailData;
  withdrawn: WithdrawnEmailData;
  comment: CommentEmailData;
  'code-needed': CodeEmailData;
  'code-reminder': CodeEmailData;
  'facebook-problem': FacebookProblemData;
  'name-declined': NameDeclinedData;
  quality: QualityEmailData;
  'customer-comment': CustomerCommentData;
  'review-request': ReviewRequestData;
  'verify-email': LinkEmailData;
  'reset-password': PasswordEmailData;
  invitation: InvitationData;
  'staff-invitation': StaffInvitationData;
  'account-closed': AccountClosedData;
  'meta-trouble': MetaTroubleData;
  'target-off': TargetOffData;
  'meta-notice': MetaNoticeData;
  'review-digest': ReviewEmailData;
  'review-escalation': ReviewEmailData;
};
