/**
 * Pictures of accounts. One that no number names is there for 24 hours after its upload or after a number was
 * last given it: then no number can be given it any more, and the clean-up takes it.
 */
import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { lockAccount } from './accounts.ts';
import type { Database, Transaction } from './client.ts';
import type { Tenant } from './read.ts';
import { imageContents, images, numbers } from './schema.ts';

export type ImageRow = typeof images.$inferSelect;

/** The account has as many unused pictures as it may have. */
export interface QuotaUsedUp {
  /** When the oldest of them is gone. */
  fullUntil: Date;
}

/** Pictures of one account that no number names. */
export const MAX_UNUSED = 100;

const KEPT = sql`interval '24 hours'`;
const isNamed = sql`exists (select from ${numbers} where ${numbers.imageId} = ${images.id})`;
/** `greatest` passes over null. */
const isFresh = sql`greatest(${images.createdAt}, ${images.usedAt}) > now() - ${KEPT}`;
const isUnused = sql`(not ${isFresh} and not ${isNamed})`;

/** Inserts the row, and the content with it where it is kept here. */
export async function insertImage(
  db: Database,
  image: typeof images.$inferInsert,
  content: Buffer | null,
): Promise<ImageRow | QuotaUsedUp> {
  return db.transaction(async (tx) => {
    const { accountId } = image;
    // One upload of an account after the other, so that the count is right.
    await lockAccount(tx, accountId);
    const unused = await tx
      .select({ createdAt: images.createdAt })
      .from(images)
      .where(
        and(eq(images.accountId, accountId), gt(images.createdAt, sql`now() - ${KEPT}`), sql`not ${isNamed}`),
      )
      .orderBy(asc(images.createdAt))
      .limit(MAX_UNUSED);
    const [oldest] = unused;
    if (oldest && unused.length === MAX_UNUSED) {
      return { fullUntil: new Date(oldest.createdAt.getTime() + 24 * 3_600_000) };
    }
    const [row] = await tx.insert(images).values(image).returning();
    if (!row) throw new Error('The picture was not inserted');
    if (content) await tx.insert(imageContents).values({ imageId: row.id, content });
    return row;
  });
}

/** The picture, if the tenant may see it. */
export async function findImage(db: Database, id: string, tenant: Tenant): Promise<ImageRow | null> {
  const [row] = await db
    .select()
    .from(images)
    .where(and(eq(images.id, id), tenant === null ? undefined : eq(images.accountId, tenant)));
  return row ?? null;
}

export async function readContent(db: Database, id: string): Promise<Buffer | null> {
  const [row] = await db.select().from(imageContents).where(eq(imageContents.imageId, id));
  return row?.content ?? null;
}

/** Whether a number may be given the picture. */
export async function mayUseImage(
  db: Database | Transaction,
  accountId: string,
  id: string,
): Promise<boolean> {
  const found = await db.select({ id: images.id }).from(images).where(isUsable(accountId, id));
  return found.length > 0;
}

/** Notes that a number is given the picture, so that the clean-up leaves it. False: it may not be used. */
export async function useImage(db: Database | Transaction, accountId: string, id: string): Promise<boolean> {
  const used = await db
    .update(images)
    .set({ usedAt: sql`now()` })
    .where(isUsable(accountId, id))
    .returning({ id: images.id });
  return used.length > 0;
}

/** The account has it, and the clean-up does not want it. */
function isUsable(accountId: string, id: string) {
  return and(eq(images.id, id), eq(images.accountId, accountId), sql`(${isFresh} or ${isNamed})`);
}

/** Leaves a picture that nobody will hear of to the next clean-up. */
export async function expireImage(db: Database, id: string): Promise<void> {
  await db
    .update(images)
    .set({ createdAt: sql`now() - ${KEPT}` })
    .where(eq(images.id, id));
}

/** A page of pictures that no number names any more, in order of id, after the given one. */
export async function unusedImages(db: Database, after: string, limit: number): Promise<ImageRow[]> {
  return db
    .select()
    .from(images)
    .where(and(gt(images.id, after), isUnused))
    .orderBy(asc(images.id))
    .limit(limit);
}

/**
 * Ends the content of an unused picture by `remove`, then deletes its row: what breaks off between the two is
 * repeated by the next clean-up. False: it has come to use meanwhile, or is gone.
 */
export async function deleteUnusedImage(
  db: Database,
  id: string,
  remove: (image: ImageRow) => Promise<void>,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    // Whoever is giving it to a number this moment holds the row.
    const [image] = await tx
      .select()
      .from(images)
      .where(and(eq(images.id, id), isUnused))
      .for('update', { skipLocked: true });
    if (!image) return false;
    await remove(image);
    await tx.delete(images).where(eq(images.id, id));
    return true;
  });
}
