/** An account's events as its systems are told them, to catch up after an outage. */
import { sql } from 'drizzle-orm';
import type { StoredType } from '../contract/deliveries.ts';
import { idOf, uuidOf } from '../contract/ids.ts';
import type { EventToTell } from '../contract/webhook-body.ts';
import type { Database } from './client.ts';
import { events, numbers } from './schema.ts';

export interface ToldEvent extends EventToTell {
  /** `evt_…`: the `webhook-id` of its deliveries. */
  id: string;
}

/**
 * The events of an account after the one with the id `after` (`evt_…`), or from the oldest on, in an order in which
 * nothing turns up before what was read. Null: there is no such event, or not any more.
 */
export async function readEvents(
  db: Database,
  accountId: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<ToldEvent[] | null> {
  const place =
    after === null
      ? { txid: '0', id: '00000000-0000-0000-0000-000000000000' }
      : await placeOf(db, accountId, after);
  if (!place) return null;
  const { rows } = await db.execute<{
    id: string;
    type: StoredType;
    at: string;
    number_id: string;
    mobile_number: string;
    content: string;
  }>(sql`
    select e.id, e.type, e.at, e.number_id, n.mobile_number, e.content
    from ${events} e join ${numbers} n on n.id = e.number_id
    where e.account_id = ${accountId} and e.type <> 'change'
      and (e.txid, e.id) > (${place.txid}::xid8, ${place.id}::uuid) and e.txid < pg_snapshot_xmin(pg_current_snapshot())
    order by e.txid, e.id limit ${limit}`);
  return rows.map((row) => ({
    id: idOf('evt', row.id),
    type: row.type,
    at: new Date(row.at),
    numberId: row.number_id,
    mobileNumber: row.mobile_number,
    content: row.content,
  }));
}

async function placeOf(db: Database, accountId: string, id: string) {
  const uuid = uuidOf('evt', id);
  if (uuid === null) return undefined;
  const { rows } = await db.execute<{ txid: string; id: string }>(
    sql`select txid::text, id from ${events} where id = ${uuid} and account_id = ${accountId}`,
  );
  return rows[0];
}
