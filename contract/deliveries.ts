/** What is forwarded to customers, and what came of it. Types and constants only. */

/** Types of events that are sent to targets. Part of the public contract: a name is never given another meaning. */
export const WEBHOOK_TYPES = [
  'message.received',
  'message.status',
  'meta.update',
  'number.quality_changed',
  'number.limit_changed',
  'number.status_changed',
  'test',
] as const;
export type WebhookType = (typeof WEBHOOK_TYPES)[number];
/** `change`: what Meta tells of accounts, and of numbers' names, quality and limits: we work it off, and do not forward it. */
export type StoredType = WebhookType | 'change';

/** A number's Incoming URL, or a callback profile. */
export const TARGET_KINDS = ['incoming', 'callback'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

/** `failed`: given up after the last try of the schedule; can be replayed. */
export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** Why nothing is sent to a target any more: it answered 410, or it has failed for days. */
export const OFF_REASONS = ['gone', 'failing'] as const;
export type OffReason = (typeof OFF_REASONS)[number];

/** One try. */
export interface DeliveryAttempt {
  /** When it began: RFC 3339, UTC. */
  at: string;
  /** HTTP status of the answer; null where there was none. */
  status: number | null;
  latencyMs: number;
  /** The first 1,024 bytes of the answer, as text; null where there was none. */
  answer: string | null;
  /** Why it failed; null where the target took it. */
  error: string | null;
}
