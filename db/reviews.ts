/** The review queue: what waits for a decision, resubmissions first, then the longest waiting. */
import { and, eq, getTableColumns, gte, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Rejection } from '../contract/next-action.ts';
import { STAGES, STATUS_OF_STAGE, type Stage } from '../contract/number.ts';
import type { Claim, ReviewFacts, ReviewSummary } from '../contract/reviews.ts';
import { type ClaimFilter, claimedBy, liveClaim, queueOrder } from './claims.ts';
import type { Database, Transaction } from './client.ts';
import { earlierDecisions } from './earlier-decisions.ts';
import type { NumberRow } from './number-row.ts';
import { cut, type NumberOfAccount, type Page } from './read.ts';
import { claims, numberEvents, numbers, organizations, people } from './schema.ts';

/** Place in the queue. */
export interface ReviewPlace {
  /** Whether it is a first attempt: those come after the resubmissions. */
  first: boolean;
  waitingSince: Date;
  id: string;
}

export type Review = NumberOfAccount & ReviewFacts;

export interface ReviewFilter {
  stage?: Stage | undefined;
  overdue?: boolean | undefined;
  claimedBy?: ClaimFilter | undefined;
}

export async function listReviews(
  db: Database,
  filter: ReviewFilter,
  page: { limit: number; after: ReviewPlace | null },
): Promise<Page<Review, ReviewPlace>> {
  const { after } = page;
  const wanted = and(
    filter.overdue === undefined ? undefined : overdue(filter.overdue),
    filter.claimedBy === undefined ? undefined : claimedBy(filter.claimedBy),
    after === null
      ? undefined
      : sql`(${queueOrder}) > (${after.first}::boolean, ${after.waitingSince.toISOString()}::timestamptz, ${after.id})`,
  );
  const stages = filter.stage === undefined ? STAGES : [filter.stage];
  // Each stage is a walk along the index that ends early; over both at once it would be a sort of all.
  const walks = stages.map(
    (stage) => sql`(select ${numbers.id}, (${numbers.attempt} = 1) as first, ${numbers.waitingSince}
      from ${numbers} where ${and(eq(numbers.status, STATUS_OF_STAGE[stage]), wanted)}
      order by ${queueOrder} limit ${page.limit + 1})`,
  );
  const found = await withClaims(db)
    .innerJoin(sql`(${sql.join(walks, sql` union all `)}) as place`, sql`place.id = ${numbers.id}`)
    .orderBy(sql`place.first, place.waiting_since, place.id`)
    .limit(page.limit + 1);
  const { items, next } = cut(found, page.limit, ({ row }) => ({
    first: row.attempt === 1,
    waitingSince: row.waitingSince ?? row.submittedAt,
    id: row.id,
  }));
  return { items: await complete(db, items), next };
}

/** One pending number as a review. */
export async function readReview(db: Database | Transaction, numberId: string): Promise<Review> {
  const [review] = await complete(db, await withClaims(db).where(eq(numbers.id, numberId)));
  if (!review) throw new Error(`No number ${numberId}`);
  return review;
}

/** Counts by stage, each from an index of its own. */
export async function summariseReviews(db: Database): Promise<ReviewSummary> {
  const [verification, facebook] = await Promise.all(STAGES.map((stage) => summariseStage(db, stage)));
  if (!verification || !facebook) throw new Error('unreachable');
  return { verification, facebook };
}

async function summariseStage(db: Database, stage: Stage): Promise<ReviewSummary[Stage]> {
  const ofStage = eq(numbers.status, STATUS_OF_STAGE[stage]);
  const asked = and(ofStage, isNotNull(numbers.question));
  const claimed = and(ofStage, liveClaim);
  const [counts] = await db
    .select({
      all: sql<number>`count(*)::int`,
      overdue: sql<number>`(count(*) filter (where ${overdue(true)}))::int`,
      asked: sql<number>`(select count(*)::int from ${numbers} where ${asked})`,
      claimed: sql<number>`(select count(*)::int from ${claims} join ${numbers} on ${numbers.id} = ${claims.numberId} where ${claimed})`,
      oldest: sql`(select min(${numbers.waitingSince}) from ${numbers} where ${ofStage})`.mapWith(
        numbers.waitingSince,
      ),
    })
    .from(numbers)
    .where(ofStage);
  if (!counts) throw new Error('unreachable');
  return {
    waiting: counts.all - counts.asked,
    overdue: counts.overdue,
    claimed: counts.claimed,
    waitingForCustomer: counts.asked,
    oldestWaitingSince: (counts.oldest as Date | null)?.toISOString() ?? null,
  };
}

function overdue(yes: boolean): SQL | undefined {
  return yes ? lt(numbers.dueAt, sql`now()`) : or(isNull(numbers.dueAt), gte(numbers.dueAt, sql`now()`));
}

function withClaims(db: Database | Transaction) {
  return db
    .select({
      row: getTableColumns(numbers),
      accountName: organizations.name,
      personId: claims.personId,
      name: people.name,
      expiresAt: claims.expiresAt,
    })
    .from(numbers)
    .innerJoin(organizations, eq(organizations.id, numbers.accountId))
    .leftJoin(claims, and(eq(claims.numberId, numbers.id), liveClaim))
    .leftJoin(people, eq(people.id, claims.personId))
    .$dynamic();
}

type WithClaim = NumberOfAccount & { [field in keyof Claim]: Claim[field] | null };

/** Adds what the reviewers are told beside the numbers: two statements, however many there are. */
async function complete(db: Database | Transaction, found: WithClaim[]): Promise<Review[]> {
  const rows = found.map(({ row }) => row);
  const [earlier, previous] = [await earlierDecisions(db, rows), await previousAttempts(db, rows)];
  return found.map(({ row, accountName, personId, name, expiresAt }) => ({
    row,
    accountName,
    claim: personId !== null && name !== null && expiresAt !== null ? { personId, name, expiresAt } : null,
    earlier: earlier.get(row.id) ?? [],
    previous: previous.get(row.id) ?? null,
  }));
}

/** By number: why its attempt before was rejected, and what the customer changed then. */
async function previousAttempts(
  db: Database | Transaction,
  rows: NumberRow[],
): Promise<Map<string, ReviewFacts['previous']>> {
  const again = rows.filter(({ attempt }) => attempt > 1);
  if (again.length === 0) return new Map();
  const ids = sql.param(again.map(({ id }) => id));
  const attempts = sql.param(again.map(({ attempt }) => attempt));
  const { numberId, attempt, type } = numberEvents;
  const events = await db
    .select({ numberId, type, at: numberEvents.at, data: numberEvents.data })
    .from(numberEvents)
    .innerJoin(
      sql`unnest(${ids}::text[], ${attempts}::int[]) as asked (id, attempt)`,
      sql`${numberId} = asked.id and (${attempt} = asked.attempt and ${type} = 'resubmitted'
        or ${attempt} = asked.attempt - 1 and ${type} in ('verification.rejected', 'facebook.rejected'))`,
    );
  return new Map(
    [...Map.groupBy(events, (event) => event.numberId)].map(([id, ofNumber]) => {
      const resubmitted = ofNumber.find((event) => event.type === 'resubmitted');
      const rejected = ofNumber.find((event) => event.type !== 'resubmitted');
      return [id, rejected && resubmitted ? previousOf(rejected, resubmitted) : null];
    }),
  );
}

type Told = Pick<typeof numberEvents.$inferSelect, 'type' | 'at' | 'data'>;

function previousOf(rejected: Told, resubmitted: Told): ReviewFacts['previous'] {
  const { reason, code, fields } = rejected.data as Omit<Rejection, 'by' | 'at'>;
  const by = rejected.type === 'facebook.rejected' ? 'facebook' : 'support';
  return {
    rejection: { by, reason, code, fields, at: rejected.at.toISOString() },
    changes: (resubmitted.data['changes'] ?? {}) as NonNullable<ReviewFacts['previous']>['changes'],
  };
}
