/** Whom a change at Meta is about, and which numbers are to be read there. */
import { and, asc, desc, eq, getTableColumns, gt, isNotNull, or, sql } from 'drizzle-orm';
import type { FacebookNews } from '../contract/facebook.ts';
import type { Database } from './client.ts';
import type { MetaConnectionRow } from './meta-connections.ts';
import { isLive, type MetaNumberRow } from './meta-numbers.ts';
import type { NumberRow } from './number-row.ts';
import {
  digitsShown,
  metaConnections,
  metaNumbers,
  metaRegistrations,
  numbers,
  organizations,
} from './schema.ts';

/** The connection of a WhatsApp Business Account; null where it is none of ours. */
export async function connectionOfWaba(db: Database, wabaId: string): Promise<MetaConnectionRow | null> {
  const [row] = await db.select().from(metaConnections).where(eq(metaConnections.wabaId, wabaId));
  return row ?? null;
}

/**
 * The number with these digits in a connection, as they were submitted or as Meta shows them: the live one, or else the
 * latest that had them.
 */
export async function numberWithDigits(
  db: Database,
  connectionId: string,
  digits: string,
): Promise<NumberRow | null> {
  const [row] = await db
    .select(getTableColumns(numbers))
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(
      and(
        eq(metaNumbers.connectionId, connectionId),
        or(eq(metaNumbers.digits, digits), eq(digitsShown, digits)),
      ),
    )
    .orderBy(desc(isLive), desc(numbers.id))
    .limit(1);
  return row ?? null;
}

/** A page of the live numbers of a connection, after the number `after`, whose limit is another, and not learnt later. */
export async function numbersWithOtherLimit(
  db: Database,
  connectionId: string,
  { limit, scope, at }: NonNullable<FacebookNews['limit']> & { at: string },
  { after, size }: { after: string; size: number },
): Promise<NumberRow[]> {
  return db
    .select(getTableColumns(numbers))
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(
      and(
        eq(metaNumbers.connectionId, connectionId),
        isNotNull(metaNumbers.phoneNumberId),
        isLive,
        gt(metaNumbers.numberId, after),
        sql`(${numbers.messagingLimit}, ${numbers.limitScope}) is distinct from (${limit}::text, ${scope}::text)`,
        sql`(${numbers.limitAt} is null or ${numbers.limitAt} <= ${at}::timestamptz)`,
      ),
    )
    .orderBy(asc(metaNumbers.numberId))
    .limit(size);
}

/** Has a number, or all of a connection, read soon: those of a connection over some minutes. Others are never read. */
export async function readSoon(
  db: Database,
  what: { numberId: string } | { connectionId: string },
): Promise<void> {
  const [which, soon] =
    'numberId' in what
      ? [eq(metaNumbers.numberId, what.numberId), sql`now()`]
      : [eq(metaNumbers.connectionId, what.connectionId), sql`now() + random() * interval '10 minutes'`];
  await db
    .update(metaNumbers)
    .set({ readAt: soon })
    .where(and(which, gt(metaNumbers.readAt, soon)));
}

/** A number that is to be read, or whose registration is to be ended. */
export interface DueNumber {
  numberId: string;
  connectionId: string;
}

/**
 * Numbers that are due, so many of each connection, in turns of those that somebody waits for and the approved ones: neither
 * keeps the other out. None of a connection whose token does not work.
 */
export async function dueNumbers(
  db: Database,
  { perConnection, except }: { perConnection: number; except: string[] },
): Promise<DueNumber[]> {
  const isApproved = sql`${numbers.status} = 'APPROVED'`;
  const due = db
    .select({ numberId: metaNumbers.numberId, readAt: metaNumbers.readAt, status: numbers.status })
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(
      and(
        eq(metaNumbers.connectionId, metaConnections.id),
        sql`${metaNumbers.readAt} <= now()`,
        isNotNull(metaNumbers.phoneNumberId),
      ),
    )
    .orderBy(sql`row_number() over (partition by ${isApproved} order by ${metaNumbers.readAt})`, isApproved)
    .limit(perConnection)
    .as('due');
  return db
    .select({ numberId: due.numberId, connectionId: metaConnections.id })
    .from(metaConnections)
    .innerJoinLateral(due, sql`true`)
    .where(
      and(
        eq(metaConnections.state, 'active'),
        sql`${metaConnections.id} <> all(${sql.param(except)}::text[])`,
      ),
    );
}

/** Puts the next reading off; null: it is never read again. */
export async function readLater(db: Database, numberId: string, inMs: number | null): Promise<void> {
  await db
    .update(metaNumbers)
    .set({ readAt: inMs === null ? null : new Date(Date.now() + inMs) })
    .where(eq(metaNumbers.numberId, numberId));
}

/** Whether a live number has these digits in the connection: the one of the row itself, or of whoever has it now. */
export async function isHeldLive(
  db: Database,
  { connectionId, digits }: Pick<MetaNumberRow, 'connectionId' | 'digits'>,
): Promise<boolean> {
  const [one] = await db
    .select({ id: numbers.id })
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(and(eq(metaNumbers.connectionId, connectionId), eq(metaNumbers.digits, digits), isLive))
    .limit(1);
  return one !== undefined;
}

/** So many days a rejected number stays registered: it may be submitted again, and Meta counts registrations. */
const REJECTED_DAYS = 7;

/**
 * Whether a number that has ended is still registered at Meta, as far as is known, and nobody else has registered it now.
 * `kept`: it was rejected, and may come back; or somebody else is on the way to have it.
 */
export async function leftRegistered(db: Database, numberId: string): Promise<'kept' | 'over' | null> {
  const { rows } = await db.execute<{ kept: boolean }>(sql`
    select ended.status = 'REJECTED' and account.closed_at is null
      and ended.updated_at > now() - make_interval(days => ${REJECTED_DAYS}) or holder.number_id is not null as kept
    from ${metaNumbers} mine join ${numbers} ended on ended.id = mine.number_id
    join ${organizations} account on account.id = ended.account_id
    left join lateral (
      select other.number_id, other.registered_at from ${metaNumbers} other
      join ${numbers} on ${numbers.id} = other.number_id
      where other.connection_id = mine.connection_id and other.digits = mine.digits
        and other.number_id <> mine.number_id and ${isLive}
      limit 1
    ) holder on true
    where mine.number_id = ${numberId} and ended.status in ('RELEASED', 'WITHDRAWN', 'REJECTED')
      and (mine.registered_at > coalesce(mine.deregistered_at, '-infinity') or exists (
        select from ${metaRegistrations} asked
        where asked.mobile_number = ended.mobile_number and asked.kind = 'register' and asked.refused is null
          and asked.at > coalesce(mine.deregistered_at, mine.created_at)))
      -- Who has it now ends it; but not before it is theirs at Meta, too.
      and holder.registered_at is null`);
  return rows[0] ? (rows[0].kept ? 'kept' : 'over') : null;
}
