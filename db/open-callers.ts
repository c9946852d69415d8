/** Whether those who listen to a stream still may: asked for all of them together. */
import { sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { apiKeys, memberships, organizations, people, sessions } from './schema.ts';

/** Who opened a stream, with a key or in a session. */
export interface OpenCaller {
  keyId: string | null;
  sessionId: string | null;
  /** The account of a customer; null for staff. */
  accountId: string | null;
  role: 'user' | 'support' | 'operator';
}

const notBanned = sql`(not person.banned or person.ban_expires < now())`;

/** Those of the callers whose key or session has not ended, and who are what they were. */
export async function stillAllowed(db: Database, callers: OpenCaller[]): Promise<Set<OpenCaller>> {
  const byKey = callers.filter(({ keyId }) => keyId !== null);
  const bySession = callers.filter(({ sessionId }) => sessionId !== null);
  const [keys, signedIn] = await Promise.all([
    byKey.length === 0 ? [] : openKeys(db, byKey),
    bySession.length === 0 ? [] : openSessions(db, bySession),
  ]);
  return new Set([
    ...keys.map((index) => byKey[index]),
    ...signedIn.map((index) => bySession[index]),
  ]) as Set<OpenCaller>;
}

/** Indexes into the callers. */
async function openKeys(db: Database, callers: OpenCaller[]): Promise<number[]> {
  const { rows } = await db.execute<{ index: number }>(sql`
    select (asked.number - 1)::int as index
    from unnest(${texts(callers.map(({ keyId }) => keyId))}, ${texts(callers.map(({ role }) => role))})
      with ordinality as asked (id, role, number)
    join ${apiKeys} as key on key.id = asked.id
    left join ${people} as person on person.id = key.person_id
    left join ${organizations} as account on account.id = key.organization_id
    where key.revoked_at is null and (key.expires_at is null or key.expires_at > now())
      and case when key.person_id is null then account.closed_at is null
        else person.role = asked.role and ${notBanned} end`);
  return rows.map(({ index }) => index);
}

async function openSessions(db: Database, callers: OpenCaller[]): Promise<number[]> {
  const { rows } = await db.execute<{ index: number }>(sql`
    select (asked.number - 1)::int as index
    from unnest(${texts(callers.map(({ sessionId }) => sessionId))}, ${texts(callers.map(({ role }) => role))},
        ${texts(callers.map(({ accountId }) => accountId))})
      with ordinality as asked (id, role, account_id, number)
    join ${sessions} as session on session.id = asked.id and session.expires_at > now()
    join ${people} as person on person.id = session.person_id and person.role = asked.role and ${notBanned}
    where asked.account_id is null or exists (
      select from ${memberships} as member
      join ${organizations} as account on account.id = member.organization_id and account.closed_at is null
      where member.person_id = person.id and member.organization_id = asked.account_id)`);
  return rows.map(({ index }) => index);
}

function texts(values: (string | null)[]) {
  return sql`${sql.param(values)}::text[]`;
}
