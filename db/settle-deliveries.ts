/** What came of tries to deliver, and what it means for their targets: many at once, in one statement. */
import { sql } from 'drizzle-orm';
import type { DeliveryAttempt, DeliveryState } from '../contract/deliveries.ts';
import type { Database } from './client.ts';
import { deliveries, targets } from './schema.ts';

export interface Settled {
  id: string;
  day: string;
  state: DeliveryState;
  /** When the next try is due; of no meaning unless it is pending. */
  nextAt: Date;
  attempt: DeliveryAttempt;
}

export interface TargetOutcome {
  id: string;
  failures: number;
  failingSince: Date | null;
  /** Before this nothing is sent; of the last failure, where it is not to wait. */
  openUntil: Date | null;
  /** What the failures are of; null where there are none. */
  failingUrl: string | null;
  /** Null where there was no success. */
  lastSuccessAt: Date | null;
}

/** Tries that are kept of a delivery, with those of its replays. */
const KEPT_ATTEMPTS = 30;

/**
 * Returns the ids of deliveries that it passed over, as somebody else has them locked, who replays them. Can be repeated
 * where it failed, and for those. A delivery that is settled meanwhile stays as it is. Not asked for by `pending`: with
 * statistics from before a backlog, PostgreSQL would go through all of it by the index of what is due.
 */
export async function settleDeliveries(
  db: Database,
  settled: Settled[],
  outcomes: TargetOutcome[],
): Promise<string[]> {
  const tries = settled.map(({ id, day, state, nextAt, attempt }) => ({
    id,
    day,
    state,
    next_at: nextAt,
    attempt,
  }));
  const changes = outcomes.map(({ id, failures, failingSince, openUntil, failingUrl, lastSuccessAt }) => ({
    id,
    failures,
    failing_since: failingSince,
    open_until: openUntil,
    failing_url: failingUrl,
    last_success_at: lastSuccessAt,
  }));
  const { rows } = await db.execute<{ id: string }>(sql`
    with tried as (
      select * from jsonb_to_recordset(${JSON.stringify(tries)}::jsonb)
        as tried (id uuid, day date, state text, next_at timestamptz, attempt jsonb)
    ), changed as (
      select * from jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
        as changed (id text, failures int, failing_since timestamptz, open_until timestamptz, failing_url text,
          last_success_at timestamptz)
    ), free as (
      select d.id, d.day from tried join ${deliveries} d on d.id = tried.id and d.day = tried.day
      for update of d skip locked
    ), settled as (
      update ${deliveries} d set state = tried.state, tries = d.tries + 1, next_at = tried.next_at,
        settled_at = case when tried.state <> 'pending' then (tried.attempt ->> 'at')::timestamptz end,
        attempts = case when jsonb_array_length(d.attempts) < ${KEPT_ATTEMPTS} then d.attempts else d.attempts - 0 end
          || jsonb_build_array(tried.attempt)
      from tried join free on free.id = tried.id and free.day = tried.day
      where d.id = tried.id and d.day = tried.day and d.state not in ('delivered', 'failed')
    ), told as (
      update ${targets} t set failures = changed.failures, failing_since = changed.failing_since,
        open_until = changed.open_until, failing_url = changed.failing_url,
        last_success_at = coalesce(changed.last_success_at, t.last_success_at)
      from changed where t.id = changed.id and t.off_at is null
    )
    select d.id from tried join ${deliveries} d on d.id = tried.id and d.day = tried.day
    where not exists (select from free where free.id = d.id)`);
  return rows.map(({ id }) => id);
}
