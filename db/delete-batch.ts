import { and, inArray, type SQL } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Database } from './client.ts';

/** Deletes rows that count no more, so many at the most. One that counts again meanwhile stays. Returns how many. */
export async function deleteBatch(
  db: Database,
  { table, id, ended, batch }: { table: PgTable; id: PgColumn; ended: SQL | undefined; batch: number },
): Promise<number> {
  const old = db.select({ id }).from(table).where(ended).limit(batch);
  const deleted = await db
    .delete(table)
    .where(and(ended, inArray(id, old)))
    .returning({ id });
  return deleted.length;
}
