/** Sessions: who they are of, and ending them. Better-auth starts them. */
import { and, asc, eq, gt, isNull, lt, ne, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from './client.ts';
import { deleteBatch } from './delete-batch.ts';
import { prepared } from './prepared.ts';
import { memberships, organizations, people, sessions } from './schema.ts';

type SessionRow = typeof sessions.$inferSelect;
type PersonRow = typeof people.$inferSelect;

export interface FoundSession {
  session: Pick<SessionRow, 'id' | 'expiresAt' | 'signedInBy'>;
  person: Pick<
    PersonRow,
    'id' | 'name' | 'email' | 'role' | 'twoFactorEnabled' | 'decisionEmails' | 'lastActiveAt'
  >;
  /** What the person is in the session's active account; null where they are in none, or it is closed. */
  membership: { accountId: string; role: (typeof memberships.$inferSelect)['role'] } | null;
}

export const notBanned = or(eq(people.banned, false), lt(people.banExpires, sql`now()`));

/** The same of a row that was read. */
export function isBanned(
  { banned, banExpires }: Pick<PersonRow, 'banned' | 'banExpires'>,
  now: Date,
): boolean {
  return banned && (banExpires === null || banExpires > now);
}

const sessionByToken = prepared((db) => {
  const active = db
    .select({ accountId: memberships.organizationId, role: memberships.role })
    .from(memberships)
    .innerJoin(organizations, eq(organizations.id, memberships.organizationId))
    .where(
      and(
        eq(memberships.personId, sessions.personId),
        isNull(organizations.closedAt),
        or(
          isNull(sessions.activeOrganizationId),
          eq(memberships.organizationId, sessions.activeOrganizationId),
        ),
      ),
    )
    .orderBy(asc(memberships.id))
    .limit(1)
    .as('active');
  return db
    .select({
      session: { id: sessions.id, expiresAt: sessions.expiresAt, signedInBy: sessions.signedInBy },
      person: {
        id: people.id,
        name: people.name,
        email: people.email,
        role: people.role,
        twoFactorEnabled: people.twoFactorEnabled,
        decisionEmails: people.decisionEmails,
        lastActiveAt: people.lastActiveAt,
      },
      membership: { accountId: active.accountId, role: active.role },
    })
    .from(sessions)
    .innerJoin(people, eq(people.id, sessions.personId))
    .leftJoinLateral(active, sql`true`)
    .where(and(eq(sessions.token, sql.placeholder('token')), gt(sessions.expiresAt, sql`now()`), notBanned))
    .prepare('session_by_token');
});

/**
 * The session of a token, or null where it has ended or its person is disabled. Asked anew for each request. Without
 * a chosen account the first membership is the active one; a chosen one that is gone is not replaced by another.
 */
export async function findSession(db: Database, token: string): Promise<FoundSession | null> {
  const [found] = await sessionByToken(db).execute({ token });
  return found ?? null;
}

/** Ends the sessions of a person, all or all but one; they stop with their next request. */
export async function endSessions(
  db: Database | Transaction,
  personId: string,
  options: { but?: string } = {},
): Promise<void> {
  const { but } = options;
  await db
    .delete(sessions)
    .where(and(eq(sessions.personId, personId), ...(but === undefined ? [] : [ne(sessions.id, but)])));
}

/** Deletes sessions that have run out, a batch at a time. Returns how many. */
export async function deleteExpiredSessions(db: Database, batch = 1_000): Promise<number> {
  const ended = lt(sessions.expiresAt, sql`now()`);
  return deleteBatch(db, { table: sessions, id: sessions.id, ended, batch });
}

/** Notes that a staff person is at work, at most once a minute over all processes. */
export async function touchPerson(db: Database, id: string): Promise<void> {
  await db
    .update(people)
    .set({ lastActiveAt: sql`now()` })
    .where(
      and(
        eq(people.id, id),
        or(isNull(people.lastActiveAt), lt(people.lastActiveAt, sql`now() - interval '1 minute'`)),
      ),
    );
}
