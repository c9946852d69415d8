/** Changes that Meta told of: names, quality, limits, accounts. They are stored as events and worked off after. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from './client.ts';
import { events, metaConnections } from './schema.ts';

/** One change of a WhatsApp Business Account that is connected, with the number that it is about. */
export interface Change {
  id: string;
  connectionId: string;
  wabaId: string;
  /** The account whose number it is about, or whose connection it is; null for the connection of ours. */
  accountId: string | null;
  /** Null where it is about no number of ours. */
  numberId: string | null;
  /** Meta's word for what changed, such as `phone_number_name_update`. */
  field: string;
  /** Meta's time for it. Changes may be worked off in another order than they were told in. */
  at: Date;
  /** When it arrived. */
  receivedAt: Date;
  /** As Meta sent it. */
  value: unknown;
}

export interface ChangeKey {
  id: string;
  day: string;
}

/** The change; null where it is worked off already, not kept any more, or its connection is gone. */
export async function openChange(db: Database, { id, day }: ChangeKey): Promise<Change | null> {
  const [found] = await db
    .select({ event: events, connectionId: metaConnections.id })
    .from(events)
    .innerJoin(metaConnections, eq(metaConnections.wabaId, events.wabaId))
    .where(and(eq(events.id, id), eq(events.day, day), sql`${events.workedOffAt} is null`));
  if (!found) return null;
  const { event, connectionId } = found;
  const { wabaId, accountId, numberId, field, at, createdAt: receivedAt, content } = event;
  return {
    ...{ id, connectionId, accountId, numberId, at, receivedAt },
    wabaId: wabaId ?? '',
    field: field ?? '',
    value: JSON.parse(content),
  };
}

export async function markWorkedOff(db: Database, { id, day }: ChangeKey): Promise<void> {
  await db
    .update(events)
    .set({ workedOffAt: sql`now()` })
    .where(and(eq(events.id, id), eq(events.day, day)));
}
