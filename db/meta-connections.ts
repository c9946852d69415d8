/** WhatsApp Business Accounts that numbers are added to: of an account, or the one of ours. */
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm';
import type { FacebookProblem } from '../contract/facebook.ts';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { sqlStateOf, UNIQUE_VIOLATION } from './errors.ts';
import { writeNotice } from './meta-notices.ts';
import { hasNumbers, NEW_AT_META } from './meta-numbers.ts';
import { metaConnections, metaNumbers } from './schema.ts';

export type MetaConnectionRow = typeof metaConnections.$inferSelect;

/** Null for the account: ours. */
export async function findConnection(
  db: Database | Transaction,
  accountId: string | null,
): Promise<MetaConnectionRow | null> {
  const [row] = await db.select().from(metaConnections).where(whose(accountId));
  return row ?? null;
}

function whose(accountId: string | null) {
  return accountId === null ? isNull(metaConnections.accountId) : eq(metaConnections.accountId, accountId);
}

interface Connected {
  wabaId: string;
  name: string | null;
  /** Encrypted; null for ours. */
  token: string | null;
  tokenHash: string;
}

/**
 * Keeps a connection that was checked: its token counts as good. Numbers that were in another account of Meta's are
 * not found under their ids there any more. `taken`: somebody else has connected it. `in_use`: numbers live in the
 * account that was connected before.
 */
export async function keepConnection(
  tx: Transaction,
  accountId: string | null,
  { wabaId, ...connected }: Connected,
  checkedAt: Date | null,
): Promise<MetaConnectionRow | 'taken' | 'in_use'> {
  const [before] = await tx.select().from(metaConnections).where(whose(accountId)).for('update');
  const isMoved = before !== undefined && before.wabaId !== wabaId;
  if (isMoved && (await hasNumbers(tx, before.id))) return 'in_use';
  const values = { ...connected, wabaId, checkedAt, state: 'active' as const, problem: null };
  try {
    // Inside a savepoint: the request goes on after a refusal.
    const [row] = await tx.transaction((inner) =>
      inner
        .insert(metaConnections)
        .values({ id: newId('mtc'), accountId, ...values })
        .onConflictDoUpdate({ target: metaConnections.accountId, set: { ...values, updatedAt: sql`now()` } })
        .returning(),
    );
    if (!row) throw new Error('The connection was not written.');
    if (isMoved) {
      await tx
        .update(metaNumbers)
        .set({ phoneNumberId: null, ...NEW_AT_META })
        .where(eq(metaNumbers.connectionId, row.id));
    }
    return row;
  } catch (error) {
    if (sqlStateOf(error) === UNIQUE_VIOLATION) return 'taken';
    throw error;
  }
}

/** Notes that our app was subscribed to what happens in the account. */
export async function noteChecked(db: Database, id: string, name: string | null): Promise<void> {
  await db.update(metaConnections).set({ checkedAt: sql`now()`, name }).where(eq(metaConnections.id, id));
}

/** Steps that began with the token before may end so long after the change. Seconds. */
const OLD_TOKEN_SECONDS = 60;
const isOver = sql`${metaConnections.updatedAt} < now() - make_interval(secs => ${OLD_TOKEN_SECONDS})`;

/**
 * Connections with a token that works and is newer than what the numbers that wait were last told; once more when the
 * last step with the token of before has ended.
 */
export async function renewedConnections(db: Database): Promise<MetaConnectionRow[]> {
  const { state, updatedAt, resumedAt } = metaConnections;
  const isNew = or(isNull(resumedAt), gt(updatedAt, resumedAt), and(eq(updatedAt, resumedAt), isOver));
  return db
    .select()
    .from(metaConnections)
    .where(and(eq(state, 'active'), isNew));
}

/** Notes that the numbers that waited were told of a connection as it is in the row. */
export async function noteResumed(db: Database, { id, updatedAt }: MetaConnectionRow): Promise<void> {
  await db
    .update(metaConnections)
    .set({ resumedAt: sql`case when ${isOver} then now() else ${updatedAt.toISOString()}::timestamptz end` })
    .where(eq(metaConnections.id, id));
}

/** Whether a connection works by now, with another token than the one that is given. */
export async function hasNewToken(
  db: Database,
  { id, tokenHash }: Pick<MetaConnectionRow, 'id' | 'tokenHash'>,
): Promise<boolean> {
  const [row] = await db.select().from(metaConnections).where(eq(metaConnections.id, id));
  return row?.state === 'active' && row.tokenHash !== tokenHash;
}

/** Who hears of a token that does not work any more. */
export interface Hearers {
  /** The lane of our own people; null where none is set. */
  staffLane: 'escalation' | 'support' | null;
  mailDomain: string;
}

/**
 * Stops a connection's token and tells our own people, and the account's admins where it is theirs, once. False: that
 * was done already, or the token is another one by now.
 */
export async function stopToken(
  db: Database,
  connection: MetaConnectionRow,
  trouble: { state: 'token_refused' | 'permission_missing'; problem: FacebookProblem },
  hearers: Hearers,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const stopped = await tx
      .update(metaConnections)
      .set({ ...trouble, updatedAt: sql`now()` })
      .where(
        and(
          eq(metaConnections.id, connection.id),
          eq(metaConnections.tokenHash, connection.tokenHash),
          eq(metaConnections.state, 'active'),
        ),
      )
      .returning({ id: metaConnections.id });
    if (stopped.length === 0) return false;
    const { state, problem } = trouble;
    const data = {
      trouble: state,
      code: problem.code,
      fbtraceId: problem.fbtraceId,
      at: new Date().toISOString(),
    };
    await writeNotice(tx, connection, { source: newId('eml'), kind: 'meta-trouble', data }, hearers);
    return true;
  });
}
