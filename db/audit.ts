/** The audit log: added to, where possible in the transaction of what it tells of, and deleted when it is old. */
import { and, desc, eq, gte, inArray, lt, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { AUDIT_TYPES, type AuditType } from '../contract/audit.ts';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { deleteBatch } from './delete-batch.ts';
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
  const found = await pageOfAudit(db, filter, { ...page, limit: page.limit + 1 });
  return cut(found, page.limit, (last) => last.seq);
}

/**
 * The statement of a page. Each type is a walk along an index that ends early, with `since` as its end; of several at
 * once PostgreSQL would sort all there are. All types are few enough to walk each.
 */
export function pageOfAudit(
  db: Database,
  { type = [...AUDIT_TYPES], accountId, targetId, actorId, since }: AuditFilter,
  { limit, before }: { limit: number; before: number | null },
) {
  const { at, seq } = auditEvents;
  const last = alias(auditEvents, 'last');
  // The cursor names an entry, not its time. Where it was deleted, what comes after it is due to be, too.
  const lastAt = db
    .select({ at: last.at })
    .from(last)
    .where(eq(last.seq, sql`${before}::bigint`));
  const wanted = and(
    sql`${auditEvents.type} = wanted.type`,
    accountId === undefined ? undefined : eq(auditEvents.accountId, accountId),
    targetId === undefined ? undefined : eq(auditEvents.targetId, targetId),
    actorId === undefined ? undefined : sql`${auditEvents.actor} ->> 'id' = ${actorId}`,
    since && gte(at, since),
    before === null ? undefined : sql`(${at}, ${seq}) < (${lastAt}, ${before}::bigint)`,
  );
  const seqs = sql`select page.seq from unnest(${sql.param(type)}::text[]) as wanted (type)
    cross join lateral (
      select ${at}, ${seq} from ${auditEvents} where ${wanted} order by ${at} desc, ${seq} desc limit ${limit}) as page
    order by page.at desc, page.seq desc limit ${limit}`;
  return db.select().from(auditEvents).where(sql`${seq} = any (array(${seqs}))`).orderBy(desc(at), desc(seq));
}

/** Deletes entries that are older than so many days, a batch at a time; 0 keeps them for ever. Returns how many. */
export async function deleteOldAudit(db: Database, days: number, batch = 5_000): Promise<number> {
  if (days === 0) return 0;
  const old = lt(auditEvents.at, sql`now() - make_interval(days => ${days})`);
  // All types there are: by them the index leads to what is old.
  const ended = and(inArray(auditEvents.type, [...AUDIT_TYPES]), old);
  return deleteBatch(db, { table: auditEvents, id: auditEvents.seq, ended, batch });
}
