import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Config } from '../contract/config.ts';

/** Milliseconds. */
const TIMEOUTS = {
  statement_timeout: 15_000,
  // For a server that is gone without a word: its own timeout does not reach us then.
  query_timeout: 20_000,
  // Whoever waits for a row or a key longer than this had better come again.
  lock_timeout: 10_000,
};

/**
 * Opens a pool. Nothing connects before the first query. A statement is ended by the server after 15 s,
 * so that no query outlives the request or activity that waits for it; `unbounded` is for migrations.
 */
export function openDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL'>,
  options: { name: string; max?: number; unbounded?: boolean },
) {
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    max: options.max ?? config.DATABASE_POOL,
    // Also bounds the wait for a free connection.
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    application_name: options.name,
    ...(options.unbounded ? {} : TIMEOUTS),
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A connection that breaks while idle is replaced; one in use fails its query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = drizzle(pool);
  let closed: Promise<void> | undefined;
  return Object.assign(db, {
    /**
     * Drizzle's own keeps a pool's connection for good when `begin` fails. Here the connection is replaced then,
     * and kept where only the work failed: Drizzle throws that error on after a rollback that went well.
     */
    transaction: (async (work, config) => {
      const client = await pool.connect();
      let failure: unknown;
      const watched: typeof work = (tx) =>
        work(tx).catch((error: unknown) => {
          failure = error;
          throw error;
        });
      try {
        const result = await drizzle(client).transaction(watched, config);
        client.release();
        return result;
      } catch (error) {
        client.release(error !== failure);
        throw error;
      }
    }) as typeof db.transaction,
    close: () => {
      closed ??= pool.end();
      return closed;
    },
  });
}

export type Database = ReturnType<typeof openDatabase>;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
