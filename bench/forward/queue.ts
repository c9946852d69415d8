/** Run as a child process: graphile-worker with a task that does nothing, against which forwarding is measured. */
import { Logger, run, runMigrations } from 'graphile-worker';
import pg from 'pg';

export interface Queue {
  databaseUrl: string;
  connections: number;
  jobs: number;
  concurrency: number;
}

export type FromQueue = { jobsPerSecond: number } | { failed: string };

/** Jobs that are added in one statement: one by one it would take minutes. */
const AT_ONCE = 1_000;
const ADD = `select count(*) from graphile_worker.add_jobs(array(
  select json_populate_record(null::graphile_worker.job_spec, '{"identifier": "nothing"}') from generate_series(1, $1)))`;

const logger = new Logger(() => () => {});

process.on('message', async (queue: Queue) => {
  const answer: FromQueue = await measure(queue).then(
    (jobsPerSecond) => ({ jobsPerSecond }),
    (error: unknown) => ({ failed: String(error) }),
  );
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());

async function measure({ databaseUrl, connections, jobs, concurrency }: Queue): Promise<number> {
  const pgPool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  // A connection that breaks fails its query, or says nothing of interest.
  pgPool.on('error', () => {});
  pgPool.on('connect', (client) => client.on('error', () => {}));
  await runMigrations({ pgPool, logger });
  for (let left = jobs; left > 0; left -= AT_ONCE) await pgPool.query(ADD, [Math.min(left, AT_ONCE)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  let done = 0;
  const nothing = () => {
    if (++done === jobs) resolve();
  };
  const startedAt = performance.now();
  const runner = await run({
    ...{ pgPool, logger, concurrency, noHandleSignals: true },
    taskList: { nothing },
    // As fast as it goes: jobs are fetched and finished many at a time.
    preset: {
      worker: { localQueue: { size: concurrency * 10 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
    },
  });
  await promise;
  const seconds = (performance.now() - startedAt) / 1_000;
  await runner.stop();
  await pgPool.end();
  return jobs / seconds;
}
