/** Codes and PINs that people enter, on their way to Meta: encrypted. A code is deleted when Meta was asked. */
import { and, desc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { metaNumbers, numberEvents } from './schema.ts';

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

/** Keeps the PIN that the customer says is set at Meta, encrypted, in the place of the one before. */
export async function keepPin(db: Database, numberId: string, pin: string): Promise<void> {
  await db.update(metaNumbers).set({ pin, updatedAt: sql`now()` }).where(eq(metaNumbers.numberId, numberId));
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
