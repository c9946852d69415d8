/** What we tell a customer's systems ourselves: written in the transaction of what it tells of. */
import { createHash } from 'node:crypto';
import { type SQL, sql } from 'drizzle-orm';
import type { TargetKind, WebhookType } from '../contract/deliveries.ts';
import { idOf, orderedUuids } from '../contract/ids.ts';
import type { Transaction } from './client.ts';
import { dueDeliveries, forwardJob, madeTargets } from './new-deliveries.ts';
import { dayAround, ensurePartitions } from './partitions.ts';
import { callbackProfiles, events, numbers } from './schema.ts';

export interface OwnEvent {
  numberId: string;
  type: Exclude<WebhookType, 'message.received' | 'message.status' | 'meta.update'>;
  at: Date;
  /** What made it: the same operation tells a type once. */
  operationId: string;
  /** What is told beside `numberId` and `mobileNumber`. */
  data: Record<string, unknown>;
  /** Where it goes; null where it is kept and not sent. Nothing is delivered to a callback profile that the number has not. */
  target?: TargetKind | null;
}

/**
 * Stores events and their deliveries. Returns the ids of the deliveries that are new: none of a repeat. Events of one
 * number are delivered one after another, but for tests.
 */
export async function insertOwnEvents(tx: Transaction, own: OwnEvent[]): Promise<`dlv_${string}`[]> {
  if (own.length === 0) return [];
  const now = new Date();
  await ensurePartitions(
    tx,
    own.map(({ at }) => dayAround(at, now)),
  );
  const parts = ownEventParts(sql`${ownEventsJson(own, now)}`, sql`true`);
  const { rows } = await tx.execute<{ id: string }>(sql`
    with ${sql.join(
      parts.map(([name, query]) => sql`${sql.identifier(name)} as (${query})`),
      sql`, `,
    )}
    select id from aimed where exists (select from forwarding) order by id`);
  return rows.map(({ id }) => idOf('dlv', id));
}

/** What `ownEventParts` are given. */
export function ownEventsJson(own: OwnEvent[], now = new Date()): string {
  const ids = orderedUuids(own.length);
  return JSON.stringify(
    own.map((event, index) => ({
      id: ids[index],
      day: dayAround(event.at, now),
      key: keyOf(event.numberId, event.operationId, event.type),
      type: event.type,
      at: event.at.toISOString(),
      number_id: event.numberId,
      // A test waits for nothing before it.
      conversation: String(
        conversationOf(event.numberId, ...(event.type === 'test' ? [event.operationId] : [])),
      ),
      content: JSON.stringify(event.data),
      kind: event.target === undefined ? 'incoming' : event.target,
    })),
  );
}

/**
 * Parts of a statement, by their names, that store events and their deliveries where `only` holds. Whoever runs it has
 * to ask for `forwarding`: what nobody asks for would not be run.
 */
export function ownEventParts(json: SQL, only: SQL): [name: string, query: SQL][] {
  return [
    [
      'given',
      sql`select * from json_to_recordset(${json}::json) as given (id uuid, day date, key uuid, type text,
        at timestamptz, number_id text, conversation bigint, content text, kind text) where ${only}`,
    ],
    [
      'resolved',
      sql`select given.*, n.account_id, case given.kind when 'incoming' then n.id when 'callback' then profile.id end as target_id
        from given join ${numbers} n on n.id = given.number_id
        left join ${callbackProfiles} profile on profile.id = n.callback_profile_id
          and profile.account_id = n.account_id and profile.deleted_at is null`,
    ],
    [
      'stored',
      sql`insert into ${events} (id, day, key, type, at, account_id, number_id, content)
        select id, day, key, type, at, account_id, number_id, content from resolved order by id
        on conflict (key, day) do nothing
        returning id`,
    ],
    ['aimed', sql`select r.* from stored join resolved r on r.id = stored.id where r.target_id is not null`],
    ['made', madeTargets],
    ['due', dueDeliveries],
    ['forwarding', forwardJob],
  ];
}

/** Half a SHA-256 of what names an event. */
export function keyOf(...names: string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32);
}

/** A number for each conversation. Two that share one only wait for each other. */
export function conversationOf(...names: string[]): bigint {
  return createHash('sha256').update(JSON.stringify(names)).digest().readBigInt64BE();
}
