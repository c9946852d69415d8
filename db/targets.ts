/** Targets and their secrets. */
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { TargetKind } from '../contract/deliveries.ts';
import type { Database, Transaction } from './client.ts';
import { targets } from './schema.ts';

export type TargetRow = typeof targets.$inferSelect;

/** How long a secret signs along after it was replaced. */
export const SECRET_OVERLAP_HOURS = 24;

/**
 * Gives a target a new secret, encrypted as `sealed` (`targets/secrets.ts` makes them); the one that it has signs along
 * for a day. Makes the target where there is none. `id`: the number's or the profile's, which the caller may change.
 */
export async function rotateSecret(
  tx: Transaction,
  target: { id: string; accountId: string; kind: TargetKind; sealed: string },
): Promise<{ previousValidUntil: Date | null }> {
  const { sealed, ...rest } = target;
  const [row] = await tx
    .insert(targets)
    .values({ ...rest, secret: sealed })
    .onConflictDoUpdate({
      target: targets.id,
      set: {
        secret: sealed,
        previousSecret: targets.secret,
        previousValidUntil: sql`case when ${targets.secret} is not null then now() + make_interval(hours => ${SECRET_OVERLAP_HOURS}) end`,
      },
    })
    .returning({ previousValidUntil: targets.previousValidUntil });
  return { previousValidUntil: row?.previousValidUntil ?? null };
}

/** The target, or null where nothing was ever to be sent there and nobody asked for its secret. */
export async function getTarget(db: Database | Transaction, id: string): Promise<TargetRow | null> {
  return (await getTargets(db, [id])).get(id) ?? null;
}

/** Those that there are, by id. */
export async function getTargets(db: Database | Transaction, ids: string[]): Promise<Map<string, TargetRow>> {
  const rows = ids.length === 0 ? [] : await db.select().from(targets).where(inArray(targets.id, ids));
  return new Map(rows.map((row) => [row.id, row]));
}

/** Gives a target the secret that its first delivery is signed with. Returns the one that it has then. */
export async function keepFirstSecret(db: Database, id: string, sealed: string): Promise<string> {
  await db
    .update(targets)
    .set({ secret: sealed })
    .where(and(eq(targets.id, id), isNull(targets.secret)));
  const [row] = await db.select({ secret: targets.secret }).from(targets).where(eq(targets.id, id));
  if (!row?.secret) throw new Error(`The target ${id} is gone`);
  return row.secret;
}
