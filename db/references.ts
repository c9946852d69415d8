/** What a number names of its account's other things, and whether the account has them. */
import { and, eq, isNull } from 'drizzle-orm';
import type { Database, Transaction } from './client.ts';
import { mayUseImage, useImage } from './images.ts';
import { callbackProfiles } from './schema.ts';

export type Reference = 'callbackProfileId' | 'imageId';
export type References = Partial<Record<Reference, string | null | undefined>>;

/**
 * Those of the ids that are none of the account's: another account's counts like one that does not exist. In a
 * transaction, what was found is not deleted before its end. With `use`, as for a number that will name it, a
 * picture is left alone by its clean-up for a day.
 */
export async function unknownReferences(
  db: Database | Transaction,
  accountId: string,
  { callbackProfileId, imageId }: References,
  { use = false }: { use?: boolean } = {},
): Promise<Reference[]> {
  const unknown: Reference[] = [];
  if (callbackProfileId && !(await hasCallbackProfile(db, accountId, callbackProfileId))) {
    unknown.push('callbackProfileId');
  }
  const hasImage = use ? useImage : mayUseImage;
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
