/** Comments change nothing of a number: an event without a revision, and the email that tells of it. */
import { newId } from '../contract/ids.ts';
import { type Actor, type EventType, STAFF_EVENTS } from '../contract/number.ts';
import type { Transaction } from './client.ts';
import { numberEmail } from './email-rows.ts';
import { type NumberRow, stateOf } from './number-row.ts';
import type { EventRow } from './read.ts';
import { emails, numberEvents } from './schema.ts';

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

/** Writes a comment and, where support says something to the customer, its email. */
export async function writeComment(
  tx: Transaction,
  number: NumberRow,
  event: ReturnType<typeof commentEvent>,
  options: { mailDomain: string; emailed: boolean },
): Promise<void> {
  await tx.insert(numberEvents).values(event);
  if (!options.emailed) return;
  const { mailDomain } = options;
  const comment = { text: event.data.text, replyDueAt: null };
  await tx
    .insert(emails)
    .values(numberEmail(number, stateOf(number), 'comment', { mailDomain, occurrence: event.id, comment }));
}
