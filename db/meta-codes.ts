/** Codes and PINs that people enter, on their way to Meta: encrypted. A code is deleted when Meta was asked. */
import { and, desc, eq, gt, inArray, isNull, max, ne, or, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import type { MetaNumberRow } from './meta-numbers.ts';
import { metaNumbers, numberEvents, numbers } from './schema.ts';

/** A code that was not checked for so long may be replaced: its request has given up. Seconds. */
const UNCHECKED_SECONDS = 60;

/**
 * Keeps a code for its check. False where another one is being checked, or there is no such number at Meta. A repeat of
 * an operation keeps it once more, unless Meta was asked: then what it said stays.
 */
export async function keepCode(
  db: Database,
  numberId: string,
  { operationId, code }: { operationId: string; code: string },
): Promise<boolean> {
  const { code: kept, codeOperationId, codeOutcome, updatedAt } = metaNumbers;
  const isNew = sql`${codeOperationId} is distinct from ${operationId}`;
  const isOver = sql`${updatedAt} < now() - make_interval(secs => ${UNCHECKED_SECONDS})`;
  await db
    .update(metaNumbers)
    .set({ code, codeOperationId: operationId, codeOutcome: null, updatedAt: sql`now()` })
    .where(
      and(
        eq(metaNumbers.numberId, numberId),
        or(and(isNew, or(isNull(kept), isOver)), and(eq(codeOperationId, operationId), isNull(codeOutcome))),
      ),
    );
  const [row] = await db
    .select({ operationId: codeOperationId })
    .from(metaNumbers)
    .where(eq(metaNumbers.numberId, numberId));
  return row?.operationId === operationId;
}

/** Deletes the code that an operation has entered. One that was entered since then stays. */
export async function dropCode(db: Database, numberId: string, operationId: string): Promise<void> {
  await db
    .update(metaNumbers)
    .set({ code: null, updatedAt: sql`now()` })
    .where(and(eq(metaNumbers.numberId, numberId), eq(metaNumbers.codeOperationId, operationId)));
}

/** When a number's codes were refused within the last hours, the latest first. */
export async function refusedCodes(db: Database, numberId: string, hours: number): Promise<Date[]> {
  const { type, at } = numberEvents;
  const rows = await db
    .select({ at })
    .from(numberEvents)
    .where(
      and(
        eq(numberEvents.numberId, numberId),
        eq(type, 'facebook.code_refused'),
        gt(at, sql`now() - make_interval(hours => ${hours})`),
      ),
    )
    .orderBy(desc(at));
  return rows.map((row) => row.at);
}

/** When Meta was last asked to send a code; null where it never was. */
export async function codeSentAt(db: Database, numberId: string): Promise<Date | null> {
  const [row] = await db
    .select({ at: metaNumbers.codeSentAt })
    .from(metaNumbers)
    .where(eq(metaNumbers.numberId, numberId));
  return row?.at ?? null;
}

/** When another account last proved the number in the same connection, where this one has not proved it since. */
export async function laterProofOfAnother(
  db: Database,
  accountId: string,
  { connectionId, digits, verifiedAt }: MetaNumberRow,
): Promise<Date | null> {
  const [row] = await db
    .select({ at: max(metaNumbers.verifiedAt) })
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(
      and(
        eq(metaNumbers.connectionId, connectionId),
        eq(metaNumbers.digits, digits),
        ne(numbers.accountId, accountId),
        verifiedAt ? gt(metaNumbers.verifiedAt, verifiedAt) : undefined,
      ),
    );
  return row?.at ?? null;
}

/** Whether staff let a number go on after it was held up with this message, since a time. */
export async function wasLetGoOn(
  db: Database,
  numberId: string,
  { message, since }: { message: string; since: Date },
): Promise<boolean> {
  const { type, at, seq, actor, data } = numberEvents;
  const isSince = and(eq(numberEvents.numberId, numberId), gt(at, since));
  const held = db
    .select({ seq: sql`min(${seq})` })
    .from(numberEvents)
    .where(and(isSince, eq(type, 'facebook.problem'), sql`${data} ->> 'message' = ${message}`));
  const [row] = await db
    .select({ seq })
    .from(numberEvents)
    .where(
      and(
        isSince,
        eq(type, 'facebook.resumed'),
        inArray(sql`${actor} ->> 'type'`, ['support', 'operator']),
        sql`${seq} > (${held})`,
      ),
    )
    .limit(1);
  return row !== undefined;
}
