/** Saving what a number's workflow did: events, emails and the row in one transaction. */
import { and, eq, gte, inArray, or } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { NumberEvent, SaveRequest, SaveResult } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { numberEmail } from './email-rows.ts';
import { columnsOf, type NumberRow, stateOf } from './number-row.ts';
import { emails, numberEvents, numbers } from './schema.ts';

/**
 * Writes the events that are not stored yet, their emails, and the row if it is older than `state`.
 * Repeating a save changes nothing. Where the row knows other changes at the same revisions, nothing is
 * written and the row's state is returned: the workflow was reset, or ran twice. Null: no such number.
 */
export async function saveNumber(
  db: Database,
  request: SaveRequest,
  mailDomain: string,
): Promise<SaveResult | null> {
  return db.transaction(async (tx) => {
    const [row] = await tx.select().from(numbers).where(eq(numbers.id, request.numberId)).for('update');
    if (!row) return null;
    const { state, events } = request;
    if (row.attempt > state.attempt) return { kind: 'superseded' };

    const stored = await storedLike(tx, row, events);
    const missing = events.filter((event) => !stored.some((known) => known.revision === event.revision));
    const diverged = stored.some(
      (known) => !events.some((event) => event.revision === known.revision && isSame(event, known)),
    );
    if (diverged || row.revision > state.revision) {
      const known = events.filter((event) => stored.some((other) => isSame(event, other)));
      return { kind: 'ahead', state: stateOf(row), known: known.map((event) => event.operationId) };
    }
    if (missing.length > 0) await insertEvents(tx, row, request, missing, mailDomain);
    if (row.revision < state.revision) {
      await tx.update(numbers).set(columnsOf(state)).where(eq(numbers.id, row.id));
      return { kind: 'saved' };
    }
    // A repeat. The row keeps its times, which the first try wrote; the workflow takes them.
    return events.length === 0
      ? { kind: 'saved' }
      : { kind: 'ahead', state: stateOf(row), known: events.map((event) => event.operationId) };
  });
}

type StoredEvent = { revision: number | null; operationId: string; type: string };

/** The same change; a Facebook decision makes two events, when it is held and when it is used. */
const isSame = (one: { operationId: string; type: string }, other: StoredEvent) =>
  one.operationId === other.operationId && one.type === other.type;

/** Stored events that are, or stand in the place of, the ones to save. */
async function storedLike(tx: Transaction, row: NumberRow, events: NumberEvent[]): Promise<StoredEvent[]> {
  const [first] = events;
  if (!first) return [];
  const { revision, operationId, type } = numberEvents;
  const found: StoredEvent[] = await tx
    .select({ revision, operationId, type })
    .from(numberEvents)
    .where(
      and(
        eq(numberEvents.numberId, row.id),
        or(
          gte(revision, first.revision),
          inArray(
            operationId,
            events.map((event) => event.operationId),
          ),
        ),
      ),
    );
  return found.filter(
    (stored) => (stored.revision ?? 0) >= first.revision || events.some((event) => isSame(event, stored)),
  );
}

async function insertEvents(
  tx: Transaction,
  row: NumberRow,
  { state }: SaveRequest,
  events: NumberEvent[],
  mailDomain: string,
): Promise<void> {
  await tx.insert(numberEvents).values(
    events.map(({ email: _, at, ...event }) => ({
      ...event,
      id: newId('evt'),
      numberId: row.id,
      at: new Date(at),
    })),
  );
  const due = events.flatMap(({ email }) =>
    email ? [numberEmail(row, state, email.kind, { mailDomain, rejection: email.rejection })] : [],
  );
  // A reset workflow may repeat a transition: its email exists and stays as it is.
  if (due.length > 0) await tx.insert(emails).values(due).onConflictDoNothing({ target: emails.messageId });
}
