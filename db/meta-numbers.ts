/** Numbers at Meta: what of them activities need and histories must not hold. */
import {
  and,
  asc,
  desc,
  eq,
  getTableColumns,
  gt,
  inArray,
  isNotNull,
  isNull,
  ne,
  or,
  type SQL,
  sql,
} from 'drizzle-orm';
import { TOKEN_PROBLEMS } from '../contract/facebook.ts';
import { LIVE_STATUSES } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import type { MetaConnectionRow } from './meta-connections.ts';
import type { NumberRow } from './number-row.ts';
import { metaConnections, metaNumbers, numbers } from './schema.ts';

export type MetaNumberRow = typeof metaNumbers.$inferSelect;

export interface NumberAtMeta {
  number: NumberRow;
  /** Null before it is first added. */
  meta: MetaNumberRow | null;
  /** The one that it was added by; null before that. */
  connection: MetaConnectionRow | null;
}

export async function findNumberAtMeta(db: Database, numberId: string): Promise<NumberAtMeta | null> {
  const [row] = await db
    .select({
      number: getTableColumns(numbers),
      meta: getTableColumns(metaNumbers),
      connection: getTableColumns(metaConnections),
    })
    .from(numbers)
    .leftJoin(metaNumbers, eq(metaNumbers.numberId, numbers.id))
    .leftJoin(metaConnections, eq(metaConnections.id, metaNumbers.connectionId))
    .where(eq(numbers.id, numberId));
  return row ?? null;
}

/**
 * The row of a number that is to be added by a connection. One that Meta has already stays with the connection that it
 * was added by. Of an earlier life of the number, whoever had it, the PIN is taken over: Meta asks for it again.
 */
export async function ensureMetaNumber(
  db: Database,
  number: NumberRow,
  connectionId: string,
): Promise<MetaNumberRow> {
  const digits = number.mobileNumber.replace('+', '');
  const earlierPin = db
    .select({ pin: metaNumbers.pin })
    .from(metaNumbers)
    .where(and(eq(metaNumbers.digits, digits), isNotNull(metaNumbers.pin)))
    .orderBy(desc(metaNumbers.updatedAt))
    .limit(1);
  await db
    .insert(metaNumbers)
    .values({ numberId: number.id, connectionId, digits, pin: sql`(${earlierPin})` })
    .onConflictDoUpdate({
      target: metaNumbers.numberId,
      set: { connectionId, ...NEW_AT_META, updatedAt: sql`now()` },
      setWhere: sql`${metaNumbers.phoneNumberId} is null and ${metaNumbers.connectionId} <> ${connectionId}`,
    });
  const [row] = await db.select().from(metaNumbers).where(eq(metaNumbers.numberId, number.id));
  if (!row) throw new Error('The number at Meta was not written.');
  return row;
}

/** What another node at Meta, in another account or added anew, has nothing of. */
export const NEW_AT_META = {
  pushedRevision: null,
  pushedImageId: null,
  verifiedAt: null,
  registeredAt: null,
  codeOutcome: null,
  codeOperationId: null,
};

type Changes = Partial<{
  [K in keyof typeof metaNumbers.$inferInsert]: (typeof metaNumbers.$inferInsert)[K] | SQL;
}>;

/** Whether another number of ours, with other digits, is this one at Meta. */
export async function isOfOtherDigits(
  db: Database,
  { connectionId, digits }: Pick<MetaNumberRow, 'connectionId' | 'digits'>,
  phoneNumberId: string,
): Promise<boolean> {
  const [one] = await db
    .select({ numberId: metaNumbers.numberId })
    .from(metaNumbers)
    .where(
      and(
        eq(metaNumbers.connectionId, connectionId),
        eq(metaNumbers.phoneNumberId, phoneNumberId),
        ne(metaNumbers.digits, digits),
      ),
    )
    .limit(1);
  return one !== undefined;
}

export async function changeMetaNumber(db: Database, numberId: string, changes: Changes): Promise<void> {
  await db
    .update(metaNumbers)
    .set({ ...changes, updatedAt: sql`now()` })
    .where(eq(metaNumbers.numberId, numberId));
}

/** Keeps a PIN that was just drawn, unless there is one; returns the one that is kept. */
export async function pinOrDrawn(db: Database, numberId: string, pin: string): Promise<string> {
  const [row] = await db
    .update(metaNumbers)
    .set({ pin: sql`coalesce(${metaNumbers.pin}, ${pin})`, updatedAt: sql`now()` })
    .where(eq(metaNumbers.numberId, numberId))
    .returning({ pin: metaNumbers.pin });
  if (!row?.pin) throw new Error('The PIN was not kept.');
  return row.pin;
}

/** Deletes the code that an operation has entered, with what came of it. One that was entered since then stays. */
export async function settleCode(
  db: Database,
  meta: Pick<MetaNumberRow, 'numberId' | 'codeOperationId'>,
  outcome: NonNullable<MetaNumberRow['codeOutcome']>,
): Promise<void> {
  await db
    .update(metaNumbers)
    .set({
      code: null,
      codeOutcome: outcome,
      ...(outcome === 'right' && { verifiedAt: sql`now()` }),
      updatedAt: sql`now()`,
    })
    .where(
      and(
        eq(metaNumbers.numberId, meta.numberId),
        sql`${metaNumbers.codeOperationId} is not distinct from ${meta.codeOperationId}`,
      ),
    );
}

export const isLive = inArray(numbers.status, [...LIVE_STATUSES]);
/** Registered, as far as is known here. */
export const isRegistered = and(
  isNotNull(metaNumbers.registeredAt),
  or(isNull(metaNumbers.deregisteredAt), sql`${metaNumbers.deregisteredAt} < ${metaNumbers.registeredAt}`),
);

/** Whether a connection's account can be changed for another one: not while numbers live in it. */
export async function hasNumbers(tx: Transaction, connectionId: string): Promise<boolean> {
  const [one] = await tx
    .select({ id: numbers.id })
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(and(eq(metaNumbers.connectionId, connectionId), or(isLive, isRegistered)))
    .limit(1);
  return one !== undefined;
}

const problem = sql`${numbers.facebook} -> 'problem'`;
const problemCode = sql`(${problem} ->> 'code')::int`;
/** As `meta/meanings.ts` has them: Meta's codes for a token that it does not take, or that lacks a permission. */
const isOfToken = or(
  sql`${problemCode} in (190, 10) or ${problemCode} between 200 and 299`,
  inArray(sql`${problem} ->> 'message'`, [...TOKEN_PROBLEMS]),
);

/**
 * A page of the live numbers of a connection that its token holds up, in order of id, after the given one: also those whose
 * profile was not taken, unless something else holds them up.
 */
export async function heldUpNumbers(
  db: Database,
  connectionId: string,
  { after, limit }: { after: string; limit: number },
): Promise<NumberRow[]> {
  return db
    .select(getTableColumns(numbers))
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .where(
      and(
        eq(metaNumbers.connectionId, connectionId),
        gt(numbers.id, after),
        // Others have no workflow that could go on.
        isLive,
        or(
          isOfToken,
          and(
            sql`${numbers.sync} ->> 'state' = 'failed'`,
            sql`coalesce(jsonb_typeof(${problem}), 'null') = 'null'`,
          ),
        ),
      ),
    )
    .orderBy(asc(numbers.id))
    .limit(limit);
}
