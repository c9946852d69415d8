/** The review queue: what waits for a decision, resubmissions first, then the longest waiting. */
import { and, eq, getTableColumns, gte, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Rejection } from '../contract/next-action.ts';
import { STAGES, STATUS_OF_STAGE, type Stage } from '../contract/number.ts';
import type { Claim, ReviewFacts, ReviewSummary } from '../contract/reviews.ts';
import { claimedBy, liveClaim, queueOrder } from './claims.ts';
import type { Database, Transaction } from './client.ts';
import { earlierDecisions } from './earlier-decisions.ts';
import type { NumberRow } from './number-row.ts';
import { prepared, preparedByShape } from './prepared.ts';
import { cut, type NumberOfAccount, type Page } from './read.ts';
import { claims, numberEvents, numbers, organizations, people } from './schema.ts';
import { facebookTurn, isReviewable } from './turns.ts';

/** Place in the queue. */
export interface ReviewPlace {
  /** Whether it is a first attempt: those come after the resubmissions. */
  first: boolean;
  /** RFC 3339, UTC. */
  waitingSince: string;
  id: string;
}

export type Review = NumberOfAccount & ReviewFacts;

export interface ReviewFilter {
  stage?: Stage | undefined;
  overdue?: boolean | undefined;
  /** A person's id, or `none`. */
  claimedBy?: string | undefined;
}

export async function listReviews(
  db: Database,
  { stage, overdue, claimedBy: claimant }: ReviewFilter,
  page: { limit: number; after: ReviewPlace | null },
): Promise<Page<Review, ReviewPlace>> {
  const { after } = page;
  const shape: Shape = {
    stages: stage === undefined ? STAGES : [stage],
    overdue,
    claimed: claimant === undefined || claimant === 'none' ? claimant : 'by',
    after: after !== null,
  };
  const found = await pageOf(db, shape).execute({
    limit: page.limit + 1,
    personId: claimant,
    first: after?.first,
    waitingSince: after?.waitingSince,
    id: after?.id,
  });
  const { items, next } = cut(found, page.limit, ({ row }) => ({
    first: row.attempt === 1,
    waitingSince: row.waitingSince ?? row.submittedAt,
    id: row.id,
  }));
  return { items: await complete(db, items), next };
}

/** What a page of the queue is asked with. */
interface Shape {
  stages: readonly Stage[];
  overdue: boolean | undefined;
  claimed: 'none' | 'by' | undefined;
  /** Not the first page. */
  after: boolean;
}

/** Each shape is a statement of its own, which has the statuses in it: without them no index would do. */
const pageOf = preparedByShape('reviews', (db, { stages, overdue, claimed, after }: Shape, name) => {
  const given = (name: string) => sql.placeholder(name);
  const wanted = and(
    overdue === undefined ? undefined : isOverdue(overdue),
    claimed && claimedBy(claimed === 'none' ? 'none' : given('personId')),
    after
      ? sql`(${queueOrder}) > (${given('first')}::boolean, ${given('waitingSince')}::timestamptz, ${given('id')})`
      : undefined,
  );
  // Each stage is a walk along the index that ends early; over both at once it would be a sort of all.
  const walks = stages.map(
    (stage) => sql`(select ${numbers.id}, (${numbers.attempt} = 1) as first, ${numbers.waitingSince} as since
      from ${numbers} where ${and(isOf(stage), wanted)} order by ${queueOrder} limit ${given('limit')})`,
  );
  const ids = sql`select place.id from (${sql.join(walks, sql` union all `)}) as place
    order by place.first, place.since, place.id limit ${given('limit')}`;
  return withClaims(db).where(sql`${numbers.id} = any (array(${ids}))`).orderBy(queueOrder).prepare(name);
});

function isOf(stage: Stage): SQL {
  return sql`${numbers.status} = ${sql.raw(`'${STATUS_OF_STAGE[stage]}'`)} and ${isReviewable}`;
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
  const ofStage = isOf(stage);
  const asked = and(ofStage, isNotNull(numbers.question));
  const claimed = and(ofStage, liveClaim);
  const [counts] = await db
    .select({
      all: sql<number>`count(*)::int`,
      overdue: sql<number>`(count(*) filter (where ${isOverdue(true)}))::int`,
      asked: sql<number>`(select count(*)::int from ${numbers} where ${asked})`,
      atFacebook: sql<number>`(select count(*)::int from ${numbers} where ${customersAt(stage)})`,
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
    waitingForCustomer: counts.asked + counts.atFacebook,
    oldestWaitingSince: counts.oldest,
  };
}

/** On its way to Facebook, and the customer has to do something for it. */
function customersAt(stage: Stage): SQL {
  if (stage === 'verification') return sql`false`;
  return sql`${numbers.status} = 'PENDING_FACEBOOK_APPROVAL' and ${facebookTurn} = 'customer'`;
}

function isOverdue(yes: boolean): SQL | undefined {
  return yes ? lt(numbers.dueAt, sql`now()`) : or(isNull(numbers.dueAt), gte(numbers.dueAt, sql`now()`));
}

function withClaims(db: Database | Transaction) {
  return db
    .select({
      row: getTableColumns(numbers),
      accountName: organizations.name,
      personId: claims.personId,
      name: sql<string | null>`${people.name}`.as('claimant'),
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
  const events = await eventsBetween(db).execute({
    ids: again.map(({ id }) => id),
    attempts: again.map(({ attempt }) => attempt),
  });
  return new Map(
    [...Map.groupBy(events, (event) => event.numberId)].map(([id, ofNumber]) => {
      const resubmitted = ofNumber.find((event) => event.type === 'resubmitted');
      const rejected = ofNumber.find((event) => event.type !== 'resubmitted');
      return [id, rejected && resubmitted ? previousOf(rejected, resubmitted) : null];
    }),
  );
}

/** What ended the attempt before, and what began this one. */
const eventsBetween = prepared((db) => {
  const { numberId, attempt, type, at, data } = numberEvents;
  return db
    .select({ numberId, type, at, data })
    .from(numberEvents)
    .innerJoin(
      sql`unnest(${sql.placeholder('ids')}::text[], ${sql.placeholder('attempts')}::int[]) as asked (id, attempt)`,
      sql`${numberId} = asked.id and (${attempt} = asked.attempt and ${type} = 'resubmitted'
        or ${attempt} = asked.attempt - 1 and ${type} in ('verification.rejected', 'facebook.rejected'))`,
    )
    .prepare('events_between');
});

type Told = Pick<typeof numberEvents.$inferSelect, 'type' | 'at' | 'data'>;

function previousOf(rejected: Told, resubmitted: Told): ReviewFacts['previous'] {
  const { reason, code, fields } = rejected.data as Omit<Rejection, 'by' | 'at'>;
  const by = rejected.type === 'facebook.rejected' ? 'facebook' : 'support';
  return {
    rejection: { by, reason, code, fields, at: rejected.at.toISOString() },
    changes: (resubmitted.data['changes'] ?? {}) as NonNullable<ReviewFacts['previous']>['changes'],
  };
}
