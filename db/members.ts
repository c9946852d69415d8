/** Who belongs to an account, and as what. An account that is open keeps an admin. */
import { and, asc, count, eq, gt, ne } from 'drizzle-orm';
import { lockAccount } from './accounts.ts';
import { type AuditOrigin, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { cut, type Page } from './read.ts';
import { memberships, people } from './schema.ts';
import { notBanned } from './sessions.ts';

export type MemberRole = (typeof memberships.$inferSelect)['role'];

export interface Member {
  /** Of the membership. */
  id: string;
  personId: string;
  name: string;
  email: string;
  role: MemberRole;
  joinedAt: Date;
}

function withPeople(db: Database | Transaction) {
  return db
    .select({
      id: memberships.id,
      personId: memberships.personId,
      name: people.name,
      email: people.email,
      role: memberships.role,
      joinedAt: memberships.createdAt,
    })
    .from(memberships)
    .innerJoin(people, eq(people.id, memberships.personId))
    .$dynamic();
}

/** In the order they joined, from after the membership `after`. */
export async function listMembers(
  db: Database,
  accountId: string,
  page: { limit: number; after: string | null },
): Promise<Page<Member, string>> {
  const found = await withPeople(db)
    .where(
      and(
        eq(memberships.organizationId, accountId),
        page.after === null ? undefined : gt(memberships.id, page.after),
      ),
    )
    .orderBy(asc(memberships.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/** Addresses of an account's admins who can sign in. */
export async function adminAddresses(tx: Transaction, accountId: string): Promise<string[]> {
  const admins = await withPeople(tx).where(
    and(eq(memberships.organizationId, accountId), eq(memberships.role, 'admin'), notBanned),
  );
  return admins.map(({ email }) => email);
}

/** `unknown`: not a member; `last_admin`: nobody else is an admin. */
export async function changeRole(
  tx: Transaction,
  { accountId, personId, role }: { accountId: string; personId: string; role: MemberRole },
  by: AuditOrigin,
): Promise<Member | 'unknown' | 'last_admin'> {
  const member = await lockMember(tx, accountId, personId);
  if (!member) return 'unknown';
  if (member.role === role) return member;
  if (role === 'member' && !(await hasOtherAdmin(tx, accountId, personId))) return 'last_admin';
  await tx.update(memberships).set({ role }).where(eq(memberships.id, member.id));
  const data = { role, before: member.role };
  await recordAudit(tx, { ...by, type: 'member.changed', accountId, targetId: personId, data });
  return { ...member, role };
}

/** Removes a member. Their sessions lose the account at once: each request asks who belongs to it. */
export async function removeMember(
  tx: Transaction,
  { accountId, personId }: { accountId: string; personId: string },
  by: AuditOrigin,
): Promise<'removed' | 'unknown' | 'last_admin'> {
  const member = await lockMember(tx, accountId, personId);
  if (!member) return 'unknown';
  if (member.role === 'admin' && !(await hasOtherAdmin(tx, accountId, personId))) return 'last_admin';
  await tx.delete(memberships).where(eq(memberships.id, member.id));
  const data = { role: member.role };
  await recordAudit(tx, { ...by, type: 'member.removed', accountId, targetId: personId, data });
  return 'removed';
}

/** With the account locked: of two admins who remove each other, the second finds that they are the last. */
async function lockMember(tx: Transaction, accountId: string, personId: string): Promise<Member | null> {
  await lockAccount(tx, accountId);
  const [member] = await withPeople(tx).where(
    and(eq(memberships.organizationId, accountId), eq(memberships.personId, personId)),
  );
  return member ?? null;
}

async function hasOtherAdmin(tx: Transaction, accountId: string, personId: string): Promise<boolean> {
  const [row] = await tx
    .select({ count: count() })
    .from(memberships)
    .innerJoin(people, eq(people.id, memberships.personId))
    .where(
      and(
        eq(memberships.organizationId, accountId),
        eq(memberships.role, 'admin'),
        ne(memberships.personId, personId),
        notBanned,
      ),
    );
  return (row?.count ?? 0) > 0;
}
