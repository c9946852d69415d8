import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
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
  const sql = postgres(config.DATABASE_URL, {
    max: options.max ?? config.DATABASE_POOL,
    connect_timeout: 5,
    idle_timeout: 60,
    // Reconnect soon after PostgreSQL is back.
    backoff: (attempt: number) => Math.min(0.1 * 2 ** attempt, 1),
    onnotice: () => {},
    connection: {
      application_name: options.name,
      statement_timeout: 15_000,
      idle_in_transaction_session_timeout: 60_000,
    },
  });
  const db = drizzle(sql, { schema });
  return Object.assign(db, { close: () => sql.end({ timeout: 5 }) });
}

export type Database = ReturnType<typeof openDatabase>;
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
