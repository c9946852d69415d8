/** How much an account may ask to be sent within an hour: replays and tests, over all processes. */
import { eq, sql } from 'drizzle-orm';
import type { Transaction } from './client.ts';
import { requestedSends } from './schema.ts';

const t = requestedSends;

/** Within an hour of an account. */
export const SENDS_PER_HOUR = 100_000;
const HOUR_MS = 3_600_000;

/** How many the account may ask for now, and when the hour ends. Until the transaction ends nobody else counts. */
export async function sendsLeft(tx: Transaction, accountId: string): Promise<{ left: number; until: Date }> {
  const over = sql`${t.since} <= now() - interval '1 hour'`;
  const [row] = await tx
    .insert(t)
    .values({ accountId })
    .onConflictDoUpdate({
      target: t.accountId,
      set: {
        since: sql`case when ${over} then now() else ${t.since} end`,
        count: sql`case when ${over} then 0 else ${t.count} end`,
      },
    })
    .returning();
  if (!row) throw new Error('An upsert returned nothing');
  return { left: SENDS_PER_HOUR - row.count, until: new Date(row.since.getTime() + HOUR_MS) };
}

export async function countSends(tx: Transaction, accountId: string, sends: number): Promise<void> {
  await tx
    .update(t)
    .set({ count: sql`${t.count} + ${sends}` })
    .where(eq(t.accountId, accountId));
}
