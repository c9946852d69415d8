/**
 * What a number is: its statuses, decisions and the state that changes over its life.
 * Plain constants and types only, because workflow code imports this file.
 */
import type { CodeMethod, FromMeta } from './facebook.ts';
import type { Profile } from './fields.ts';

export const NUMBER_STATUSES = [
  'PENDING_VERIFICATION',
  'PENDING_FACEBOOK_APPROVAL',
  'APPROVED',
  'REJECTED',
  'WITHDRAWN',
  'RELEASED',
] as const;
export type NumberStatus = (typeof NUMBER_STATUSES)[number];

/** Statuses in which the number waits for a decision. */
export const PENDING_STATUSES = [
  'PENDING_VERIFICATION',
  'PENDING_FACEBOOK_APPROVAL',
] as const satisfies readonly NumberStatus[];
export type PendingStatus = (typeof PENDING_STATUSES)[number];

/** Statuses that hold the E.164 number: one live number per E.164 over all accounts. */
export const LIVE_STATUSES = [...PENDING_STATUSES, 'APPROVED'] as const satisfies readonly NumberStatus[];

export function isPending(status: NumberStatus): status is PendingStatus {
  return (PENDING_STATUSES as readonly string[]).includes(status);
}

export function isLive(status: NumberStatus): boolean {
  return (LIVE_STATUSES as readonly string[]).includes(status);
}

export const STAGES = ['verification', 'facebook'] as const;
export type Stage = (typeof STAGES)[number];

/** The status in which a number waits for a stage's decision. */
export const STATUS_OF_STAGE = {
  verification: 'PENDING_VERIFICATION',
  facebook: 'PENDING_FACEBOOK_APPROVAL',
} as const satisfies Record<Stage, PendingStatus>;

export function stageOf(status: PendingStatus): Stage {
  return status === 'PENDING_VERIFICATION' ? 'verification' : 'facebook';
}

export const OUTCOMES = ['approved', 'rejected'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Who has to act. */
export const WAITING_FOR = ['support', 'facebook', 'customer'] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

/** What a person fills in, and what a rejection may name. */
export const FIELD_NAMES = [
  'displayName',
  'mobileNumber',
  'incomingUrl',
  'callbackProfileId',
  'imageId',
  'address',
  'businessDescription',
  'businessCategory',
  'contactEmail',
  'website',
] as const;

export const ACTOR_TYPES = ['customer', 'support', 'operator', 'facebook', 'system'] as const;
/** Who did something. `id` is a person (`usr_…`), an API key (`key_…`), or null where there is none. */
export interface Actor {
  type: (typeof ACTOR_TYPES)[number];
  id: string | null;
  /** What a staff person was called then, for the operators who read it; never shown to customers. */
  name?: string;
}

export function isSameActor(one: Actor, other: Actor): boolean {
  return one.type === other.type && one.id === other.id;
}

/** One stage's decision. `decisionId` is drawn by whoever sends it, so that a sender recognises its own. */
export interface Decision {
  decisionId: string;
  outcome: Outcome;
  /** Never empty when rejected. */
  reason: string | null;
  /** A short machine word for the reason. */
  code: string | null;
  /** The fields at fault. */
  fields: string[];
  by: Actor;
  /** RFC 3339, UTC. */
  at: string;
}

/** Characters of a comment, a question or an answer. */
export const COMMENT_MAX = 2_000;

/** What support asked the customer and what is not answered yet: turn and due time are the customer's. */
export interface Question {
  /** The comment that asks. */
  operationId: string;
  text: string;
  /** The fields that it is about. */
  fields: string[];
  at: string;
  by: Actor;
  /** What the stage had left of its own time, in milliseconds, of working time where it counts in that. */
  remainingMs: number;
}

/** How a number left the live statuses by request: a withdrawal or a release. */
export interface Ending {
  operationId: string;
  by: Actor;
  at: string;
}

/**
 * Everything about a number that changes, as JSON: the workflow's state, its continue-as-new input and,
 * column by column, the row in `numbers`. Times are RFC 3339, UTC.
 */
export interface NumberState extends FromMeta {
  status: NumberStatus;
  /** 1 for the first submission, one more for each resubmission. */
  attempt: number;
  /** Rises with every visible change, over all attempts; never falls. */
  revision: number;
  profile: Profile;
  /** Since when the current stage waits; null when nothing is awaited. */
  waitingSince: string | null;
  /** When the current stage should be done; null when nothing is awaited. */
  dueAt: string | null;
  verification: Decision | null;
  /** Held, not yet in force, while the status is PENDING_VERIFICATION. */
  facebookDecision: Decision | null;
  ending: Ending | null;
  /** Approvals given so far where verification needs more than one; empty otherwise. */
  approvals: Decision[];
  /** Asked of the customer while the number is pending. */
  question: Question | null;
  submittedAt: string;
  /** When the attempt got its final decision. */
  decidedAt: string | null;
  updatedAt: string;
}

export const EVENT_TYPES = [
  'submitted',
  'resubmitted',
  'verification.approved',
  'verification.rejected',
  'facebook.held',
  'facebook.approved',
  'facebook.rejected',
  'edited',
  'withdrawn',
  'released',
  'verification.first_approval',
  'comment',
  'comment.internal',
  'question.asked',
  'question.answered',
  'email.refused',
  'facebook.code_requested',
  'facebook.code_refused',
  'facebook.code_verified',
  'facebook.code_reminder',
  'facebook.registered',
  'facebook.problem',
  'facebook.resumed',
  'facebook.connected',
  'name.changed',
  'quality.changed',
  'status.changed',
  'limit.changed',
  'synced',
  'sync.failed',
  'sync.differs',
  'target.off',
  'target.on',
] as const;
/** Types of timeline events. Part of the public contract: a name is never given another meaning. */
export type EventType = (typeof EVENT_TYPES)[number];

/** Events that customers are not shown. */
export const STAFF_EVENTS: readonly EventType[] = ['verification.first_approval', 'comment.internal'];

/** Events in which somebody says something: `text` of their data. */
export const COMMENT_EVENTS: EventType[] = [
  'comment',
  'comment.internal',
  'question.asked',
  'question.answered',
];

export const EMAIL_KINDS = [
  'submitted',
  'verified',
  'approved',
  'rejected',
  'withdrawn',
  'comment',
  'code-needed',
  'code-reminder',
  'facebook-problem',
  'name-declined',
  'quality',
  'customer-comment',
  'review-request',
  'verify-email',
  'reset-password',
  'invitation',
  'staff-invitation',
  'account-closed',
  'meta-trouble',
  'target-off',
  'meta-notice',
  'review-digest',
  'review-escalation',
] as const;
export type EmailKind = (typeof EMAIL_KINDS)[number];

/** Who rejected and why, as people are told. */
export interface RejectionNotice {
  by: 'support' | 'facebook';
  reason: string;
  code: string | null;
  fields: string[];
}

/** What support says or asks in an email. */
export type CommentNotice = {
  text: string;
  /** Until when an answer is awaited, RFC 3339, UTC; null where none is. */
  replyDueAt: string | null;
  /** What a question is about. Not in what earlier releases wrote. */
  fields?: string[];
};

/** What an email has to say of Meta; each of its own kind. */
export type MetaNotice =
  /** A code is awaited, until then. RFC 3339, UTC. */
  | { codeMethod: CodeMethod | null; dueAt: string }
  /** What the customer has to put right at Meta; `dueAt`: or the number is withdrawn then. RFC 3339, UTC. */
  | { problem: string; dueAt?: string }
  /** Which name was declined, and what WhatsApp shows instead; null where nothing. */
  | { declined: string; reason: string; shown: string | null }
  /** What got worse; a value that was not known is null. */
  | { changes: QualityChange[] }
  /** Withdrawn because nobody entered a code, or put right what held the number up. */
  | { codeNotEntered: true }
  | { notPutRight: true };

export type QualityChange = {
  what: 'qualityColor' | 'connectionStatus' | 'messagingLimit';
  from: string | null;
  to: string;
};

/** One change of a number, as the workflow makes it and the database keeps it. */
export interface NumberEvent {
  /** The decision, edit or request that made it: recognises a repeat. */
  operationId: string;
  attempt: number;
  /** The revision that the number has with it. */
  revision: number;
  type: EventType;
  at: string;
  actor: Actor;
  data: Record<string, unknown>;
  /** The email that tells of it; null where nobody is written to. */
  email: {
    kind: EmailKind;
    rejection: RejectionNotice | null;
    comment?: CommentNotice;
    notice?: MetaNotice;
  } | null;
}

/** What the activity `save` takes: the state with all changes that the database has not confirmed. */
export interface SaveRequest {
  numberId: string;
  state: NumberState;
  events: NumberEvent[];
}

/**
 * What `save` answers. `saved`: the row is now as sent. `ahead`: the row knows changes that the workflow does
 * not (it was reset); the workflow takes `state` and repeats the operations that are not among `known`.
 * `superseded`: a newer attempt has taken over.
 */
export type SaveResult =
  | { kind: 'saved' }
  | { kind: 'ahead'; state: NumberState; known: string[] }
  | { kind: 'superseded' };
