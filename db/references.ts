/** What a number names of its account's other things, and whether the account has them. */
import { and, eq, isNull } from 'drizzle-orm';
import type { Database, Transaction } from './client.ts';
import { callbackProfiles, images } from './schema.ts';

export type Reference = 'callbackProfileId' | 'imageId';
export type References = Partial<Record<Reference, string | null | undefined>>;

/**
 * Those of the ids that are none of the account's: another account's counts like one that does not exist. In a
 * transaction, what was found is not deleted before its end.
 */
export async function unknownReferences(
  db: Database | Transaction,
  accountId: string,
  { callbackProfileId, imageId }: References,
): Promise<Reference[]> {
  const unknown: Reference[] = [];
  if (callbackProfileId && !(await hasCallbackProfile(db, accountId, callbackProfileId))) {
    unknown.push('callbackProfileId');
  }
  if (imageId && !(await hasImage(db, accountId, imageId))) unknown.push('imageId');
  return unknown;
}

async function hasCallbackProfile(
  db: Database | Transaction,
  accountId: string,
  id: string,
): Promise<boolean> {
  const t = callbackProfiles;
  const found = await db
    .select({ id: t.id })
    .from(t)
    .where(and(eq(t.id, id), eq(t.accountId, accountId), isNull(t.deletedAt)))
    .for('share');
  return found.length > 0;
}

async function hasImage(db: Database | Transaction, accountId: string, id: string): Promise<boolean> {
  const found = await db
    .select({ id: images.id })
    .from(images)
    .where(and(eq(images.id, id), eq(images.accountId, accountId)))
    .for('key share');
  return found.length > 0;
}
