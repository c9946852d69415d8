/**
 * How PostgreSQL finds the ids of a page, newest first: along an index, from the cursor on, until the page is full.
 * What is written here holds the plans, not estimates: a prepared statement is planned without its values.
 * docs/decisions/0025 has the measurements.
 */
import { and, eq, gte, like, lt, or, type SQL, sql } from 'drizzle-orm';
import type { FacebookTurn } from '../contract/facebook.ts';
import { NUMBER_STATUSES, type WaitingFor } from '../contract/number.ts';
import { numbers } from './schema.ts';
import { facebookTurn } from './turns.ts';

/** What a list may be given: the names of the parameters of its statement, beside `limit`. */
export type Given =
  | 'accountId'
  | 'statuses'
  | 'mobileNumber'
  | 'qualityRating'
  | 'updatedSince'
  | 'name'
  | 'digits'
  | 'before';

/** Pending at Facebook, and one of these has to act; each by its part of an index. */
const atFacebook = (...turns: FacebookTurn[]) =>
  turns.map(
    (turn) =>
      sql`${numbers.status} = 'PENDING_FACEBOOK_APPROVAL' and ${numbers.question} is null
        and ${facebookTurn} = ${sql.raw(`'${turn}'`)}`,
  );

/** What waits for a party. An open question makes it the customer's turn; there is none but while the number is pending. */
const WAITING: Record<WaitingFor, SQL[]> = {
  support: [
    sql`${numbers.status} = 'PENDING_VERIFICATION' and ${numbers.question} is null`,
    ...atFacebook('support'),
  ],
  // What only an operator can put right waits for Facebook, as far as anybody else can tell.
  facebook: atFacebook('facebook', 'operator'),
  customer: [
    sql`${numbers.status} = 'REJECTED'`,
    sql`${numbers.question} is not null`,
    ...atFacebook('customer'),
  ],
};

/**
 * More than any page has. Without it a statement that is planned without its limit looks dear to PostgreSQL, which
 * then plans it anew each time, for longer than it runs.
 */
const MOST = sql.raw('101');
/** Rows that a search looks through first. */
const NEAR = sql.raw('500');
/** Hits among these from which on looking further is quicker than sorting all hits of the index. */
const FREQUENT = sql.raw('3');
/** Rows that it then looks through at most. */
const FAR = sql.raw('10000');
/** Changes that are sorted. Of more, some are soon come across. */
const CHANGES = sql.raw('2000');

/** Not those that were given: then the plan would depend on how many they are. */
const ALL_STATUSES = sql.raw(String(NUMBER_STATUSES.length));

const { id } = numbers;
const given = (name: Given | 'limit') => sql.placeholder(name);

/** SQL of the ids of a page. */
export function pickIds(shape: ReadonlySet<Given>, waitingFor: WaitingFor | undefined): SQL {
  const when = (name: Given, condition: SQL | undefined) => (shape.has(name) ? condition : undefined);
  const named = or(
    like(sql`lower(${numbers.displayName})`, sql`lower(${given('name')})`),
    when('digits', like(numbers.mobileNumber, given('digits'))),
  );
  const list: List = {
    among: and(
      when('accountId', eq(numbers.accountId, given('accountId'))),
      when('qualityRating', eq(numbers.qualityRating, given('qualityRating'))),
    ),
    older: when('before', lt(id, given('before'))),
    status: when('statuses', sql`${numbers.status} = any (${given('statuses')}::text[])`),
    turns: waitingFor && WAITING[waitingFor],
    changed: when('updatedSince', gte(numbers.updatedAt, given('updatedSince'))),
    named: when('name', named),
  };
  const { among, older, status, turns = [], changed } = list;
  const same = when('mobileNumber', eq(numbers.mobileNumber, given('mobileNumber')));
  if (same) return walk(and(same, among, older, status, or(...turns), changed, list.named));
  if (list.named) return each(list, (from) => search(from, older, and(list.named, changed)));
  if (changed) return changes(list, changed);
  return each(list, (from) => walk(and(from, older)));
}

/** Conditions; undefined is none. */
interface List {
  /** The account and the rating: an index begins with either, or both. */
  among: SQL | undefined;
  /** Than the cursor's number. */
  older: SQL | undefined;
  status: SQL | undefined;
  /** One of these. */
  turns: SQL[] | undefined;
  changed: SQL | undefined;
  named: SQL | undefined;
}

/** Each status, or kind of turn, has a page of its own, because its numbers lie apart in the index; they are merged. */
function each({ among, status, turns }: List, page: (from: SQL | undefined) => SQL): SQL {
  if (!status && !turns) return page(among);
  const one = sql`${numbers.status} = (${given('statuses')}::text[])[wanted.nth]`;
  const pages = turns
    ? sql`(${sql.join(
        turns.map((turn) => sql`(${page(and(among, turn, status))})`),
        sql` union `,
      )}) as page`
    : sql`generate_series(1, ${ALL_STATUSES}) as wanted (nth) cross join lateral (${page(and(among, one))}) as page`;
  return sql`select page.id from ${pages} order by page.id desc limit ${given('limit')}`;
}

function walk(where: SQL | undefined): SQL {
  return sql`select walked.id from (
      select ${id} from ${numbers} where ${where ?? sql`true`} order by ${id} desc limit ${MOST}) as walked
    order by walked.id desc limit ${given('limit')}`;
}

/**
 * A frequent string is soon come across. A rare one is in the index of names, which would have to sort all hits of a
 * frequent one. Which it is shows in the newest rows.
 */
function search(from: SQL | undefined, older: SQL | undefined, hit: SQL | undefined): SQL {
  const near = and(from, older) ?? sql`true`;
  const beyond = and(from, sql`${id} < (select seen.oldest from seen)`);
  return sql`with near as materialized (
      select ${id}, (${hit}) as hit from ${numbers} where ${near} order by ${id} desc limit ${NEAR}),
    seen as materialized (
      select count(*) = ${NEAR} as more, count(*) filter (where near.hit) as hits, min(near.id) as oldest from near),
    far as materialized (
      select further.id from (
        select ${id}, (${hit}) as hit from ${numbers} where ${beyond} order by ${id} desc limit ${FAR}) as further
      where further.hit and (select more and hits >= ${FREQUENT} and hits < ${given('limit')} from seen)
      limit ${given('limit')}),
    rest as materialized (
      -- The offset keeps the place out of the choice of an index: it must be that of names.
      select indexed.id from (select ${id} from ${numbers} where ${and(from, hit)} offset 0) as indexed
      where indexed.id < (select seen.oldest from seen)
        and (select more and hits + (select count(*) from far) < ${given('limit')} from seen))
    select found.id from (
      select near.id from near where near.hit union select far.id from far union select rest.id from rest) as found
    order by found.id desc limit ${given('limit')}`;
}

/** Few changes are sorted, as the index has them in the order of time. Of many, some are soon come across. */
function changes(list: List, changed: SQL): SQL {
  const { among, older, status, turns = [] } = list;
  const isFew = sql`(select count(*) from recent) <= ${CHANGES}`;
  const wanted = and(status, or(...turns));
  const few = wanted
    ? walk(and(sql`${id} = any (array(select recent.id from recent))`, wanted, isFew))
    : sql`select recent.id from recent where ${isFew}`;
  const many = each(list, (from) => walk(and(from, older, changed, sql`not ${isFew}`)));
  return sql`with recent as materialized (
      select ${id} from ${numbers} where ${and(among, changed, older)} limit ${CHANGES} + 1)
    select found.id from ((${few}) union all (${many})) as found
    order by found.id desc limit ${given('limit')}`;
}
