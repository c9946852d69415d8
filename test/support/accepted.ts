/** A number as an accepted submission leaves it in the database: for tests below the API. */
import { eq } from 'drizzle-orm';
import { newId } from '../../contract/ids.ts';
import type { Database } from '../../db/client.ts';
import { numberEmail } from '../../db/email-rows.ts';
import { columnsOf, type NumberRow, stateOf } from '../../db/number-row.ts';
import { emails, numberEvents, numbers } from '../../db/schema.ts';
import { CUSTOMER, submittedState } from './number-state.ts';

let next = 100;

/** Another possible number each time. */
export function freshNumber(): string {
  return `+1415555${String(next++).padStart(4, '0')}`;
}

export async function acceptNumber(
  db: Database,
  accountId: string,
  changes: Partial<typeof numbers.$inferInsert> = {},
): Promise<NumberRow> {
  const id = newId('num');
  const now = new Date();
  const state = submittedState({
    waitingSince: now.toISOString(),
    submittedAt: now.toISOString(),
    updatedAt: now.toISOString(),
  });
  const mobileNumber = freshNumber();
  const [row] = await db
    .insert(numbers)
    .values({
      ...{ id, accountId, mobileNumber, ...columnsOf(state), submittedBy: CUSTOMER },
      ...changes,
    })
    .returning();
  await db.insert(numberEvents).values({
    id: newId('evt'),
    numberId: id,
    attempt: 1,
    revision: 1,
    type: 'submitted',
    at: now,
    actor: CUSTOMER,
    operationId: newId('op'),
  });
  await db
    .insert(emails)
    .values(
      numberEmail({ id, accountId, mobileNumber }, state, 'submitted', { mailDomain: 'numbers.example' }),
    );
  if (!row) throw new Error('not inserted');
  return row;
}

export async function readNumber(db: Database, id: string): Promise<NumberRow> {
  const [row] = await db.select().from(numbers).where(eq(numbers.id, id));
  if (!row) throw new Error(`no number ${id}`);
  return row;
}

export async function readState(db: Database, id: string) {
  return stateOf(await readNumber(db, id));
}

/** Types of a number's events in the order of its timeline. */
export async function readEvents(db: Database, id: string) {
  return db.select().from(numberEvents).where(eq(numberEvents.numberId, id)).orderBy(numberEvents.seq);
}

export async function readEmails(db: Database, id: string) {
  return db.select().from(emails).where(eq(emails.numberId, id)).orderBy(emails.seq);
}
