import type { Database, Transaction } from './client.ts';
import { rowMapper, type StatementInternals } from './row-mapper.ts';

/**
 * A statement that is composed once per pool instead of at each use: composing one costs more than running it. In a
 * transaction it is composed anew. What `compose` takes beside the pool must be the same at each use.
 */
export function prepared<Statement extends object, Given extends unknown[]>(
  compose: (db: Database | Transaction, ...given: Given) => Statement,
): (db: Database | Transaction, ...given: Given) => Statement {
  const composed = new WeakMap<Database | Transaction, Statement>();
  return (db, ...given) => {
    const statement = composed.get(db) ?? withMapper(compose(db, ...given));
    composed.set(db, statement);
    return statement;
  };
}

/**
 * A statement for each shape of a question, by which parts it has. There have to be few: each stays prepared on each
 * connection that has met it. `compose` gives the statement the name.
 */
export function preparedByShape<Shape, Statement extends object>(
  name: string,
  compose: (db: Database | Transaction, shape: Shape, name: string) => Statement,
): (db: Database | Transaction, shape: Shape) => Statement {
  const statements = new Map<string, (db: Database | Transaction) => Statement>();
  return (db, shape) => {
    const key = JSON.stringify(shape);
    const nth = statements.size;
    const statement = statements.get(key) ?? prepared((db) => compose(db, shape, `${name}_${nth}`));
    statements.set(key, statement);
    return statement(db);
  };
}

function withMapper<Statement extends object>(statement: Statement): Statement {
  const internals: StatementInternals = statement;
  const mapper = rowMapper(internals);
  if (mapper) internals.customResultMapper = mapper;
  return statement;
}
