/** Closing an account: from one transaction on nobody can use it. Its numbers are ended afterwards. */
import { and, asc, eq, gt, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import { erasureTime } from '../contract/account-views.ts';
import type { LIVE_STATUSES } from '../contract/number.ts';
import { type AccountRow, lockAccount } from './accounts.ts';
import { type AuditOrigin, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { writeEmail } from './email-rows.ts';
import { revokeOpen } from './invitations.ts';
import { adminAddresses } from './members.ts';
import type { NumberRow } from './number-row.ts';
import { apiKeys, numbers, organizations } from './schema.ts';

export interface Closure {
  accountId: string;
  /** For the audit log. */
  reason?: string;
  /** Throws where the account is not the one that is meant. */
  check?: (account: AccountRow) => void;
  settings: { erasureDays: number; mailDomain: string };
}

/**
 * Closes an account: keys and invitations end, admins and notification addresses are written to.
 * `lanes`: the emails to send once this is committed. Null: there is no such account.
 */
export async function closeAccount(
  tx: Transaction,
  { accountId, reason, check, settings }: Closure,
  by: AuditOrigin,
): Promise<{ account: AccountRow; lanes: string[] } | 'closed' | null> {
  const before = await lockAccount(tx, accountId);
  if (!before) return null;
  if (before.closedAt) return 'closed';
  check?.(before);
  const closedAt = new Date();
  const closing = { closedAt, closedBy: by.actor };
  await tx.update(organizations).set(closing).where(eq(organizations.id, accountId));
  await revokeKeys(tx, accountId, by);
  await revokeOpen(tx, accountId, null, by);

  const lanes = [...new Set([...before.notificationEmails, ...(await adminAddresses(tx, accountId))])];
  const eraseAt = erasureTime(closedAt, settings.erasureDays).toISOString();
  for (const address of lanes) {
    await writeEmail(tx, {
      lane: address,
      kind: 'account-closed',
      recipient: address,
      accountId,
      data: { accountName: before.name, eraseAt },
      mailDomain: settings.mailDomain,
    });
  }
  const data = reason === undefined ? {} : { reason };
  await recordAudit(tx, { ...by, type: 'account.closed', accountId, targetId: accountId, data });
  return { account: { ...before, ...closing }, lanes };
}

async function revokeKeys(tx: Transaction, accountId: string, by: AuditOrigin): Promise<void> {
  const revoked = await tx
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.organizationId, accountId), isNull(apiKeys.revokedAt)))
    .returning({ id: apiKeys.id, name: apiKeys.name });
  await recordAudit(
    tx,
    ...revoked.map(({ id, name }) => ({
      ...by,
      type: 'key.revoked' as const,
      accountId,
      targetId: id,
      data: { name },
    })),
  );
}

/** Accounts that were closed and not erased yet: the first closed first. */
export async function closedAccounts(db: Database): Promise<AccountRow[]> {
  return db
    .select()
    .from(organizations)
    .where(and(isNotNull(organizations.closedAt), isNull(organizations.erasedAt)))
    .orderBy(asc(organizations.closedAt));
}

/** A page of an account's numbers in one status, in order of id, after the given one. */
export async function numbersInStatus(
  db: Database,
  of: { accountId: string; status: (typeof LIVE_STATUSES)[number] },
  after: string,
  limit: number,
): Promise<NumberRow[]> {
  return db
    .select()
    .from(numbers)
    .where(and(eq(numbers.accountId, of.accountId), eq(numbers.status, of.status), gt(numbers.id, after)))
    .orderBy(asc(numbers.id))
    .limit(limit);
}

/** Which of the numbers are in one of the statuses. */
export async function stillIn(
  db: Database,
  ids: string[],
  statuses: typeof LIVE_STATUSES,
): Promise<string[]> {
  const rows = await db
    .select({ id: numbers.id })
    .from(numbers)
    .where(and(inArray(numbers.id, ids), inArray(numbers.status, [...statuses])));
  return rows.map(({ id }) => id);
}
