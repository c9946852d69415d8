/** How other submissions with the same number, name or website ended, over all accounts: for reviewers. */
import { type SQL, sql } from 'drizzle-orm';
import { rejectionOf } from '../contract/next-action.ts';
import type { NumberStatus } from '../contract/number.ts';
import type { EarlierDecision, FieldInCommon } from '../contract/warnings.ts';
import type { Database, Transaction } from './client.ts';
import { type NumberRow, stateOf } from './number-row.ts';
import { getNumbers } from './read.ts';
import { numbers } from './schema.ts';

/** Approved ones that are looked at for those of others, by number and thing in common: the latest. */
const LOOKED_AT = 20;
/** Told of, by number and thing in common. */
const TOLD = 3;
/** Told of, by number. */
const TOLD_IN_ALL = 5;

const OUTCOMES: Partial<Record<NumberStatus, EarlierDecision['outcome']>> = {
  APPROVED: 'approved',
  REJECTED: 'rejected',
  WITHDRAWN: 'withdrawn',
  RELEASED: 'released',
};

/** By the id of the number that was asked for; the latest first. */
export async function earlierDecisions(
  db: Database | Transaction,
  asked: Pick<NumberRow, 'id' | 'accountId' | 'mobileNumber' | 'displayName' | 'website'>[],
): Promise<Map<string, EarlierDecision[]>> {
  const column = <K extends keyof (typeof asked)[number]>(key: K) => sql.param(asked.map((row) => row[key]));
  const { rows } = await db.execute<{ about: string; id: string; same: FieldInCommon }>(sql`
    select asked.id as about, found.id, found.same
    from unnest(${column('id')}::text[], ${column('accountId')}::text[], ${column('mobileNumber')}::text[],
      ${column('displayName')}::text[], ${column('website')}::text[])
      as asked (id, account_id, mobile_number, display_name, website)
    cross join lateral (
      ${alike('mobileNumber', sql`mobile_number = asked.mobile_number`)}
      union all ${alike('displayName', sql`lower(display_name) = lower(asked.display_name)`)}
      union all ${alike('website', sql`website = asked.website`)}
    ) as found`);
  if (rows.length === 0) return new Map();
  const found = await getNumbers(db, [...new Set(rows.map(({ id }) => id))]);
  const byId = new Map(found.map((number) => [number.row.id, number]));

  const decisions = new Map<string, EarlierDecision[]>();
  for (const [about, matches] of Map.groupBy(rows, (match) => match.about)) {
    const earlier = [...Map.groupBy(matches, ({ id }) => id)].flatMap(([id, same]) => {
      const number = byId.get(id);
      const outcome = number && OUTCOMES[number.row.status];
      // Resubmitted between the two statements.
      if (!outcome) return [];
      const { row, accountName } = number;
      return {
        numberId: id,
        account: { id: row.accountId, name: accountName },
        same: same.map((match) => match.same),
        outcome,
        reason: rejectionOf(stateOf(row))?.reason ?? null,
        at: (row.decidedAt ?? row.updatedAt).toISOString(),
      };
    });
    earlier.sort((one, other) => other.at.localeCompare(one.at));
    decisions.set(about, earlier.slice(0, TOLD_IN_ALL));
  }
  return decisions;
}

/**
 * Ended submissions that are alike, the latest first. Each outcome is a walk along the index that ends early: a name
 * which thousands have costs no more, and the many approved numbers of a chain hide no rejection.
 */
function alike(same: FieldInCommon, condition: SQL): SQL {
  const latest = (status: NumberStatus, limit: number) => sql`
    (select id, account_id, status, decided_at from ${numbers}
    where ${condition} and status = ${sql.raw(`'${status}'`)} and decided_at is not null and id <> asked.id
    order by decided_at desc limit ${sql.raw(String(limit))})`;
  // An account's own approved numbers tell nothing: it may well have several.
  const ended = [
    latest('REJECTED', TOLD),
    latest('WITHDRAWN', TOLD),
    latest('RELEASED', TOLD),
    sql`(select * from ${latest('APPROVED', LOOKED_AT)} as approved where account_id <> asked.account_id)`,
  ];
  return sql`(select id, ${sql.raw(`'${same}'`)} as same from (${sql.join(ended, sql` union all `)}) as ended
    order by decided_at desc limit ${sql.raw(String(TOLD))})`;
}
