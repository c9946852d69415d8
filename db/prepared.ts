import type { Database } from './client.ts';

/**
 * A statement that is composed once per pool instead of at each use: composing one costs more than running it.
 * Only for what does not need a transaction. What `compose` takes beside the pool must be the same at each use.
 */
export function prepared<Statement, Given extends unknown[]>(
  compose: (db: Database, ...given: Given) => Statement,
): (db: Database, ...given: Given) => Statement {
  const composed = new WeakMap<Database, Statement>();
  return (db, ...given) => {
    const statement = composed.get(db) ?? compose(db, ...given);
    composed.set(db, statement);
    return statement;
  };
}
