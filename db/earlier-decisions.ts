/** How other submissions with the same number, name or website ended, over all accounts: for reviewers. */
import { eq, type SQL, sql } from 'drizzle-orm';
import { rejectionOf } from '../contract/next-action.ts';
import type { NumberStatus } from '../contract/number.ts';
import { type EarlierDecision, FIELDS_IN_COMMON, type FieldInCommon } from '../contract/warnings.ts';
import type { Database, Transaction } from './client.ts';
import type { NumberRow } from './number-row.ts';
import { prepared } from './prepared.ts';
import { numbers, organizations } from './schema.ts';

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

type Asked = Pick<NumberRow, 'id' | 'accountId' | 'mobileNumber' | 'displayName' | 'website'>;

/** By the id of the number that was asked for; the latest first. */
export async function earlierDecisions(
  db: Database | Transaction,
  asked: Asked[],
): Promise<Map<string, EarlierDecision[]>> {
  if (asked.length === 0) return new Map();
  const matches = await alikeOf(db).execute({
    ids: asked.map(({ id }) => id),
    accountIds: asked.map(({ accountId }) => accountId),
    mobileNumbers: asked.map(({ mobileNumber }) => mobileNumber),
    displayNames: asked.map(({ displayName }) => displayName),
    websites: asked.map(({ website }) => website),
  });
  const decisions = new Map<string, EarlierDecision[]>();
  for (const [about, ofNumber] of Map.groupBy(matches, (match) => match.about)) {
    const earlier = [...Map.groupBy(ofNumber, (match) => match.numberId).values()].flatMap(decisionOf);
    earlier.sort((one, other) => other.at.localeCompare(one.at));
    decisions.set(about, earlier.slice(0, TOLD_IN_ALL));
  }
  return decisions;
}

type Match = Awaited<ReturnType<ReturnType<typeof alikeOf>['execute']>>[number];

/** One earlier submission, for each thing that it has in common. */
function decisionOf(matches: Match[]): EarlierDecision[] {
  const [match] = matches;
  const outcome = match && OUTCOMES[match.status];
  if (!outcome) return [];
  const { numberId, accountId, accountName, decidedAt, updatedAt } = match;
  return [
    {
      numberId,
      account: { id: accountId, name: accountName },
      same: FIELDS_IN_COMMON.filter((field) => matches.some(({ same }) => same === field)),
      outcome,
      reason: rejectionOf(match)?.reason ?? null,
      at: decidedAt ?? updatedAt,
    },
  ];
}

const alikeOf = prepared((db) => {
  const given = (name: string) => sql`${sql.placeholder(name)}::text[]`;
  const { verification, facebookDecision, decidedAt, updatedAt } = numbers;
  return db
    .select({
      about: sql<string>`asked.id`.as('about'),
      same: sql<FieldInCommon>`found.same`.as('same'),
      numberId: numbers.id,
      accountId: numbers.accountId,
      accountName: organizations.name,
      status: numbers.status,
      ...{ verification, facebookDecision, decidedAt, updatedAt },
    })
    .from(
      sql`unnest(${given('ids')}, ${given('accountIds')}, ${given('mobileNumbers')}, ${given('displayNames')}, ${given('websites')})
        as asked (id, account_id, mobile_number, display_name, website)
      cross join lateral (
        ${alike('mobileNumber', sql`mobile_number = asked.mobile_number`)}
        union all ${alike('displayName', sql`lower(display_name) = lower(asked.display_name)`)}
        union all ${alike('website', sql`website = asked.website`)}
      ) as found`,
    )
    .innerJoin(numbers, sql`${numbers.id} = found.id`)
    .innerJoin(organizations, eq(organizations.id, numbers.accountId))
    .prepare('earlier_decisions');
});

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
