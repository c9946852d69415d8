/** Invitations to an account: by email, for one use within a week. Only a hash of the link's token is kept. */
import { hash, randomBytes } from 'node:crypto';
import { and, count, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import { lockAccount } from './accounts.ts';
import { type AuditOrigin, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { writeEmail } from './email-rows.ts';
import type { MemberRole } from './members.ts';
import { createPerson, findPerson, setPassword, updatePerson } from './people.ts';
import { cut, type Page } from './read.ts';
import { invitations, memberships, organizations, people } from './schema.ts';
import { notBanned } from './sessions.ts';

export type InvitationRow = typeof invitations.$inferSelect;

const VALID_MS = 7 * 24 * 3_600_000;
/** Of one account at a time, and within 24 hours: nobody sends mails to the whole world in our name. */
export const OPEN_INVITATIONS = 50;
export const INVITATIONS_A_DAY = 200;

/** SHA-256, hex. */
function hashToken(token: string): string {
  return hash('sha256', token);
}

const isOpen = and(eq(invitations.status, 'pending'), gt(invitations.expiresAt, sql`now()`));

export interface NewInvitation {
  accountId: string;
  /** In small letters. */
  email: string;
  role: MemberRole;
  /** The member who invites; null for operators and keys. */
  inviterId: string | null;
  /** What the email calls the one it is for; the address where nothing is known. */
  name?: string | undefined;
  /** The link's address for a token. */
  linkTo: (token: string) => string;
  mailDomain: string;
}

/**
 * Invites, and writes the email; an open invitation of the same address ends. `unknown`: there is no such account;
 * `closed`: it is; `member`: the person belongs to it; `open_limit`: it has `OPEN_INVITATIONS` already; `day_limit`: it
 * has sent `INVITATIONS_A_DAY`.
 */
export async function invite(
  tx: Transaction,
  wanted: NewInvitation,
  by: AuditOrigin,
): Promise<InvitationRow | 'unknown' | 'closed' | 'member' | 'open_limit' | 'day_limit'> {
  const { accountId, email, role, inviterId } = wanted;
  const account = await lockAccount(tx, accountId);
  if (!account) return 'unknown';
  if (account.closedAt) return 'closed';
  if (await isMember(tx, accountId, email)) return 'member';
  if ((await countLately(tx, accountId)) >= INVITATIONS_A_DAY) return 'day_limit';
  await revokeOpen(tx, accountId, email, by);
  if ((await countOpen(tx, accountId)) >= OPEN_INVITATIONS) return 'open_limit';

  const token = randomBytes(32).toString('base64url');
  const expiresAt = new Date(Date.now() + VALID_MS);
  const inviter = inviterId === null ? null : await findPerson(tx, { id: inviterId });
  const [row] = await tx
    .insert(invitations)
    .values({
      id: newId('inv'),
      organizationId: accountId,
      email,
      role,
      inviterId,
      expiresAt,
      tokenHash: hashToken(token),
    })
    .returning();
  if (!row) throw new Error('The invitation was not written.');
  await writeEmail(tx, {
    lane: email,
    kind: 'invitation',
    recipient: email,
    accountId,
    data: {
      name: wanted.name ?? email,
      link: wanted.linkTo(token),
      expiresAt: expiresAt.toISOString(),
      accountName: account.name,
      role,
      invitedBy: inviter?.name ?? null,
    },
    mailDomain: wanted.mailDomain,
  });
  const data = { email, role };
  await recordAudit(tx, { ...by, type: 'invitation.created', accountId, targetId: row.id, data });
  return row;
}

/** Open invitations of an account, newest first, from before the invitation `before`. */
export async function listInvitations(
  db: Database,
  accountId: string,
  page: { limit: number; before: string | null },
): Promise<Page<InvitationRow, string>> {
  const found = await db
    .select()
    .from(invitations)
    .where(
      and(
        eq(invitations.organizationId, accountId),
        isOpen,
        page.before === null ? undefined : lt(invitations.id, page.before),
      ),
    )
    .orderBy(desc(invitations.id))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.id);
}

/** Ends an open invitation, of any account where `accountId` is null. False: there is none. */
export async function revokeInvitation(
  tx: Transaction,
  { id, accountId }: { id: string; accountId: string | null },
  by: AuditOrigin,
): Promise<boolean> {
  const own = accountId === null ? undefined : eq(invitations.organizationId, accountId);
  const revoked = await tx
    .update(invitations)
    .set({ status: 'revoked' })
    .where(and(eq(invitations.id, id), own, isOpen))
    .returning();
  await tellRevoked(tx, revoked, by);
  return revoked.length > 0;
}

/** Ends all open invitations of an account, or those of one address. */
export async function revokeOpen(
  tx: Transaction,
  accountId: string,
  email: string | null,
  by: AuditOrigin,
): Promise<void> {
  const of = email === null ? undefined : eq(invitations.email, email);
  const revoked = await tx
    .update(invitations)
    .set({ status: 'revoked' })
    .where(and(eq(invitations.organizationId, accountId), of, isOpen))
    .returning();
  await tellRevoked(tx, revoked, by);
}

async function tellRevoked(tx: Transaction, revoked: InvitationRow[], by: AuditOrigin): Promise<void> {
  await recordAudit(
    tx,
    ...revoked.map(({ id, organizationId, email }) => ({
      ...by,
      type: 'invitation.revoked' as const,
      accountId: organizationId,
      targetId: id,
      data: { email },
    })),
  );
}

/** What the link of an open invitation leads to. */
export interface OpenInvitation {
  id: string;
  accountId: string;
  accountName: string;
  email: string;
  role: MemberRole;
  /** Who has the address already. */
  person: { id: string; banned: boolean } | null;
}

/** The open invitation of a token; null where it was used or revoked, has expired, or its account is closed. */
export async function findOpenInvitation(db: Database, token: string): Promise<OpenInvitation | null> {
  const [found] = await db
    .select({
      id: invitations.id,
      accountId: organizations.id,
      accountName: organizations.name,
      email: invitations.email,
      role: invitations.role,
      personId: people.id,
      banned: sql<boolean>`not coalesce(${notBanned}, false)`,
    })
    .from(invitations)
    .innerJoin(organizations, eq(organizations.id, invitations.organizationId))
    .leftJoin(people, eq(people.email, invitations.email))
    .where(and(eq(invitations.tokenHash, hashToken(token)), isOpen, sql`${organizations.closedAt} is null`));
  if (!found) return null;
  const { personId, banned, ...invitation } = found;
  return { ...invitation, person: personId === null ? null : { id: personId, banned } };
}

/**
 * Makes whoever accepts a member, once. `person`: who has the address, or the name and password hash of somebody
 * new. Null where the invitation was used or ended this moment; `exists` where somebody has taken the address:
 * the transaction is to be rolled back then.
 */
export async function acceptInvitation(
  tx: Transaction,
  invitation: OpenInvitation,
  person: { id: string } | { name: string; password: string },
  from: Omit<AuditOrigin, 'actor'>,
): Promise<{ personId: string } | 'exists' | null> {
  const { accountId, email, role } = invitation;
  const account = await lockAccount(tx, accountId);
  if (!account || account.closedAt) return null;
  const [accepted] = await tx
    .update(invitations)
    .set({ status: 'accepted' })
    .where(and(eq(invitations.id, invitation.id), isOpen))
    .returning();
  if (!accepted) return null;
  const personId = 'id' in person ? person.id : await addPerson(tx, email, person);
  if (personId === null) return 'exists';
  const by = { ...from, actor: { type: 'customer', id: personId } } as const;
  if ('id' in person) {
    // Whoever has the link reads this mailbox.
    await updatePerson(tx, personId, { emailVerified: true });
  } else {
    await recordAudit(tx, { ...by, type: 'person.created', targetId: personId, data: { by: 'invitation' } });
  }
  await tx
    .insert(memberships)
    .values({ id: newId('mem'), organizationId: accountId, personId, role })
    .onConflictDoNothing();
  const data = { personId, role };
  await recordAudit(tx, { ...by, type: 'invitation.accepted', accountId, targetId: invitation.id, data });
  return { personId };
}

/** Somebody new, whose address counts as verified. Null where it is taken. */
async function addPerson(
  tx: Transaction,
  email: string,
  { name, password }: { name: string; password: string },
): Promise<string | null> {
  const created = await createPerson(tx, { name, email, role: 'user', emailVerified: true });
  if (created) await setPassword(tx, created.id, password);
  return created?.id ?? null;
}

async function isMember(tx: Transaction, accountId: string, email: string): Promise<boolean> {
  const found = await tx
    .select({ id: memberships.id })
    .from(memberships)
    .innerJoin(people, eq(people.id, memberships.personId))
    .where(and(eq(memberships.organizationId, accountId), sql`lower(${people.email}) = ${email}`));
  return found.length > 0;
}

async function countOpen(tx: Transaction, accountId: string): Promise<number> {
  const [row] = await tx
    .select({ count: count() })
    .from(invitations)
    .where(and(eq(invitations.organizationId, accountId), isOpen));
  return row?.count ?? 0;
}

/** Of whatever came of them. */
async function countLately(tx: Transaction, accountId: string): Promise<number> {
  const lately = gt(invitations.createdAt, sql`now() - interval '24 hours'`);
  const [row] = await tx
    .select({ count: count() })
    .from(invitations)
    .where(and(eq(invitations.organizationId, accountId), lately));
  return row?.count ?? 0;
}
