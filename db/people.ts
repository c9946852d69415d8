/** People: finding them, who belongs to which account, and what is done to them. */
import { and, asc, desc, eq, inArray, isNull, lt, notExists, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { prepared } from './prepared.ts';
import { cut, type Page } from './read.ts';
import { credentials, memberships, organizations, people, twoFactors } from './schema.ts';
import { notBanned } from './sessions.ts';

export type PersonRow = typeof people.$inferSelect;

/** Better-auth's name of the provider that is a password of ours. */
const PASSWORD_PROVIDER = 'credential';

export async function findPerson(
  db: Database | Transaction,
  by: { id: string } | { email: string },
): Promise<PersonRow | null> {
  const where = 'id' in by ? eq(people.id, by.id) : eq(people.email, by.email);
  const [row] = await db.select().from(people).where(where);
  return row ?? null;
}

/** Locks a person until the transaction ends. */
export async function lockPerson(tx: Transaction, id: string): Promise<PersonRow | null> {
  const [row] = await tx.select().from(people).where(eq(people.id, id)).for('no key update');
  return row ?? null;
}

/** Sign-ups that nobody has confirmed: their addresses are nobody's. */
export function unconfirmed(db: Database | Transaction) {
  const member = db.select().from(memberships).where(eq(memberships.personId, people.id));
  return and(eq(people.emailVerified, false), eq(people.role, 'user'), notExists(member));
}

/** Deletes the sign-up of an address that was not confirmed; its link ends with it. */
export async function deleteUnconfirmed(tx: Transaction, email: string): Promise<void> {
  await tx.delete(people).where(and(eq(people.email, email), unconfirmed(tx)));
}

/** Somebody new, or null where the address is taken. */
export async function createPerson(
  tx: Transaction,
  person: Pick<PersonRow, 'name' | 'email' | 'role' | 'emailVerified'>,
): Promise<PersonRow | null> {
  const [row] = await tx
    .insert(people)
    .values({ id: newId('usr'), ...person })
    .onConflictDoNothing()
    .returning();
  return row ?? null;
}

export async function updatePerson(
  tx: Transaction,
  id: string,
  changes: Partial<typeof people.$inferInsert>,
): Promise<PersonRow> {
  const [row] = await tx
    .update(people)
    .set({ ...changes, updatedAt: sql`now()` })
    .where(eq(people.id, id))
    .returning();
  if (!row) throw new Error(`There is no person ${id}.`);
  return row;
}

/** Sets or replaces a person's password, given as a hash. */
export async function setPassword(tx: Transaction, personId: string, hash: string): Promise<void> {
  await tx
    .insert(credentials)
    .values({
      id: newId('crd'),
      personId,
      providerId: PASSWORD_PROVIDER,
      accountId: personId,
      password: hash,
    })
    .onConflictDoUpdate({
      target: [credentials.providerId, credentials.accountId],
      set: { password: hash, updatedAt: sql`now()` },
    });
}

/** The hash of a person's password; null where they have none. */
export async function passwordOf(db: Database | Transaction, personId: string): Promise<string | null> {
  const [row] = await db
    .select({ password: credentials.password })
    .from(credentials)
    .where(and(eq(credentials.personId, personId), eq(credentials.providerId, PASSWORD_PROVIDER)));
  return row?.password ?? null;
}

/** Takes two-factor authentication away. False: there was none, not even one being set up. */
export async function removeTwoFactor(tx: Transaction, personId: string): Promise<boolean> {
  const removed = await tx
    .delete(twoFactors)
    .where(eq(twoFactors.personId, personId))
    .returning({ id: twoFactors.id });
  return removed.length > 0;
}

/** The open accounts that a person belongs to, in the order of joining. */
export async function accountsOf(db: Database, personId: string) {
  return db
    .select({ id: organizations.id, name: organizations.name, role: memberships.role })
    .from(memberships)
    .innerJoin(organizations, eq(organizations.id, memberships.organizationId))
    .where(and(eq(memberships.personId, personId), isNull(organizations.closedAt)))
    .orderBy(asc(memberships.id));
}

/** What people are called, by their ids; without those that are none of ours. */
export async function namesOf(db: Database, ids: string[]): Promise<Map<string, string>> {
  const found = await db
    .select({ id: people.id, name: people.name })
    .from(people)
    .where(inArray(people.id, [...new Set(ids)]));
  return new Map(found.map(({ id, name }) => [id, name]));
}

/** Newest first, from before the person `before`. */
export async function listPeople(
  db: Database,
  filter: { roles?: PersonRow['role'][]; email?: string | undefined },
  page: { limit: number; before: string | null },
): Promise<Page<PersonRow, string>> {
  const { roles, email } = filter;
  const found = await db
    .select()
    .from(people)
    .where(
      and(
        roles && inArray(people.role, roles),
        email === undefined ? undefined : eq(people.email, email),
        page.before === null ? undefined : lt(people.id, page.before),
      ),
    )
    .orderBy(desc(people.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/**
 * The operators that can sign in, locked until the transaction ends: of two that disable each other, the second sees
 * what the first did.
 */
export async function lockOperators(tx: Transaction): Promise<string[]> {
  const rows = await tx
    .select({ id: people.id })
    .from(people)
    .where(and(eq(people.role, 'operator'), notBanned))
    .orderBy(asc(people.id))
    .for('no key update');
  return rows.map(({ id }) => id);
}

/** Whether a person is a member of an account, in whatever role. */
export async function isMember(db: Database, personId: string, accountId: string): Promise<boolean> {
  const found = await membership(db).execute({ personId, accountId });
  return found.length > 0;
}

const membership = prepared((db) =>
  db
    .select({ id: memberships.id })
    .from(memberships)
    .where(
      and(
        eq(memberships.personId, sql.placeholder('personId')),
        eq(memberships.organizationId, sql.placeholder('accountId')),
      ),
    )
    .prepare('membership'),
);
