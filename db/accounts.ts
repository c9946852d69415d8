/** Accounts: reading, changing and creating them. */
import { and, desc, eq, ilike, inArray, isNotNull, lt } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import { type AuditOrigin, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { containing, cut, type Page } from './read.ts';
import { organizations } from './schema.ts';

export type AccountRow = typeof organizations.$inferSelect;

export async function findAccount(db: Database | Transaction, id: string): Promise<AccountRow | null> {
  const [row] = await db.select().from(organizations).where(eq(organizations.id, id));
  return row ?? null;
}

/**
 * Locks an account until the transaction ends, so that changes of its people, keys and state come one after the
 * other. Submissions, which refer to it, go on.
 */
export async function lockAccount(tx: Transaction, id: string): Promise<AccountRow | null> {
  const [row] = await tx.select().from(organizations).where(eq(organizations.id, id)).for('no key update');
  return row ?? null;
}

/** Newest first, from before the account `before`. `q`: part of the name. */
export async function listAccounts(
  db: Database,
  { q }: { q?: string | undefined },
  page: { limit: number; before: string | null },
): Promise<Page<AccountRow, string>> {
  const found = await db
    .select()
    .from(organizations)
    .where(
      and(
        q === undefined ? undefined : ilike(organizations.name, containing(q)),
        page.before === null ? undefined : lt(organizations.id, page.before),
      ),
    )
    .orderBy(desc(organizations.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/** Those of some accounts whose personal fields were erased, by their ids. */
export async function erasedOf(db: Database, ids: string[]): Promise<Set<string>> {
  const found = await db
    .select({ id: organizations.id })
    .from(organizations)
    .where(and(inArray(organizations.id, [...new Set(ids)]), isNotNull(organizations.erasedAt)));
  return new Set(found.map(({ id }) => id));
}

/** Creates an account that nobody belongs to yet. */
export async function createAccount(
  tx: Transaction,
  account: { name: string; notificationEmails: string[] },
  by: AuditOrigin,
): Promise<AccountRow> {
  const id = newId('org');
  const [row] = await tx
    .insert(organizations)
    .values({ id, slug: id, ...account })
    .returning();
  if (!row) throw new Error('The account was not written.');
  await recordAudit(tx, {
    ...by,
    type: 'account.created',
    accountId: id,
    targetId: id,
    data: { name: row.name },
  });
  return row;
}

/** Changes an account that was locked. The entry in the audit log tells which fields, not their values. */
export async function changeAccount(
  tx: Transaction,
  before: AccountRow,
  changes: { name?: string | undefined; notificationEmails?: string[] | undefined },
  by: AuditOrigin,
): Promise<AccountRow> {
  const { name = before.name, notificationEmails = before.notificationEmails } = changes;
  const fields = [
    ...(name === before.name ? [] : ['name']),
    ...(String(notificationEmails) === String(before.notificationEmails) ? [] : ['notificationEmails']),
  ];
  if (fields.length === 0) return before;
  await tx.update(organizations).set({ name, notificationEmails }).where(eq(organizations.id, before.id));
  const { id } = before;
  await recordAudit(tx, { ...by, type: 'account.changed', accountId: id, targetId: id, data: { fields } });
  return { ...before, name, notificationEmails };
}
