/** What may be told of a failed query: never the values in it. */
import { DrizzleQueryError } from 'drizzle-orm';

/** The error that a query failed with: the wrapper around it carries the query and its parameters. */
export function rootOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError && error.cause ? error.cause : error;
}

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
