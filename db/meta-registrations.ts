/**
 * The budget of registrations: Meta takes 10 of a number, deregistrations among them, in a moving 72 hours, and then
 * none for 72 hours. Each is counted before it is sent, so that it is never overspent.
 */
import { and, asc, between, desc, eq, gt, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { metaRegistrations } from './schema.ts';

export const REGISTRATIONS = 10;
const WINDOW_MS = 72 * 3_600_000;
/** What is counted here arrives at Meta a little later, and leaves its window later. */
const MARGIN_MS = 60_000;
const LATELY_MS = 15 * 60_000;
/** Meta's answer where its own count says that the budget is used up. */
const USED_UP = 133016;

type Reserved = {
  seq: number;
  /** How many were counted in the window before this one. */
  before: number;
};

/** Counts one that is about to be sent; `until`: when the next one may be, where none is left. */
export async function reserveRegistration(
  db: Database,
  mobileNumber: string,
  kind: 'register' | 'deregister',
): Promise<Reserved | { until: Date }> {
  return db.transaction(async (tx) => {
    // The number as such: it may be of another row now than before.
    await tx.execute(
      sql`select pg_advisory_xact_lock(hashtextextended(${`registrations of ${mobileNumber}`}, 0))`,
    );
    const counted = await tx
      .select({ at: metaRegistrations.at, refused: metaRegistrations.refused })
      .from(metaRegistrations)
      .where(
        and(
          eq(metaRegistrations.mobileNumber, mobileNumber),
          gt(
            metaRegistrations.at,
            sql`clock_timestamp() - make_interval(secs => ${(WINDOW_MS + MARGIN_MS) / 1000})`,
          ),
        ),
      )
      .orderBy(asc(metaRegistrations.at));
    const frozen = counted.findLast(({ refused }) => refused === USED_UP);
    if (frozen) return { until: endOf(frozen.at) };
    const oldest = counted[counted.length - REGISTRATIONS];
    if (oldest) return { until: endOf(oldest.at) };
    const [row] = await tx
      .insert(metaRegistrations)
      .values({ mobileNumber, kind, at: sql`clock_timestamp()` })
      .returning({ seq: metaRegistrations.seq });
    if (!row) throw new Error('The registration was not counted.');
    return { seq: row.seq, before: counted.length };
  });
}

/** Notes that Meta refused one: it counts all the same. */
export async function noteRefused(db: Database, seq: number, code: number): Promise<void> {
  await db.update(metaRegistrations).set({ refused: code }).where(eq(metaRegistrations.seq, seq));
}

/** Whether a call is the number's last one, not a minute old and not refused: it may not have arrived at Meta yet. */
export async function isUnderWay(
  db: Database,
  mobileNumber: string,
  kind: 'register' | 'deregister',
): Promise<boolean> {
  const [last] = await db
    .select({
      kind: metaRegistrations.kind,
      refused: metaRegistrations.refused,
      isRecent: sql<boolean>`${metaRegistrations.at} > now() - make_interval(secs => ${MARGIN_MS / 1000})`,
    })
    .from(metaRegistrations)
    .where(eq(metaRegistrations.mobileNumber, mobileNumber))
    .orderBy(desc(metaRegistrations.seq))
    .limit(1);
  return last !== undefined && last.kind === kind && last.refused === null && last.isRecent;
}

/** Whether Meta was asked to register the number within a quarter of an hour around a time. */
export async function isRegisteredLately(db: Database, mobileNumber: string, at: Date): Promise<boolean> {
  const found = await db
    .select({ seq: metaRegistrations.seq })
    .from(metaRegistrations)
    .where(
      and(
        eq(metaRegistrations.mobileNumber, mobileNumber),
        eq(metaRegistrations.kind, 'register'),
        between(metaRegistrations.at, new Date(at.getTime() - LATELY_MS), new Date(at.getTime() + LATELY_MS)),
      ),
    )
    .limit(1);
  return found.length > 0;
}

/** When one that was counted at this time leaves the window. */
export function endOf(at: Date): Date {
  return new Date(at.getTime() + WINDOW_MS + MARGIN_MS);
}
