/** What Meta told, stored once: the events, what is to be delivered of them, and the jobs that do it, in one statement. */
import { type SQL, sql } from 'drizzle-orm';
import type { StoredType } from '../contract/deliveries.ts';
import { orderedUuids } from '../contract/ids.ts';
import { LIVE_STATUSES } from '../contract/number.ts';
import type { Database } from './client.ts';
import { dueDeliveries, forwardJob, madeTargets } from './new-deliveries.ts';
import { dayAround, withPartitions } from './partitions.ts';
import { prepared } from './prepared.ts';
import { callbackProfiles, events, metaConnections, metaNumbers, numbers, organizations } from './schema.ts';

/** One message, status or other change, as it was cut out of a webhook. */
export interface Update {
  type: Extract<StoredType, 'message.received' | 'message.status' | 'meta.update' | 'change'>;
  /** By which a repeat is recognised; a UUID's form. */
  key: string;
  at: Date;
  wabaId: string;
  /** Meta's word for what changed. */
  field: string;
  /** Which number it is about, as Meta names it; null where it is about none. */
  digits: string | null;
  phoneNumberId: string | null;
  /** Of a message: sent, delivered, …; null for anything else. */
  status: string | null;
  /** Of number and end user. */
  conversation: bigint;
  /** JSON. */
  content: string;
}

export interface Stored {
  /** How many were new. */
  stored: number;
  /** How many of them are to be delivered. */
  deliveries: number;
  /** How many name a number that its WhatsApp Business Account has and we do not. */
  unknown: number;
}

/** Stores updates, in their order: 4,096 at the most. What is known already is left out. */
export async function storeUpdates(db: Database, updates: Update[], now = new Date()): Promise<Stored> {
  if (updates.length === 0) return { stored: 0, deliveries: 0, unknown: 0 };
  return withPartitions(
    db,
    async () => (await storing(db).execute(columnsOf(updates, now)))[0] as Stored,
    now,
  );
}

/** A column each: one parameter for all rows. */
function columnsOf(updates: Update[], now: Date) {
  return {
    ids: orderedUuids(updates.length),
    days: updates.map(({ at }) => dayAround(at, now)),
    keys: updates.map(({ key }) => key),
    types: updates.map(({ type }) => type),
    ats: updates.map(({ at }) => at.toISOString()),
    wabaIds: updates.map(({ wabaId }) => wabaId),
    fields: updates.map(({ field }) => field),
    digits: updates.map(({ digits }) => digits),
    phoneNumberIds: updates.map(({ phoneNumberId }) => phoneNumberId),
    statuses: updates.map(({ status }) => status),
    conversations: updates.map(({ conversation }) => String(conversation)),
    contents: updates.map(({ content }) => content),
  };
}

/** That `r` names a number that we do not have. */
const UNKNOWN = sql`r.connected and r.number_id is null and (r.digits is not null or r.phone_number_id is not null)`;

const storing = prepared((db) => {
  const { placeholder } = sql;
  const live = sql.raw(LIVE_STATUSES.map((status) => `'${status}'`).join(', '));
  const part = (name: string, query: SQL) => db.$with(name, {}).as(query);
  const parts = [
    part(
      'given',
      sql`select * from unnest(${placeholder('ids')}::uuid[], ${placeholder('days')}::date[],
        ${placeholder('keys')}::uuid[], ${placeholder('types')}::text[], ${placeholder('ats')}::timestamptz[],
        ${placeholder('wabaIds')}::text[], ${placeholder('fields')}::text[], ${placeholder('digits')}::text[],
        ${placeholder('phoneNumberIds')}::text[], ${placeholder('statuses')}::text[],
        ${placeholder('conversations')}::bigint[], ${placeholder('contents')}::text[])
        as given (id, day, key, type, at, waba_id, field, digits, phone_number_id, status, conversation, content)`,
    ),
    // By Meta's id, or else the digits: Meta writes those of some countries in another way than they were submitted.
    // A number that was released and submitted anew is there twice: one that was proven at Meta is meant before one that
    // was not, whose account may be another, then the live one, or else the latest. One of an account that was erased
    // may still be registered at Meta, and gets nothing.
    part(
      'found',
      sql`select named.*, connection.account_id as owner_id, number.id as number_id, number.account_id,
          number.callback_profile_id
        from (select distinct waba_id, digits, phone_number_id from given) named
        join ${metaConnections} connection on connection.waba_id = named.waba_id
        left join lateral (
          select n.id, n.account_id, n.callback_profile_id from ${metaNumbers} m join ${numbers} n on n.id = m.number_id
          join ${organizations} o on o.id = n.account_id and o.erased_at is null
          where m.connection_id = connection.id
            and (m.phone_number_id = named.phone_number_id or m.digits = named.digits)
          order by m.verified_at is not null desc, n.status in (${live}) desc, coalesce(m.phone_number_id = named.phone_number_id, false) desc, n.id desc
          limit 1
        ) number on true`,
    ),
    // Of a number that is not ours it is kept that there was something, and not what.
    part(
      'resolved',
      sql`select given.*, found.waba_id is not null as connected, found.number_id, found.callback_profile_id,
          coalesce(found.account_id, found.owner_id) as account_id,
          given.type = 'change' or found.number_id is not null as is_kept
        from given left join found on found.waba_id = given.waba_id
          and found.digits is not distinct from given.digits
          and found.phone_number_id is not distinct from given.phone_number_id`,
    ),
    // In the order of what is unique, or two that store the same would wait for each other.
    part(
      'stored',
      sql`insert into ${events} (id, day, key, type, at, account_id, number_id, waba_id, field, content)
        select id, day, key, type, at, case when is_kept then account_id end, number_id, waba_id, field,
          case when is_kept then content else '{}' end
        from resolved
        order by day, key
        on conflict (key, day) do nothing
        returning id`,
    ),
    part(
      'aimed',
      sql`select r.id, r.day, r.number_id, r.account_id, r.conversation,
          coalesce(profile.id, r.number_id) as target_id,
          case when profile.id is null then 'incoming' else 'callback' end as kind
        from stored join resolved r on r.id = stored.id
        left join ${callbackProfiles} profile on r.type = 'message.status' and profile.id = r.callback_profile_id
          and profile.account_id = r.account_id and profile.active and profile.deleted_at is null
          and r.status = any (profile.statuses)
        where r.number_id is not null and (r.type in ('message.received', 'meta.update') or profile.id is not null)`,
    ),
    part('made', madeTargets),
    part('due', dueDeliveries),
    part('forwarding', forwardJob),
    part(
      'working_off',
      sql`select graphile_worker.add_job('work-off', json_build_object('id', r.id, 'day', r.day))
        from stored join resolved r on r.id = stored.id where r.type = 'change' and r.connected`,
    ),
  ];
  const count = (of: string) => sql<number>`(select count(*) from ${sql.identifier(of)})::int`;
  return db
    .with(...parts)
    .select({
      stored: count('stored').as('stored'),
      deliveries: count('aimed').as('deliveries'),
      unknown:
        sql<number>`(select count(*) from stored join resolved r on r.id = stored.id where ${UNKNOWN})::int`.as(
          'unknown',
        ),
      // What nobody asks for would not be run.
      jobs: sql<number>`${count('forwarding')} + ${count('working_off')}`.as('jobs'),
    })
    .from(sql`(values (0)) as once`)
    .prepare('store_updates');
});
