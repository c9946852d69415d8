/**
 * One process forwards at a time: the order within a conversation, and how many requests a target gets, are then a
 * matter of one memory. Others wait for the lock, which ends with its holder's connection.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Config } from '../contract/config.ts';
import { LOCKS } from '../db/advisory-locks.ts';

/** Milliseconds. */
const TRY_EVERY = 1_000;
const ASK_EVERY = 5_000;
const ANSWER_WITHIN = 5_000;
/** The server finds out within a minute that our machine is gone, not after hours. */
const KEEP_ALIVE = '-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3';

export interface Work {
  work: (term: AbortSignal) => Promise<void>;
  /** Told whether the database answers, each time that it was asked for the lock. */
  onAsked: (reached: boolean) => void;
}

/**
 * Runs `work` whenever this process has the lock, until `stop` aborts. `work` has to end when its signal aborts: with
 * `stop`, or because the lock was lost. What it throws is told of, and it begins anew.
 */
export async function lead(
  config: Pick<Config, 'DATABASE_URL'>,
  logger: Pick<Logger, 'info' | 'warn' | 'error'>,
  stop: AbortSignal,
  { work, onAsked }: Work,
): Promise<void> {
  while (!stop.aborted) {
    const lock = await tryLock(config.DATABASE_URL).catch((error: unknown) => {
      logger.warn({ err: error }, 'The lock cannot be asked for; trying again');
      return undefined;
    });
    onAsked(lock !== undefined);
    if (lock) {
      logger.info('This process forwards');
      await work(AbortSignal.any([stop, lock.lost]))
        .catch((error: unknown) => logger.error({ err: error }, 'Forwarding broke off; it begins anew'))
        .finally(() => {
          if (lock.lost.aborted) logger.warn('The lock was lost: another process may forward now');
          return lock.release();
        });
    }
    await sleep(TRY_EVERY, undefined, { signal: stop }).catch(() => {});
  }
}

/** The lock, or null where another process has it. Throws where the database does not answer. */
async function tryLock(
  connectionString: string,
): Promise<{ lost: AbortSignal; release: () => Promise<void> } | null> {
  const lost = new AbortController();
  const client = new pg.Client({
    connectionString,
    application_name: 'delivery lock',
    connectionTimeoutMillis: ANSWER_WITHIN,
    query_timeout: ANSWER_WITHIN,
    keepAlive: true,
    options: KEEP_ALIVE,
  });
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  const asking = setInterval(() => {
    client.query('select').catch(() => lost.abort());
  }, ASK_EVERY);
  const release = async () => {
    clearInterval(asking);
    await client.end().catch(() => {});
  };
  try {
    await client.connect();
    const { rows } = await client.query(`select pg_try_advisory_lock(${LOCKS.forwarding}) as locked`);
    if (rows[0]?.locked === true) return { lost: lost.signal, release };
  } catch (error) {
    await release();
    throw error;
  }
  await release();
  return null;
}
