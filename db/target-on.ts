/** Switching a target on again, with the timeline events that tell of it. */
import { sql } from 'drizzle-orm';
import { kindOf } from '../contract/delivery-views.ts';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Transaction } from './client.ts';
import { deliveries, isLiveSql, numberEvents, numbers, targets } from './schema.ts';

/** Tries that are put forward at once: more than are made while a target fails. */
const PUT_FORWARD = 10_000;

/**
 * Switches a target on: all that waits is due at once, in its order, and what it has failed before does not count. So too
 * where it was on, but failing. False where it was not off, or there is none.
 */
export async function switchOn(
  tx: Transaction,
  id: string,
  by: { actor: Actor; operationId: string },
): Promise<boolean> {
  const { rows } = await tx.execute(sql`
    with found as (
      select id, off_at from ${targets} where id = ${id} and (off_at is not null or failures > 0) for update
    ), switched as (
      update ${targets} t set off_at = null, off_reason = null, failing_since = null, failures = 0, open_until = null,
        failing_url = null
      from found where t.id = found.id returning t.id, found.off_at
    ), due as (
      update ${deliveries} set next_at = created_at where (id, day) in (
        select d.id, d.day from switched join ${deliveries} d on d.target_id = switched.id
        where d.state = 'pending' and d.next_at > now() order by d.next_at limit ${PUT_FORWARD}
        for update of d skip locked
      )
    )
    select graphile_worker.add_job('forward', json_build_object('targets', json_build_array(id))), off_at is not null as was_off
    from switched`);
  if (!rows[0]?.['was_off']) return false;
  await tell(tx, id, by);
  return true;
}

/** Each live number that it is a target of has it in its timeline. */
async function tell(
  tx: Transaction,
  id: string,
  { actor, operationId }: { actor: Actor; operationId: string },
): Promise<void> {
  const target = kindOf(id);
  const column = target === 'incoming' ? numbers.id : numbers.callbackProfileId;
  const users = await tx
    .select({ numberId: numbers.id, attempt: numbers.attempt })
    .from(numbers)
    .where(sql`${column} = ${id} and ${isLiveSql}`);
  if (users.length === 0) return;
  const event = { revision: null, type: 'target.on', at: new Date(), actor, operationId } as const;
  const data = { target, ...(target === 'callback' && { callbackProfileId: id }) };
  await tx
    .insert(numberEvents)
    .values(users.map((number) => ({ ...number, ...event, id: newId('evt'), data })));
}
