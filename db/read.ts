/** Reading numbers and their timelines. Pages go by key, so that a deep page costs what the first one does. */
import { and, asc, desc, eq, getTableColumns, gt, inArray, sql } from 'drizzle-orm';
import { COMMENT_EVENTS } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import type { NumberRow } from './number-row.ts';
import { prepared } from './prepared.ts';
import { isLiveSql, numberEvents, numbers, organizations } from './schema.ts';

export interface NumberOfAccount {
  row: NumberRow;
  accountName: string;
}

export interface Page<T, C> {
  items: T[];
  /** Where the next page begins; null on the last one. */
  next: C | null;
}

/** Whose numbers are looked at: one account's, or (null) all. */
export type Tenant = string | null;

/** The number, or null: another account's answers like one that does not exist. */
export async function getNumber(db: Database, id: string, tenant: Tenant): Promise<NumberOfAccount | null> {
  const [found] = await numberById(db).execute({ id });
  return found && (tenant === null || found.row.accountId === tenant) ? found : null;
}

const numberById = prepared((db) =>
  withAccount(db)
    .where(eq(numbers.id, sql.placeholder('id')))
    .prepare('number_by_id'),
);

/** The account's number of that E.164 which is pending or approved, or null. */
export async function findLive(
  db: Database,
  accountId: string,
  mobileNumber: string,
): Promise<Pick<NumberRow, 'id' | 'status'> | null> {
  const [found] = await db
    .select({ id: numbers.id, status: numbers.status })
    .from(numbers)
    .where(and(eq(numbers.mobileNumber, mobileNumber), eq(numbers.accountId, accountId), isLiveSql));
  return found ?? null;
}

/** Those of the numbers that are not at the revision where they were seen. `ids` and `revisions` go together. */
export async function changedNumbers(
  db: Database,
  seen: { ids: string[]; revisions: number[] },
): Promise<NumberOfAccount[]> {
  return changedSince(db).execute(seen);
}

const changedSince = prepared((db) =>
  withAccount(db)
    .innerJoin(
      // Two parameters, however many.
      sql`unnest(${sql.placeholder('ids')}::text[], ${sql.placeholder('revisions')}::int[]) as seen (id, revision)`,
      sql`seen.id = ${numbers.id} and seen.revision <> ${numbers.revision}`,
    )
    .prepare('changed_numbers'),
);

export type EventRow = typeof numberEvents.$inferSelect;

/** A number's timeline, oldest first, from after the event `after`. */
export async function listEvents(
  db: Database,
  numberId: string,
  options: { staff: boolean; limit: number; after: number | null },
): Promise<Page<EventRow, number>> {
  const found = await db
    .select()
    .from(numberEvents)
    .where(
      and(
        eq(numberEvents.numberId, numberId),
        options.staff ? undefined : eq(numberEvents.visibility, 'everyone'),
        options.after === null ? undefined : gt(numberEvents.seq, options.after),
      ),
    )
    .orderBy(asc(numberEvents.seq))
    .limit(options.limit + 1);
  return cut(found, options.limit, (last) => last.seq);
}

/** The latest things that were said about a number, internal ones too, oldest first. */
export async function latestComments(db: Database, numberId: string, limit: number): Promise<EventRow[]> {
  const found = await db
    .select()
    .from(numberEvents)
    .where(and(eq(numberEvents.numberId, numberId), inArray(numberEvents.type, COMMENT_EVENTS)))
    .orderBy(desc(numberEvents.seq))
    .limit(limit);
  return found.reverse();
}

/** Whether an operation has taken effect: it is in the timeline. */
export async function isInTimeline(db: Database, numberId: string, operationId: string): Promise<boolean> {
  return (await findEvent(db, numberId, operationId)) !== null;
}

/** What an operation that makes one event has done; null where it has not taken effect. */
export async function findEvent(
  db: Database,
  numberId: string,
  operationId: string,
): Promise<EventRow | null> {
  const [found] = await db
    .select()
    .from(numberEvents)
    .where(and(eq(numberEvents.numberId, numberId), eq(numberEvents.operationId, operationId)))
    .limit(1);
  return found ?? null;
}

/** Cuts a page that was read with one item too many. */
export function cut<T, C>(found: T[], limit: number, keyOf: (last: T) => C): Page<T, C> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? keyOf(last) : null };
}

/** A pattern of `like` that finds the text anywhere, literally. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

export function withAccount(db: Database | Transaction) {
  return db
    .select({ row: getTableColumns(numbers), accountName: organizations.name })
    .from(numbers)
    .innerJoin(organizations, eq(organizations.id, numbers.accountId))
    .$dynamic();
}
