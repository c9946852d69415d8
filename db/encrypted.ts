/** Columns that are kept encrypted by AUTH_SECRET, but for those of authenticator apps, which better-auth reads itself. */
import { and, asc, eq, gt, isNotNull, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { metaConnections, metaNumbers, targets } from './schema.ts';

/** What is encrypted anew in a rotation, as people call it. A new column belongs here. */
export const ENCRYPTED = [
  { name: 'tokens of Meta', id: metaConnections.id, column: metaConnections.token },
  { name: 'PINs of numbers', id: metaNumbers.numberId, column: metaNumbers.pin },
  { name: 'verification codes', id: metaNumbers.numberId, column: metaNumbers.code },
  { name: 'webhook secrets', id: targets.id, column: targets.secret },
  { name: 'replaced webhook secrets', id: targets.id, column: targets.previousSecret },
] as const;
type Encrypted = (typeof ENCRYPTED)[number];

/** A page of what is encrypted there, in order of id, after the given one. */
export async function encryptedAfter(
  db: Database,
  { id, column }: Encrypted,
  after: string,
  limit: number,
): Promise<{ id: string; data: string }[]> {
  return db
    .select({ id: sql<string>`${id}`, data: sql<string>`${column}` })
    .from(column.table)
    .where(and(gt(id, after), isNotNull(column)))
    .orderBy(asc(id))
    .limit(limit);
}

/** Unless it was changed meanwhile: whoever did knows the current secret. */
export async function replaceEncryptedIn(
  db: Database,
  { id, column }: Encrypted,
  row: { id: string; data: string },
  data: string,
): Promise<void> {
  await db.execute(
    sql`update ${column.table} set ${sql.identifier(column.name)} = ${data} where ${and(eq(id, row.id), eq(column, row.data))}`,
  );
}
