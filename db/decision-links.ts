/**
 * Decision links: each lets one supporter decide once on one attempt of a number, from an email. Its id is the id of
 * the decision, so that however often it is used it is one decision.
 */
import { and, eq, isNull, lt, notExists, sql } from 'drizzle-orm';
import { BUSINESS_CATEGORIES } from '../contract/categories.ts';
import { newId } from '../contract/ids.ts';
import { lastFour } from '../contract/phone.ts';
import { type AuditEntry, recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { deleteBatch } from './delete-batch.ts';
import { writeEmail } from './email-rows.ts';
import type { NumberRow } from './number-row.ts';
import { decisionLinks, memberships, organizations, people } from './schema.ts';
import { notBanned } from './sessions.ts';

export type DecisionLinkRow = typeof decisionLinks.$inferSelect;

export interface ReviewRequestSettings {
  /** How long a link works. */
  linkHours: number;
  /** Where the page of a link is. */
  urlOf(link: DecisionLinkRow): string;
  mailDomain: string;
}

/**
 * Writes an email with a link to each supporter who wants one and may decide on the number, in the transaction that
 * accepts it. Returns their lanes: ask for the sending of these once that is committed.
 */
export async function requestReviews(
  tx: Transaction,
  row: NumberRow,
  { linkHours, urlOf, mailDomain }: ReviewRequestSettings,
): Promise<string[]> {
  const member = and(eq(memberships.personId, people.id), eq(memberships.organizationId, row.accountId));
  const supporters = await tx
    .select({ id: people.id, email: people.email, accountName: organizations.name })
    .from(people)
    .innerJoin(organizations, eq(organizations.id, row.accountId))
    .where(
      and(
        eq(people.role, 'support'),
        eq(people.decisionEmails, true),
        notBanned,
        notExists(tx.select().from(memberships).where(member)),
      ),
    );
  const expiresAt = new Date(Date.now() + linkHours * 3_600_000);
  for (const { id: personId, email, accountName } of supporters) {
    const { id: numberId, accountId, attempt } = row;
    const [link] = await tx
      .insert(decisionLinks)
      .values({ id: newId('lnk'), numberId, attempt, stage: 'verification', personId, expiresAt })
      .returning();
    if (!link) throw new Error('The link was not inserted');
    await writeEmail(tx, {
      lane: personId,
      kind: 'review-request',
      recipient: email,
      accountId,
      data: {
        numberId,
        attempt,
        displayName: row.displayName,
        lastFour: lastFour(row.mobileNumber),
        accountName,
        category: BUSINESS_CATEGORIES[row.businessCategory],
        dueAt: row.dueAt ?? expiresAt.toISOString(),
        link: urlOf(link),
        expiresAt: expiresAt.toISOString(),
      },
      mailDomain,
    });
  }
  return supporters.map(({ id }) => id);
}

export interface DecisionLink {
  link: DecisionLinkRow;
  /** Whose it is, and whether they may decide at all today. */
  person: { id: string; name: string; isSupporter: boolean };
}

export async function findDecisionLink(db: Database, id: string): Promise<DecisionLink | null> {
  const isSupporter = sql<boolean>`(${people.role} = 'support' and ${notBanned})`;
  const [found] = await db
    .select({ link: decisionLinks, person: { id: people.id, name: people.name, isSupporter } })
    .from(decisionLinks)
    .innerJoin(people, eq(people.id, decisionLinks.personId))
    .where(eq(decisionLinks.id, id));
  return found ?? null;
}

/** Notes, and tells the audit log once, that a link has decided. */
export async function useDecisionLink(
  db: Database,
  link: DecisionLinkRow,
  audit: Omit<AuditEntry, 'type' | 'targetId'>,
): Promise<void> {
  if (link.usedAt) return;
  await db.transaction(async (tx) => {
    const first = await tx
      .update(decisionLinks)
      .set({ usedAt: sql`now()` })
      .where(and(eq(decisionLinks.id, link.id), isNull(decisionLinks.usedAt)))
      .returning({ id: decisionLinks.id });
    if (first.length > 0) await recordAudit(tx, { ...audit, type: 'decision-link.used', targetId: link.id });
  });
}

/** Deletes links a week after they expired, a batch at a time: until then their pages say what they were. */
export async function deleteExpiredDecisionLinks(db: Database, batch = 1_000): Promise<number> {
  const ended = lt(decisionLinks.expiresAt, sql`now() - interval '7 days'`);
  return deleteBatch(db, { table: decisionLinks, id: decisionLinks.id, ended, batch });
}
