/** Who belongs to which account. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { prepared } from './prepared.ts';
import { memberships } from './schema.ts';

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
