/** An account's events as its systems are told them, to catch up after an outage. */
import { sql } from 'drizzle-orm';
import type { StoredType } from '../contract/deliveries.ts';
import { idOf, timeOfId, uuidOf } from '../contract/ids.ts';
import type { EventToTell } from '../contract/webhook-body.ts';
import type { Database } from './client.ts';
import { daysAround, KEPT_DAYS } from './partitions.ts';
import { events, numbers } from './schema.ts';

interface ToldEvent extends EventToTell {
  /** `evt_…`: the `webhook-id` of its deliveries. */
  id: string;
}

/** Bytes of a page: what Meta sent can be large. A larger event is a page of its own. */
const PAGE_BYTES = 1024 * 1024;

export interface EventPage {
  events: ToldEvent[];
  more: boolean;
}

/**
 * The events of an account after the one with the id `after` (`evt_…`), or from the oldest on, in an order in which
 * nothing turns up before what was read. `unknown`: there is no such event; `gone`: some after it may not be kept any
 * more.
 */
export async function readEvents(
  db: Database,
  accountId: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<EventPage | 'unknown' | 'gone'> {
  const place = after === null ? BEGINNING : await placeOf(db, accountId, after);
  if (typeof place === 'string') return place;
  const { rows } = await db.execute<{
    id: string;
    type: StoredType;
    at: string;
    number_id: string;
    mobile_number: string;
    content: string;
    beyond: number;
  }>(sql`
    with page as (
      select e.id, e.type, e.at, e.number_id, n.mobile_number, e.content, e.txid
      from ${events} e join ${numbers} n on n.id = e.number_id
      where e.account_id = ${accountId} and e.type <> 'change'
        and (e.txid, e.id) > (${place.txid}::xid8, ${place.id}::uuid) and e.txid < pg_snapshot_xmin(pg_current_snapshot())
      order by e.txid, e.id limit ${limit + 1}
    ), sized as (
      select page.*, count(*) over ahead::int - 1 as beyond,
        coalesce(sum(octet_length(content)) over before, 0) as bytes, row_number() over before as place
      from page
      window before as (order by txid, id rows between unbounded preceding and current row),
        ahead as (order by txid, id rows between current row and unbounded following)
    )
    select id, type, at, number_id, mobile_number, content, beyond from sized
    where place <= ${limit} and (bytes <= ${PAGE_BYTES} or place = 1) order by txid, id`);
  const told = rows.map((row) => ({
    id: idOf('evt', row.id),
    type: row.type,
    at: new Date(row.at),
    numberId: row.number_id,
    mobileNumber: row.mobile_number,
    content: row.content,
  }));
  return { events: told, more: (rows.at(-1)?.beyond ?? 0) > 0 };
}

interface Place {
  txid: string;
  id: string;
}
const BEGINNING: Place = { txid: '0', id: '00000000-0000-0000-0000-000000000000' };

async function placeOf(db: Database, accountId: string, id: string): Promise<Place | 'unknown' | 'gone'> {
  const uuid = uuidOf('evt', id);
  if (uuid === null) return 'unknown';
  // Looked up or not, it is too old: what came after it, but is of days before, may have been dropped.
  if (timeOfId(id) < Date.now() - KEPT_DAYS * 24 * 3_600_000) return 'gone';
  const { rows } = await db.execute<{ txid: string; id: string }>(
    sql`select txid::text, id from ${events} where id = ${uuid} and account_id = ${accountId} and ${daysAround(uuid, events.day)}`,
  );
  return rows[0] ?? 'unknown';
}
