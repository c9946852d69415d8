/**
 * Parts of a statement in which `aimed (id, day, number_id, account_id, conversation, target_id, kind)` is what was just
 * stored and is to be delivered.
 */
import { sql } from 'drizzle-orm';
import { deliveries, targets } from './schema.ts';

export const madeTargets = sql`insert into ${targets} (id, account_id, kind)
  select distinct target_id, account_id, kind from aimed
  where not exists (select from ${targets} known where known.id = target_id) order by target_id
  on conflict (id) do nothing`;

export const dueDeliveries = sql`insert into ${deliveries} (id, day, target_id, number_id, conversation)
  select id, day, target_id, number_id, conversation from aimed order by id`;

/** One for all of them: who forwards asks what is due anyway. */
export const forwardJob = sql`select graphile_worker.add_job('forward',
    json_build_object('targets', json_agg(distinct target_id)))
  from aimed having count(*) > 0`;
