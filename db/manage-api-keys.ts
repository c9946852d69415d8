/** Managing the API keys of an account, or of a staff person: creating, listing, revoking. */
import { and, count, desc, eq, gt, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { lockAccount } from './accounts.ts';
import { createApiKey, isForSupport, type Scope } from './api-keys.ts';
import { type AuditOrigin, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { lockPerson } from './people.ts';
import { cut, type Page } from './read.ts';
import { apiKeys } from './schema.ts';

export type ApiKeyRow = typeof apiKeys.$inferSelect;

/** Whose keys: those of an account, of a staff person, or (`null`) of all staff. */
export type KeyOwner = { accountId: string } | { personId: string | null };

/** Keys of one owner that are neither revoked nor expired. */
export const LIVE_KEYS = 50;

export interface NewApiKey {
  name: string;
  scopes: Scope[];
  expiresAt: Date | null;
}

/**
 * Creates a key. `unknown`: there is no such account or staff person; `closed`: the account is; `scope`: a key of
 * support cannot have one of the scopes; `limit`: the owner has `LIVE_KEYS` already.
 */
export async function addApiKey(
  tx: Transaction,
  owner: { accountId: string } | { personId: string },
  { name, scopes, expiresAt }: NewApiKey,
  by: AuditOrigin,
): Promise<{ row: ApiKeyRow; key: string } | 'unknown' | 'closed' | 'scope' | 'limit'> {
  if ('accountId' in owner) {
    const account = await lockAccount(tx, owner.accountId);
    if (!account) return 'unknown';
    if (account.closedAt) return 'closed';
  } else {
    const person = await lockPerson(tx, owner.personId);
    if (!person || person.role === 'user') return 'unknown';
    if (person.role === 'support' && !scopes.every(isForSupport)) return 'scope';
  }
  if ((await countLive(tx, owner)) >= LIVE_KEYS) return 'limit';
  const { id, key } = await createApiKey(tx, {
    ...('accountId' in owner ? { organizationId: owner.accountId } : owner),
    name,
    scopes,
    ...(expiresAt && { expiresAt }),
    ...(by.actor && { createdBy: by.actor }),
  });
  const [row] = await tx.select().from(apiKeys).where(eq(apiKeys.id, id));
  if (!row) throw new Error('The key was not written.');
  await recordAudit(tx, {
    ...by,
    type: 'key.created',
    accountId: row.organizationId,
    targetId: id,
    data: { name, scopes, expiresAt: expiresAt?.toISOString() ?? null, ...personOf(row) },
  });
  return { row, key };
}

/** Newest first, from before the key `before`; revoked and expired ones, too. */
export async function listApiKeys(
  db: Database,
  owner: KeyOwner,
  page: { limit: number; before: string | null },
): Promise<Page<ApiKeyRow, string>> {
  const found = await db
    .select()
    .from(apiKeys)
    .where(and(ownedBy(owner), page.before === null ? undefined : lt(apiKeys.id, page.before)))
    .orderBy(desc(apiKeys.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/** Revokes a key of the owner: it stops with its next use. False: the owner has no such key. */
export async function revokeApiKey(
  tx: Transaction,
  owner: KeyOwner,
  id: string,
  by: AuditOrigin,
): Promise<boolean> {
  const [row] = await tx
    .select()
    .from(apiKeys)
    .where(and(ownedBy(owner), eq(apiKeys.id, id)))
    .for('update');
  if (!row) return false;
  if (row.revokedAt) return true;
  await tx.update(apiKeys).set({ revokedAt: sql`now()` }).where(eq(apiKeys.id, id));
  await recordAudit(tx, {
    ...by,
    type: 'key.revoked',
    accountId: row.organizationId,
    targetId: id,
    data: { name: row.name, ...personOf(row) },
  });
  return true;
}

const personOf = ({ personId }: ApiKeyRow) => (personId === null ? {} : { personId });

function ownedBy(owner: KeyOwner): SQL {
  if ('accountId' in owner) return eq(apiKeys.organizationId, owner.accountId);
  return owner.personId === null ? isNotNull(apiKeys.personId) : eq(apiKeys.personId, owner.personId);
}

async function countLive(tx: Transaction, owner: KeyOwner): Promise<number> {
  const lives = or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`));
  const [row] = await tx
    .select({ count: count() })
    .from(apiKeys)
    .where(and(ownedBy(owner), isNull(apiKeys.revokedAt), lives));
  return row?.count ?? 0;
}
