/** The audit log: only ever added to, where possible in the transaction of what it tells of. */
import { and, desc, eq, gte, inArray, lt, sql } from 'drizzle-orm';
import type { AuditType } from '../contract/audit.ts';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { cut, type Page } from './read.ts';
import { auditEvents } from './schema.ts';

export type AuditRow = typeof auditEvents.$inferSelect;

export interface AuditEntry {
  type: AuditType;
  /** Who did it; null where nobody is known, e.g. at a failed sign-in. */
  actor: Actor | null;
  accountId?: string | null;
  /** The person, key or account that it was done to. */
  targetId?: string | null;
  /** Where it came from. */
  ipAddress?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
  /** Never a secret: no password, key, token or code. */
  data?: Record<string, unknown>;
}

/** Who asked for something, and from where: what each entry about it has in common. */
export type AuditOrigin = Pick<AuditEntry, 'actor' | 'ipAddress' | 'userAgent' | 'requestId'>;

export async function recordAudit(db: Database | Transaction, ...entries: AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await db.insert(auditEvents).values(entries.map((entry) => ({ id: newId('aud'), ...entry })));
}

export interface AuditFilter {
  type?: AuditType[] | undefined;
  accountId?: string | undefined;
  targetId?: string | undefined;
  actorId?: string | undefined;
  since?: Date | undefined;
}

/** Newest first, from before the entry whose `seq` is `before`. */
export async function listAudit(
  db: Database,
  filter: AuditFilter,
  page: { limit: number; before: number | null },
): Promise<Page<AuditRow, number>> {
  const { type, accountId, targetId, actorId, since } = filter;
  const found = await db
    .select()
    .from(auditEvents)
    .where(
      and(
        type && inArray(auditEvents.type, type),
        accountId === undefined ? undefined : eq(auditEvents.accountId, accountId),
        targetId === undefined ? undefined : eq(auditEvents.targetId, targetId),
        actorId === undefined ? undefined : sql`${auditEvents.actor} ->> 'id' = ${actorId}`,
        since && gte(auditEvents.at, since),
        page.before === null ? undefined : lt(auditEvents.seq, page.before),
      ),
    )
    .orderBy(desc(auditEvents.seq))
    .limit(page.limit + 1);
  return cut(found, page.limit, (last) => last.seq);
}
