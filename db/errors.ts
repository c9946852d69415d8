/** What may be told of a failed query: never the values in it. */
import { DrizzleQueryError } from 'drizzle-orm';
import pg from 'pg';

/** The error that a query failed with: the wrapper around it carries the query and its parameters. */
export function rootOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError && error.cause ? error.cause : error;
}

/** PostgreSQL's SQLSTATE of a failed query; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const root = rootOf(error);
  return root instanceof pg.DatabaseError ? root.code : undefined;
}

/** A row with the same values of a unique index is there already. */
export const UNIQUE_VIOLATION = '23505';

/** `lock_timeout` ran out. */
export const LOCK_NOT_AVAILABLE = '55P03';

/** PostgreSQL's errors name the values at fault, and a query's carry its parameters: only what is safe is told. */
export function describeError(error: unknown): unknown {
  const root = rootOf(error);
  if (!(root instanceof Error)) return { message: String(root) };
  const { code, constraint } = root as { code?: unknown; constraint?: unknown };
  return {
    type: root.name,
    message: root.message,
    stack: root.stack,
    ...(code !== undefined && { code }),
    ...(constraint !== undefined && { constraint }),
    ...(root.cause !== undefined && { cause: describeError(root.cause) }),
  };
}
