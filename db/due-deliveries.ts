/** What is due at which target. Only the one process that forwards asks. */
import { sql } from 'drizzle-orm';
import type { StoredType, TargetKind } from '../contract/deliveries.ts';
import type { EventToTell } from '../contract/webhook-body.ts';
import type { Database } from './client.ts';
import { daysOf } from './partitions.ts';
import { callbackProfiles, deliveries, events, numbers, targets } from './schema.ts';

/** Where an Incoming URL or a profile's URL is sent to now; null while it is not. `n` is the event's number. */
const URL_NOW = sql`case when t.off_at is not null then null
  when t.kind = 'incoming' then case when n.status = 'APPROVED' then n.incoming_url end
  else (select p.url from ${callbackProfiles} p where p.id = t.id and p.active and p.deleted_at is null) end`;

/** Whichever clock is ahead: what was stored is due at once by the clock of the database, which may be before ours. */
const latest = (now: Date) => sql`greatest(${now.toISOString()}::timestamptz, now())`;

/** Whether what a target has failed was at the URL that it has now. */
const FAILED_HERE = sql`coalesce(t.failing_url = case t.kind
  when 'incoming' then (select own.incoming_url from ${numbers} own where own.id = t.id)
  else (select p.url from ${callbackProfiles} p where p.id = t.id) end, true)`;

export interface TargetState {
  id: string;
  /** Failures since the last success, at the URL that it has now. */
  failures: number;
  failingSince: Date | null;
  /** Where nothing is due before it; otherwise of the last failure. */
  openUntil: Date | null;
}

export interface DueDelivery {
  id: string;
  day: string;
  targetId: string;
  conversation: string;
  /** Made so far. */
  tries: number;
}

/**
 * Targets that something is due at and that may be sent to, with the time for which the first of it is due. Walks the
 * index from target to target, so that it costs what there are targets, however much is due.
 */
export async function targetsWithDue(db: Database, now: Date): Promise<{ id: string; since: Date }[]> {
  const first = (after: ReturnType<typeof sql>) => sql`
    select d.target_id, d.number_id, d.next_at from ${deliveries} d where d.state = 'pending' ${after}
    order by d.target_id, d.next_at limit 1`;
  const { rows } = await db.execute<{ id: string; since: string }>(sql`
    with recursive pending as (
      (${first(sql``)})
      union all
      select found.* from pending
      cross join lateral (${first(sql`and d.target_id > pending.target_id`)}) found
    )
    select t.id, pending.next_at as since from pending
    join ${targets} t on t.id = pending.target_id join ${numbers} n on n.id = pending.number_id
    where pending.next_at <= ${latest(now)}
      and (coalesce(t.open_until <= ${latest(now)}, true) or not ${FAILED_HERE}) and ${URL_NOW} is not null`);
  return rows.map(({ id, since }) => ({ id, since: new Date(since) }));
}

/** The first deliveries due at each target, in the order in which they are to be sent, and how the targets do. */
export async function dueDeliveriesOf(
  db: Database,
  wanted: { targetId: string; limit: number }[],
  now: Date,
): Promise<{ states: TargetState[]; due: DueDelivery[] }> {
  const ids = sql.param(wanted.map(({ targetId }) => targetId));
  const limits = sql.param(wanted.map(({ limit }) => limit));
  const { rows } = await db.execute<{
    target_id: string;
    failures: number;
    failing_since: string | null;
    open_until: string | null;
    id: string | null;
    day: string;
    conversation: string;
    tries: number;
  }>(sql`
    select t.id as target_id, case when state.counts then t.failures else 0 end as failures,
      case when state.counts then t.failing_since end as failing_since,
      case when state.counts then t.open_until end as open_until, d.id, d.day::text, d.conversation, d.tries
    from unnest(${ids}::text[], ${limits}::int[]) as wanted (target_id, size)
    join ${targets} t on t.id = wanted.target_id
    cross join lateral (select ${FAILED_HERE} as counts) state
    left join lateral (
      select d.id, d.day, d.conversation, d.tries, d.next_at from ${deliveries} d
      where d.target_id = t.id and d.state = 'pending' and d.next_at <= ${latest(now)} and t.off_at is null
        and (coalesce(t.open_until <= ${latest(now)}, true) or not state.counts)
      order by d.next_at, d.id limit wanted.size
    ) d on true
    order by t.id, d.next_at, d.id`);
  const states = new Map<string, TargetState>();
  const due: DueDelivery[] = [];
  for (const row of rows) {
    const { target_id: targetId, failures, id, day, conversation, tries } = row;
    const [failingSince, openUntil] = [row.failing_since, row.open_until].map((at) => at && new Date(at));
    states.set(targetId, {
      id: targetId,
      failures,
      failingSince: failingSince || null,
      openUntil: openUntil || null,
    });
    if (id !== null) due.push({ id, day, targetId, conversation, tries });
  }
  return { states: [...states.values()], due };
}

/** A delivery with what is sent. */
export interface LoadedDelivery extends EventToTell {
  id: string;
  target: {
    id: string;
    kind: TargetKind;
    /** Null while nothing is sent there. */
    url: string | null;
    /** Encrypted; the first signs, the second signs along. */
    secret: string | null;
    previousSecret: string | null;
  };
}

export async function loadDeliveries(
  db: Database,
  wanted: Pick<DueDelivery, 'id' | 'day' | 'targetId'>[],
  now: Date,
): Promise<LoadedDelivery[]> {
  const ids = sql.param(wanted.map(({ id }) => id));
  const days = sql.param(wanted.map(({ day }) => day));
  const targetIds = sql.param(wanted.map(({ targetId }) => targetId));
  const { rows } = await db.execute<{
    id: string;
    type: StoredType;
    at: string;
    content: string;
    number_id: string;
    mobile_number: string;
    target_id: string;
    kind: TargetKind;
    url: string | null;
    secret: string | null;
    previous_secret: string | null;
  }>(sql`
    select e.id, e.type, e.at, e.content, n.id as number_id, n.mobile_number, t.id as target_id, t.kind,
      ${URL_NOW} as url, t.secret,
      case when t.previous_valid_until > ${now.toISOString()} then t.previous_secret end as previous_secret
    from unnest(${ids}::uuid[], ${days}::date[], ${targetIds}::text[]) as wanted (id, day, target_id)
    join ${events} e on e.id = wanted.id and e.day = wanted.day and ${daysOf(wanted, sql`e.day`)}
    join ${numbers} n on n.id = e.number_id join ${targets} t on t.id = wanted.target_id`);
  return rows.map((row) => ({
    id: row.id,
    type: row.type,
    at: new Date(row.at),
    numberId: row.number_id,
    mobileNumber: row.mobile_number,
    content: row.content,
    target: {
      id: row.target_id,
      kind: row.kind,
      url: row.url,
      secret: row.secret,
      previousSecret: row.previous_secret,
    },
  }));
}
