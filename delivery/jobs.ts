/** The jobs that statements add: where something is to be forwarded, and what is to be worked off. */
import { sql } from 'drizzle-orm';
import { type Runner, run, Logger as WorkerLogger } from 'graphile-worker';
import pg from 'pg';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../contract/config.ts';
import { type Change, markWorkedOff, openChange } from '../db/changes.ts';
import type { Database } from '../db/client.ts';

const forward = z.object({ targets: z.array(z.string()) });
const change = z.object({ id: z.string(), day: z.string() });

/** Jobs of the first kind take no time, those of the second ask others. */
const FORWARDS = 4;
const WORK_OFFS = 4;
/** One of each kind waits for news. */
const CONNECTIONS = 6;
/** Milliseconds. */
const POLL = 1_000;

export interface JobDeps {
  db: Database;
  config: Pick<Config, 'DATABASE_URL'>;
  logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  wake: (targetIds: string[]) => void;
  /** Does what a change asks for. What it throws is tried again, later each time, about 25 times in 3 days. */
  workOffChange: (change: Change) => Promise<void>;
}

export interface Jobs {
  /** Resolves when they stop; rejects where they cannot go on. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/** Runs jobs. Only one process may: jobs that another has locked are its dead predecessor's, and are run again. */
export async function runJobs({ db, config, logger, wake, workOffChange }: JobDeps): Promise<Jobs> {
  await db.execute(sql`
    select graphile_worker.force_unlock_workers(array(
      select locked_by from graphile_worker._private_jobs where locked_by is not null
      union select locked_by from graphile_worker._private_job_queues where locked_by is not null))`);
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    max: CONNECTIONS,
    application_name: 'delivery jobs',
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
  });
  // A pool of the queue's own would end the process with a connection that breaks while the queue stops.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const options = {
    pgPool: pool,
    noHandleSignals: true,
    pollInterval: POLL,
    logger: new WorkerLogger(() => (level, message, meta) => {
      const name = level === 'warning' ? 'warn' : level;
      // What a job does is told by whoever does it.
      if (name === 'warn' || name === 'error') logger[name](meta ?? {}, message);
    }),
  };
  const runners: Runner[] = [];
  const stop = async () => {
    await Promise.allSettled(runners.map((runner) => runner.stop()));
    await pool.end().catch(() => {});
  };
  try {
    runners.push(
      await run({
        ...options,
        concurrency: FORWARDS,
        // Fetched and completed many at once: a job is a word, and there are hundreds a second.
        preset: {
          worker: {
            localQueue: { size: 100, refetchDelay: { durationMs: 20, threshold: 50 } },
            completeJobBatchDelay: 20,
          },
        },
        taskList: { forward: async (payload) => wake(forward.parse(payload).targets) },
      }),
    );
    runners.push(
      await run({
        ...options,
        concurrency: WORK_OFFS,
        taskList: {
          'work-off': async (payload) => {
            const key = change.parse(payload);
            const open = await openChange(db, key);
            if (!open) return;
            await workOffChange(open);
            await markWorkedOff(db, key);
          },
        },
      }),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { ended: Promise.all(runners.map((runner) => runner.promise)).then(() => {}), stop };
}
