/**
 * API keys: `wna_<lookup>_<secret>`. The lookup finds the row, only a SHA-256 of the whole key is stored.
 * The secret is 256 random bits, so a fast hash is enough: there is nothing to guess.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { prepared } from './prepared.ts';
import { apiKeys, organizations, people } from './schema.ts';
import { isBanned } from './sessions.ts';

export type Scope = (typeof apiKeys.$inferSelect)['scopes'][number];

const KEY = /^wna_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/** Support may read and decide; keys, members and accounts are for operators. */
export const isForSupport = (scope: Scope) => scope !== 'admin';

/** SHA-256 of the whole key, hex. */
export function hashApiKey(key: string): string {
  return hash('sha256', key);
}

/**
 * Creates a key of an account or of a staff person; exactly one of both is named.
 * `key` is the only copy there will ever be.
 */
export async function createApiKey(
  db: Database | Transaction,
  options: {
    organizationId?: string;
    personId?: string;
    name: string;
    scopes: Scope[];
    expiresAt?: Date;
    createdBy?: Actor;
  },
): Promise<{ id: string; key: string }> {
  const lookup = randomBytes(6).toString('hex');
  const key = `wna_${lookup}_${randomBytes(32).toString('base64url')}`;
  const id = newId('key');
  await db.insert(apiKeys).values({
    id,
    organizationId: options.organizationId ?? null,
    personId: options.personId ?? null,
    name: options.name,
    lookup,
    hash: hashApiKey(key),
    scopes: options.scopes,
    expiresAt: options.expiresAt ?? null,
    createdBy: options.createdBy ?? null,
  });
  return { id, key };
}

export interface KeyHolder {
  id: string;
  /** Set for a key of an account. */
  organizationId: string | null;
  /** Set for a key of a staff person. */
  person: Pick<typeof people.$inferSelect, 'id' | 'name' | 'role' | 'lastActiveAt'> | null;
  scopes: Scope[];
  lastUsedAt: Date | null;
}

const keyByLookup = prepared((db) =>
  db
    .select({
      key: {
        id: apiKeys.id,
        organizationId: apiKeys.organizationId,
        hash: apiKeys.hash,
        scopes: apiKeys.scopes,
        lastUsedAt: apiKeys.lastUsedAt,
        expiresAt: apiKeys.expiresAt,
        revokedAt: apiKeys.revokedAt,
      },
      person: {
        id: people.id,
        name: people.name,
        role: people.role,
        lastActiveAt: people.lastActiveAt,
        banned: people.banned,
        banExpires: people.banExpires,
      },
      closedAt: organizations.closedAt,
    })
    .from(apiKeys)
    .leftJoin(people, eq(people.id, apiKeys.personId))
    .leftJoin(organizations, eq(organizations.id, apiKeys.organizationId))
    .where(eq(apiKeys.lookup, sql.placeholder('lookup')))
    .prepare('key_by_lookup'),
);

/**
 * Who holds a key, or null where it is unknown, revoked or expired, its person is banned or its account closed.
 * Asked anew for each request: a revoked key stops at once.
 */
export async function findKeyHolder(db: Database, key: string): Promise<KeyHolder | null> {
  const lookup = KEY.exec(key)?.[1];
  if (lookup === undefined) return null;
  const [row] = await keyByLookup(db).execute({ lookup });
  if (!row) return null;
  const same = timingSafeEqual(Buffer.from(row.key.hash, 'hex'), Buffer.from(hashApiKey(key), 'hex'));
  const now = new Date();
  const ended = row.key.revokedAt !== null || (row.key.expiresAt !== null && row.key.expiresAt <= now);
  if (!same || ended || row.closedAt !== null || (row.person && isBanned(row.person, now))) return null;
  return {
    id: row.key.id,
    organizationId: row.key.organizationId,
    person: row.person && {
      id: row.person.id,
      name: row.person.name,
      role: row.person.role,
      lastActiveAt: row.person.lastActiveAt,
    },
    // Whoever was an operator when the key was made may be support by now.
    scopes: row.person?.role === 'support' ? row.key.scopes.filter(isForSupport) : row.key.scopes,
    lastUsedAt: row.key.lastUsedAt,
  };
}

/** Notes that a key was used, at most once a minute over all processes. */
export async function touchApiKey(db: Database, id: string): Promise<void> {
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(
      and(
        eq(apiKeys.id, id),
        or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`)),
      ),
    );
}
