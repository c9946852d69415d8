/** The callback profiles of accounts. A deleted one stays as a row, for the timelines that name it. */
import { and, count, desc, eq, isNull, lt } from 'drizzle-orm';
import type { CallbackProfileChanges, NewCallbackProfile } from '../contract/callback-profiles.ts';
import { newId } from '../contract/ids.ts';
import { lockAccount } from './accounts.ts';
import type { Database, Transaction } from './client.ts';
import { cut, type Page } from './read.ts';
import { callbackProfiles, isLiveSql, numbers } from './schema.ts';

const t = callbackProfiles;
export type CallbackProfileRow = typeof t.$inferSelect;

/** That an account has at once. */
export const MAX_CALLBACK_PROFILES = 100;
/** Numbers that are named where a profile is in use. */
const NAMED = 10;

const ofAccount = (accountId: string) => and(eq(t.accountId, accountId), isNull(t.deletedAt));
const one = (accountId: string, id: string) => and(ofAccount(accountId), eq(t.id, id));

/** Creates a profile; null where the account has as many as it may. */
export async function createCallbackProfile(
  tx: Transaction,
  accountId: string,
  profile: NewCallbackProfile,
): Promise<CallbackProfileRow | null> {
  // One at a time counts and creates.
  await lockAccount(tx, accountId);
  const [held] = await tx.select({ count: count() }).from(t).where(ofAccount(accountId));
  if ((held?.count ?? 0) >= MAX_CALLBACK_PROFILES) return null;
  const [row] = await tx
    .insert(t)
    .values({ id: newId('cbp'), accountId, ...profile })
    .returning();
  return row ?? null;
}

/** Newest first, from before the profile `before`. */
export async function listCallbackProfiles(
  db: Database,
  accountId: string,
  page: { limit: number; before: string | null },
): Promise<Page<CallbackProfileRow, string>> {
  const found = await db
    .select()
    .from(t)
    .where(and(ofAccount(accountId), page.before === null ? undefined : lt(t.id, page.before)))
    .orderBy(desc(t.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/** The profile, or null: another account's answers like one that does not exist. */
export async function getCallbackProfile(
  db: Database,
  accountId: string,
  id: string,
): Promise<CallbackProfileRow | null> {
  const [row] = await db.select().from(t).where(one(accountId, id));
  return row ?? null;
}

/** The profile after the change, or null where there is none. */
export async function changeCallbackProfile(
  tx: Transaction,
  accountId: string,
  id: string,
  changes: CallbackProfileChanges,
): Promise<CallbackProfileRow | null> {
  const [row] = await tx
    .update(t)
    .set({ ...changes, updatedAt: new Date() })
    .where(one(accountId, id))
    .returning();
  return row ?? null;
}

/** Deletes a profile that no live number uses; otherwise says some that do. Null: there is no such profile. */
export async function deleteCallbackProfile(
  tx: Transaction,
  accountId: string,
  id: string,
): Promise<{ numberIds: string[] } | null> {
  // Waits for submissions that name it (`db/references.ts`), and they for this.
  const [row] = await tx.select({ id: t.id }).from(t).where(one(accountId, id)).for('update');
  if (!row) return null;
  const users = await tx
    .select({ id: numbers.id })
    .from(numbers)
    .where(and(eq(numbers.callbackProfileId, id), isLiveSql))
    .orderBy(desc(numbers.id))
    .limit(NAMED);
  if (users.length === 0) await tx.update(t).set({ deletedAt: new Date() }).where(eq(t.id, id));
  return { numberIds: users.map((number) => number.id) };
}
