/** Jobs that nobody needs any more. */
import { sql } from 'drizzle-orm';
import type { Database } from '../db/client.ts';

/** Jobs that are dropped in one statement. */
const SLICE = 10_000;
/** How long a job is kept that has used up its tries. */
const FAILED_DAYS = 30;

/**
 * Drops the jobs `forward` from before now: a look at all targets finds what they would tell. Each webhook adds one, so
 * that millions may wait where nobody has forwarded for a night.
 */
export async function dropStaleJobs(db: Database, until: AbortSignal): Promise<void> {
  const { rows } = await db.execute<{ last: string | null }>(
    sql`select max(id)::text as last from graphile_worker._private_jobs`,
  );
  const last = rows[0]?.last ?? null;
  let after: string | null = '0';
  while (last !== null && after !== null && !until.aborted) {
    const slice: { rows: { after: string | null }[] } = await db.execute(sql`
      with stale as (
        select job.id from graphile_worker._private_jobs job
        join graphile_worker._private_tasks task on task.id = job.task_id
        where job.id > ${after} and job.id <= ${last} and task.identifier = 'forward' and job.locked_at is null
        order by job.id limit ${SLICE}
      ), dropped as (select from graphile_worker.complete_jobs(array(select id from stale)))
      select max(id)::text as after from stale where (select count(*) from dropped) >= 0`);
    after = slice.rows[0]?.after ?? null;
  }
}

export async function dropFailedJobs(db: Database): Promise<void> {
  await db.execute(sql`
    select count(*) from graphile_worker.complete_jobs(array(
      select id from graphile_worker.jobs
      where attempts >= max_attempts and updated_at < now() - make_interval(days => ${FAILED_DAYS}) limit ${SLICE}))`);
}
