/**
 * Claims: who is at work on which review. A claim counts until it expires, and for the stage and attempt that it
 * was made for; what counts no more is deleted later. See docs/decisions/0021-claims-and-the-next-review.md.
 */
import { and, eq, gt, isNull, lte, ne, not, or, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { isPending, STATUS_OF_STAGE, type Stage, stageOf } from '../contract/number.ts';
import type { Claim } from '../contract/reviews.ts';
import type { Database, Transaction } from './client.ts';
import { deleteBatch } from './delete-batch.ts';
import type { NumberRow } from './number-row.ts';
import { claims, memberships, numbers, people } from './schema.ts';
import { notBanned } from './sessions.ts';
import { isReviewable } from './turns.ts';

/** The order of the queue, as the index `numbers_reviewable` has it. */
export const queueOrder = sql`(${numbers.attempt} = 1), ${numbers.waitingSince}, ${numbers.id}`;

/** A person's id, or `none` for what nobody has claimed. */
export type ClaimFilter = string | Placeholder;

/** A claim that counts, beside the row of its number. */
export const liveClaim = and(
  gt(claims.expiresAt, sql`now()`),
  eq(claims.attempt, numbers.attempt),
  sql`${numbers.status} = case ${claims.stage} when 'verification' then 'PENDING_VERIFICATION' else 'PENDING_FACEBOOK_APPROVAL' end`,
);

/** For lists of numbers: claimed by that person, or by nobody. */
export function claimedBy(filter: ClaimFilter): SQL {
  const byWhom = filter === 'none' ? undefined : eq(claims.personId, filter);
  const claimed = sql`exists (select from ${claims} where ${and(eq(claims.numberId, numbers.id), liveClaim, byWhom)})`;
  return filter === 'none' ? not(claimed) : claimed;
}

/** The claim that counts for a number as it is in its row; null where there is none. */
export async function claimOn(
  db: Database | Transaction,
  row: Pick<NumberRow, 'id' | 'attempt' | 'status'>,
): Promise<Claim | null> {
  if (!isPending(row.status)) return null;
  const [claim] = await db
    .select({ personId: claims.personId, name: people.name, expiresAt: claims.expiresAt })
    .from(claims)
    .innerJoin(people, eq(people.id, claims.personId))
    .where(
      and(
        eq(claims.numberId, row.id),
        gt(claims.expiresAt, sql`now()`),
        eq(claims.attempt, row.attempt),
        eq(claims.stage, stageOf(row.status)),
      ),
    );
  return claim ?? null;
}

/** The number, held so that nothing else claims or changes it before the end of the transaction. */
export async function holdNumber(tx: Transaction, id: string): Promise<NumberRow | null> {
  const [row] = await tx.select().from(numbers).where(eq(numbers.id, id)).for('no key update');
  return row ?? null;
}

/** Claims a number that is held, whoever had it before. */
export async function claim(tx: Transaction, row: NumberRow, holder: Holder): Promise<void> {
  await insertClaim(tx, row, holder, undefined);
}

/** Gives a claim back. False: it was not that person's, or counted no more. */
export async function releaseClaim(
  db: Database | Transaction,
  row: Pick<NumberRow, 'id' | 'attempt' | 'status'>,
  personId: string,
): Promise<boolean> {
  const held = await claimOn(db, row);
  if (held?.personId !== personId) return false;
  await db.delete(claims).where(and(eq(claims.numberId, row.id), eq(claims.personId, personId)));
  return true;
}

export interface Holder {
  personId: string;
  /** For how long it counts. */
  ms: number;
}

/** Whoever has called so lately is at work, and gets their own resubmissions back. */
const AT_WORK = sql`interval '15 minutes'`;

/**
 * Claims the next review for a person: resubmissions that they judged the time before; then the queue, but for
 * resubmissions whose reviewer is another who is at work; then these, too. Null: there is none. Numbers that
 * somebody is claiming or changing this moment are passed over, so that nobody waits for anybody.
 */
export async function claimNext(
  tx: Transaction,
  stages: readonly Stage[],
  holder: Holder,
): Promise<NumberRow | null> {
  const { personId } = holder;
  const own = await tx
    .select({ id: memberships.organizationId })
    .from(memberships)
    .where(eq(memberships.personId, personId));
  const foreign =
    own.length === 0
      ? undefined
      : sql`${numbers.accountId} <> all(${sql.param(own.map(({ id }) => id))}::text[])`;
  const mine = and(eq(numbers.previousReviewerId, personId), gt(numbers.attempt, 1));
  // `is not true`: also where there was no reviewer.
  const free = sql`${reservedFor(await othersAtWork(tx, personId))} is not true`;
  for (const stage of stages) {
    const open = and(
      eq(numbers.status, STATUS_OF_STAGE[stage]),
      isReviewable,
      foreign,
      openFor(personId, stage),
    );
    for (const which of [mine, free, undefined]) {
      const row = await claimFirst(tx, and(open, which), holder);
      if (row) return row;
    }
  }
  return null;
}

/** Not claimed, not asked of the customer, and not approved by that person already. */
function openFor(personId: string, stage: Stage): SQL | undefined {
  const approved = JSON.stringify([{ by: { id: personId } }]);
  return and(
    claimedBy('none'),
    or(isNull(numbers.question), lte(numbers.dueAt, sql`now()`)),
    stage === 'verification' ? sql`not ${numbers.approvals} @> ${approved}::jsonb` : undefined,
  );
}

/** Other supporters who are at work. */
async function othersAtWork(tx: Transaction, personId: string): Promise<string[]> {
  const found = await tx
    .select({ id: people.id })
    .from(people)
    .where(
      and(
        eq(people.role, 'support'),
        gt(people.lastActiveAt, sql`now() - ${AT_WORK}`),
        notBanned,
        ne(people.id, personId),
      ),
    );
  return found.map(({ id }) => id);
}

/**
 * A resubmission that waits for its reviewer; not where a first approval was given: that may be the reviewer's. Nor
 * past its due time: the reviewer may be at work all day and never ask, or may not decide on it any more.
 */
function reservedFor(atWork: string[]): SQL {
  return sql`(${numbers.attempt} > 1 and ${numbers.previousReviewerId} = any(${sql.param(atWork)}::text[])
    and ${numbers.approvals} = '[]'::jsonb and ${numbers.dueAt} > now())`;
}

async function claimFirst(
  tx: Transaction,
  which: SQL | undefined,
  holder: Holder,
): Promise<NumberRow | null> {
  for (;;) {
    const [row] = await tx
      .select()
      .from(numbers)
      .where(which)
      .orderBy(queueOrder)
      .limit(1)
      .for('no key update', { skipLocked: true });
    if (!row) return null;
    // Where somebody has claimed it since that statement began, the next one sees it.
    if (await insertClaim(tx, row, holder, countsNoMore)) return row;
  }
}

/** Of a claim that is in the way of a new one. */
const countsNoMore = or(
  lte(claims.expiresAt, sql`now()`),
  sql`(${claims.attempt}, ${claims.stage}) <> (excluded.attempt, excluded.stage)`,
);

async function insertClaim(
  tx: Transaction,
  row: NumberRow,
  { personId, ms }: Holder,
  replace: SQL | undefined,
): Promise<boolean> {
  if (!isPending(row.status)) throw new Error(`Number ${row.id} is ${row.status}, not pending.`);
  const made = await tx
    .insert(claims)
    .values({
      numberId: row.id,
      personId,
      attempt: row.attempt,
      stage: stageOf(row.status),
      expiresAt: sql`now() + ${ms} * interval '1 millisecond'`,
    })
    .onConflictDoUpdate({
      target: claims.numberId,
      set: {
        personId: sql`excluded.person_id`,
        attempt: sql`excluded.attempt`,
        stage: sql`excluded.stage`,
        claimedAt: sql`now()`,
        expiresAt: sql`excluded.expires_at`,
      },
      ...(replace && { setWhere: replace }),
    })
    .returning({ id: claims.numberId });
  return made.length > 0;
}

/** Deletes claims that have expired, a batch at a time. Returns how many. */
export async function deleteExpiredClaims(db: Database, batch = 5_000): Promise<number> {
  const ended = lte(claims.expiresAt, sql`now()`);
  return deleteBatch(db, { table: claims, id: claims.numberId, ended, batch });
}
