/** The audit log: only ever added to, where possible in the transaction of what it tells of. */
import type { AuditType } from '../contract/audit.ts';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Database, Transaction } from './client.ts';
import { auditEvents } from './schema.ts';

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

export async function recordAudit(db: Database | Transaction, entry: AuditEntry): Promise<void> {
  await db.insert(auditEvents).values({ id: newId('aud'), ...entry });
}
