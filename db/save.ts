/** Saving what a number's workflow did: events, emails and the row, all or nothing. */
import { and, eq, getTableColumns, gte, inArray, or, type SQL, sql, type Table } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import {
  type EmailKind,
  type NumberEvent,
  type NumberState,
  type SaveRequest,
  type SaveResult,
  STAFF_EVENTS,
} from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { numberEmail } from './email-rows.ts';
import { columnsOf, type NumberRow, stateOf } from './number-row.ts';
import { insertOwnEvents, ownEventParts, ownEventsJson } from './own-events.ts';
import { withPartitions } from './partitions.ts';
import { prepared } from './prepared.ts';
import { emails, numberEvents, numbers } from './schema.ts';
import { toldEvents } from './told-events.ts';

/**
 * Writes the events, their emails and the row. Where the database knows some of the events, or others in their
 * place (a repeat; a workflow that was reset or ran twice), nothing is written and the row's state is returned:
 * the workflow takes that, and saves again what is not known. Null: no such number.
 */
export async function saveNumber(
  db: Database,
  request: SaveRequest,
  mailDomain: string,
): Promise<SaveResult | null> {
  const [row] = await rowOf(db).execute({ numberId: request.numberId });
  if (!row) return null;
  const isSaved = await withPartitions(db, () => advance(db, row, request, mailDomain));
  if (isSaved) return { kind: 'saved' };
  return db.transaction((tx) => reconcile(tx, request, mailDomain));
}

const rowOf = prepared((db) =>
  db
    .select()
    .from(numbers)
    .where(eq(numbers.id, sql.placeholder('numberId')))
    .prepare('row_to_save'),
);

/**
 * The usual case, in one statement: the row is where the workflow left it. Returns false, and changes nothing,
 * where it is not.
 */
async function advance(
  db: Database,
  row: NumberRow,
  { numberId, state, events }: SaveRequest,
  mailDomain: string,
): Promise<boolean> {
  const [first] = events;
  if (!first) return false;
  const columns = columnsOf(state);
  const told = toldEvents(row, state, events);
  const statement = told.length > 0 ? advanceAndTell : advanceFrom;
  const advanced = await statement(db, Object.keys(columns)).execute({
    numberId,
    attempt: state.attempt,
    revision: first.revision - 1,
    row: json(numbers, [columns]),
    events: json(numberEvents, eventRows(row, events)),
    emails: json(emails, emailRows(row, state, events, mailDomain)),
    ...(told.length > 0 && { told: ownEventsJson(told) }),
  });
  return advanced.length > 0;
}

/** What `events` and `emails` are written with; the other columns have defaults. */
const EVENT_FIELDS = [
  'id',
  'numberId',
  'attempt',
  'revision',
  'type',
  'at',
  'actor',
  'data',
  'visibility',
  'operationId',
] as const;
const EMAIL_FIELDS = ['id', 'lane', 'numberId', 'attempt', 'kind', 'messageId', 'data'] as const;

const advanceFrom = prepared((db, stateFields: string[]) =>
  advancing(db, stateFields).select({ id: ADVANCED }).from(sql`advanced`).prepare('advance_number'),
);

/** The same, where the Incoming URL is told of it. */
const advanceAndTell = prepared((db, stateFields: string[]) => {
  const told = ownEventParts(sql`${sql.placeholder('told')}`, sql`exists (select from advanced)`);
  return advancing(db, stateFields, told)
    .select({ id: ADVANCED, jobs: sql<number>`(select count(*) from forwarding)`.as('jobs') })
    .from(sql`advanced`)
    .prepare('advance_number_and_tell');
});

const ADVANCED = sql<string>`advanced.id`.as('id');

function advancing(db: Database | Transaction, stateFields: string[], further: [string, SQL][] = []) {
  const { placeholder } = sql;
  const advanced = db.$with('advanced', { id: numbers.id }).as(sql`
    update ${numbers} set (${names(numbers, stateFields)}) =
      (select ${names(numbers, stateFields)} from jsonb_populate_recordset(null::${numbers}, ${placeholder('row')}::jsonb))
    where ${numbers.id} = ${placeholder('numberId')}
      and ${numbers.attempt} = ${placeholder('attempt')} and ${numbers.revision} = ${placeholder('revision')}
      and not exists (
        select from ${numberEvents} known
        join jsonb_populate_recordset(null::${numberEvents}, ${placeholder('events')}::jsonb) event
          on known.number_id = event.number_id and known.attempt = event.attempt
            and known.operation_id = event.operation_id and known.type = event.type)
    returning ${numbers.id}`);
  const insert = (into: Table, fields: readonly string[], from: string) => sql`
    insert into ${into} (${names(into, fields)})
    select ${names(into, fields)} from jsonb_populate_recordset(null::${into}, ${placeholder(from)}::jsonb)
    where exists (select from advanced)`;
  const kept = db.$with('kept', {}).as(insert(numberEvents, EVENT_FIELDS, 'events'));
  const written = db
    .$with('written', {})
    .as(sql`${insert(emails, EMAIL_FIELDS, 'emails')} on conflict (message_id) do nothing`);
  const parts = further.map(([name, query]) => db.$with(name, {}).as(query));
  return db.with(advanced, kept, written, ...parts);
}

/** Every other case: a repeat, or a workflow that was reset or ran twice. */
async function reconcile(
  tx: Transaction,
  request: SaveRequest,
  mailDomain: string,
): Promise<SaveResult | null> {
  const [row] = await tx.select().from(numbers).where(eq(numbers.id, request.numberId)).for('update');
  if (!row) return null;
  const { state, events } = request;
  if (row.attempt > state.attempt) return { kind: 'superseded' };

  const stored = await storedLike(tx, row, events);
  if (stored.length === 0 && row.revision < state.revision) {
    await insertEvents(tx, row, request, mailDomain);
    await tx.update(numbers).set(columnsOf(state)).where(eq(numbers.id, row.id));
    return { kind: 'saved' };
  }
  if (events.length === 0 && row.revision === state.revision) return { kind: 'saved' };
  // The row keeps what was written first, its times too; the workflow takes that and repeats the rest.
  const known = events.filter((event) => stored.some((other) => isSame(event, other)));
  return { kind: 'ahead', state: stateOf(row), known: known.map((event) => event.operationId) };
}

type StoredEvent = { attempt: number; revision: number | null; operationId: string; type: string };

/** The same change; a Facebook decision makes two events, when it is held and when it is used. */
const isSame = (one: NumberEvent, other: StoredEvent) =>
  one.operationId === other.operationId && one.type === other.type && one.attempt === other.attempt;

/** Stored events that are, or stand in the place of, the ones to save. */
async function storedLike(tx: Transaction, row: NumberRow, events: NumberEvent[]): Promise<StoredEvent[]> {
  const [first] = events;
  if (!first) return [];
  const { attempt, revision, operationId, type } = numberEvents;
  const found: StoredEvent[] = await tx
    .select({ attempt, revision, operationId, type })
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
  { state, events }: SaveRequest,
  mailDomain: string,
): Promise<void> {
  if (events.length === 0) return;
  await tx.insert(numberEvents).values(eventRows(row, events));
  await insertOwnEvents(tx, toldEvents(row, state, events));
  const due = emailRows(row, state, events, mailDomain);
  // A reset workflow may repeat a transition: its email exists and stays as it is.
  if (due.length > 0) await tx.insert(emails).values(due).onConflictDoNothing({ target: emails.messageId });
}

function eventRows(row: NumberRow, events: NumberEvent[]) {
  return events.map(({ email: _, at, ...event }) => ({
    ...event,
    id: newId('evt'),
    numberId: row.id,
    at: new Date(at),
    visibility: STAFF_EVENTS.includes(event.type) ? ('staff' as const) : ('everyone' as const),
  })) satisfies Record<(typeof EVENT_FIELDS)[number], unknown>[];
}

function emailRows(row: NumberRow, state: NumberState, events: NumberEvent[], mailDomain: string) {
  return events.flatMap(({ email, revision, data }) =>
    email
      ? [
          numberEmail(row, state, email.kind, {
            ...email,
            mailDomain,
            // From the event: the workflow names only the kind, and saved histories have to replay.
            ...(isApproval(email.kind) && { note: (data['reason'] ?? null) as string | null }),
            ...(!ONCE.includes(email.kind) && { occurrence: revision }),
          }),
        ]
      : [],
  ) satisfies Record<(typeof EMAIL_FIELDS)[number], unknown>[];
}

/** Written once in an attempt; others may come again. */
const ONCE: EmailKind[] = ['submitted', 'verified', 'approved', 'rejected', 'withdrawn'];
const isApproval = (kind: EmailKind) => kind === 'verified' || kind === 'approved';

/** Columns by their names in the database. */
function names(table: Table, fields: readonly string[]): SQL {
  const columns = getTableColumns(table);
  return sql.join(
    fields.map((field) => sql.identifier(columns[field]?.name ?? field)),
    sql`, `,
  );
}

/** Rows as JSON by the columns' names, for `jsonb_populate_recordset`. */
function json(table: Table, rows: Record<string, unknown>[]): string {
  const columns = getTableColumns(table);
  const named = (row: Record<string, unknown>) =>
    Object.entries(row).map(([field, value]) => [columns[field]?.name ?? field, value]);
  return JSON.stringify(rows.map((row) => Object.fromEntries(named(row))));
}
