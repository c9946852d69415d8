/** What of a migration, as drizzle-kit writes it, is done at once and what beside those who read and write. */

export interface Steps {
  /** In one transaction. */
  changes: string[];
  /** Afterwards, each by itself and so that it can be repeated. */
  indexes: { name: string; statement: string }[];
}

const CREATED_TABLE = /^create table "(\w+)"/i;
const CREATED_INDEX = /^create (unique )?index "(\w+)" on "(\w+)"/i;
const DROPPED_INDEX = /^drop index "(\w+)"/i;

/** Splits a migration. The indexes of its own new tables are made with them: nobody waits for these. */
export function stepsOf(statements: string[]): Steps {
  const steps: Steps = { changes: [], indexes: [] };
  const created = new Set<string>();
  for (const statement of statements) {
    const text = statement.replace(/^\s*--(?!>).*$/gm, '').trim();
    const table = CREATED_TABLE.exec(text)?.[1];
    if (table !== undefined) created.add(table);
    const [, unique = '', index = '', of = ''] = CREATED_INDEX.exec(text) ?? [];
    const dropped = DROPPED_INDEX.exec(text)?.[1];
    if (dropped !== undefined) {
      steps.indexes.push({ name: dropped, statement: `drop index concurrently if exists "${dropped}"` });
    } else if (index !== '' && !created.has(of)) {
      const rest = text.slice(text.toLowerCase().indexOf(' on "'));
      steps.indexes.push({
        name: index,
        statement: `create ${unique}index concurrently if not exists "${index}"${rest}`,
      });
    } else {
      steps.changes.push(statement);
    }
  }
  return steps;
}
