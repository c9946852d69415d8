/**
 * Links that emails carry: each works once and for its time, and a new one ends the one before. They are rows of
 * better-auth's `verifications`; of the token, only a SHA-256 of its secret is stored: 256 random bits, so that a fast
 * hash is enough.
 */
import { hash, randomBytes } from 'node:crypto';
import { and, eq, gt, inArray, like, lt, type SQL, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { unconfirmed } from './people.ts';
import { people, verifications } from './schema.ts';

/** What a link lets its reader do: set a password, or confirm the address and with it the sign-up. */
export type LinkPurpose = 'password' | 'email';

/** What is kept with each purpose. */
interface LinkData {
  password: Record<never, never>;
  /** What the account of the sign-up is to be called. */
  email: { accountName: string };
}

export interface Link<P extends LinkPurpose> {
  personId: string;
  data: LinkData[P];
}

const t = verifications;
/** As `createLink` makes them. Anything else is nobody's, and PostgreSQL would not take all of it. */
const TOKEN = /^(ver_[0-9a-f]{32})\.([\w-]{43})$/;

/** Makes the one link of a person for a purpose. The token is the only copy there will ever be. */
export async function createLink<P extends LinkPurpose>(
  tx: Transaction,
  purpose: P,
  personId: string,
  options: { data: LinkData[P]; expiresAt: Date },
): Promise<string> {
  const identifier = `${purpose}:${personId}`;
  const id = newId('ver');
  const secret = randomBytes(32).toString('base64url');
  await tx.delete(t).where(eq(t.identifier, identifier));
  const value = hashOf(secret) + JSON.stringify(options.data);
  await tx.insert(t).values({ id, identifier, value, expiresAt: options.expiresAt });
  return `${id}.${secret}`;
}

/** What a token's link is for, which leaves it as it is; null where it is not valid. */
export async function findLink<P extends LinkPurpose>(
  db: Database,
  purpose: P,
  token: string,
): Promise<Link<P> | null> {
  const [row] = await db.select().from(t).where(valid(purpose, token));
  return row ? linkOf<P>(row) : null;
}

/** Uses a link up; null where it is not valid, also where another request was first. */
export async function takeLink<P extends LinkPurpose>(
  tx: Transaction,
  purpose: P,
  token: string,
): Promise<Link<P> | null> {
  const [row] = await tx.delete(t).where(valid(purpose, token)).returning();
  return row ? linkOf<P>(row) : null;
}

/** Uses up the latest link of a person, expired or not; what it was made with, or null where there is none. */
export async function takeLatestLink<P extends LinkPurpose>(
  tx: Transaction,
  purpose: P,
  personId: string,
): Promise<LinkData[P] | null> {
  const [row] = await tx
    .delete(t)
    .where(eq(t.identifier, `${purpose}:${personId}`))
    .returning();
  return row ? linkOf<P>(row).data : null;
}

/** What the latest link of a person was made with, expired or not; null where there is none, or it was used. */
export async function latestLink<P extends LinkPurpose>(
  tx: Transaction,
  purpose: P,
  personId: string,
): Promise<LinkData[P] | null> {
  const [row] = await tx
    .select()
    .from(t)
    .where(eq(t.identifier, `${purpose}:${personId}`));
  return row ? linkOf<P>(row).data : null;
}

function valid(purpose: LinkPurpose, token: string): SQL | undefined {
  const [, id = '', secret = ''] = TOKEN.exec(token) ?? [];
  return and(
    eq(t.id, id),
    like(t.identifier, `${purpose}:%`),
    eq(sql`left(${t.value}, 64)`, hashOf(secret)),
    gt(t.expiresAt, sql`now()`),
  );
}

function linkOf<P extends LinkPurpose>(row: typeof verifications.$inferSelect): Link<P> {
  const [, personId = ''] = row.identifier.split(':');
  return { personId, data: JSON.parse(row.value.slice(64)) as LinkData[P] };
}

/** 64 characters. */
function hashOf(secret: string): string {
  return hash('sha256', secret);
}

/**
 * Deletes links and sign-ins under way that expired a week ago, a batch at a time: until then, the email of a sign-up can
 * be sent again. A sign-up that was never confirmed goes with its link. Returns how many.
 */
export async function deleteExpiredLinks(db: Database, batch = 1_000): Promise<number> {
  const old = db
    .select({ id: t.id })
    .from(t)
    .where(lt(t.expiresAt, sql`now() - interval '7 days'`))
    .limit(batch);
  return db.transaction(async (tx) => {
    const deleted = await tx.delete(t).where(inArray(t.id, old)).returning({ identifier: t.identifier });
    const signUps = deleted.flatMap(({ identifier }) => /^email:(.+)$/.exec(identifier)?.[1] ?? []);
    if (signUps.length > 0) {
      await tx.delete(people).where(and(inArray(people.id, signUps), unconfirmed(tx)));
    }
    return deleted.length;
  });
}
