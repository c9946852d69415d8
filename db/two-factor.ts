/** Rows of authenticator apps, as far as they are not better-auth's alone. */
import { and, asc, eq, isNull, lt, or } from 'drizzle-orm';
import type { Database } from './client.ts';
import { twoFactors } from './schema.ts';

type TwoFactorRow = typeof twoFactors.$inferSelect;
type Encrypted = Pick<TwoFactorRow, 'secret' | 'backupCodes'>;

const t = twoFactors;

export async function findTwoFactor(db: Database, personId: string): Promise<TwoFactorRow | null> {
  const [row] = await db.select().from(t).where(eq(t.personId, personId));
  return row ?? null;
}

export async function peopleWithTwoFactor(db: Database): Promise<string[]> {
  const rows = await db.selectDistinct({ personId: t.personId }).from(t).orderBy(asc(t.personId));
  return rows.map(({ personId }) => personId);
}

/** False where the row is not as it was read any more. */
export async function replaceEncrypted(
  db: Database,
  row: Pick<TwoFactorRow, 'id'> & Encrypted,
  encrypted: Encrypted,
): Promise<boolean> {
  const { rowCount } = await db
    .update(t)
    .set(encrypted)
    .where(and(eq(t.id, row.id), eq(t.secret, row.secret), eq(t.backupCodes, row.backupCodes)));
  return rowCount === 1;
}

/** Takes the time step of a code. False where a code of it, or of a later one, was taken before: one request wins. */
export async function takeTimeStep(db: Database, id: string, step: number): Promise<boolean> {
  const { rowCount } = await db
    .update(t)
    .set({ lastTimeStep: step })
    .where(and(eq(t.id, id), or(isNull(t.lastTimeStep), lt(t.lastTimeStep, step))));
  return rowCount === 1;
}

/** Gives back a time step whose code was not accepted for another reason. What is older stays taken. */
export async function giveBackTimeStep(db: Database, id: string, step: number): Promise<void> {
  await db
    .update(t)
    .set({ lastTimeStep: step - 1 })
    .where(and(eq(t.id, id), eq(t.lastTimeStep, step)));
}
