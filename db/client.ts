import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Config } from '../contract/config.ts';
import * as schema from './schema.ts';

/**
 * Opens a pool. Nothing connects before the first query. A statement is ended by the server after 15 s,
 * so that no query outlives the request or activity that waits for it.
 */
export function openDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL'>,
  options: { name: string; max?: number },
) {
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    max: options.max ?? config.DATABASE_POOL,
    // Also bounds the wait for a free connection.
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    application_name: options.name,
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
  });
  // A connection that breaks while idle is replaced; one in use fails its query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = drizzle(pool, { schema });
  let closed: Promise<void> | undefined;
  return Object.assign(db, {
    close: () => {
      closed ??= pool.end();
      return closed;
    },
  });
}

export type Database = ReturnType<typeof openDatabase>;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
