/**
 * A million numbers over a thousand accounts, half of them of one account, as two years of business would have
 * left them: written by PostgreSQL itself, without the indexes and triggers of the migrations, which are put
 * back afterwards. Minutes, and the same rows each time but for the clock.
 */
import type { Sql, TransactionSql } from 'postgres';
import { accounts, events, numbers, people, type Seed } from './seed-rows.ts';

/** Says in the database what was seeded; another one is seeded anew. */
const MARK = 'bench:list 2';

/** Fills a migrated database. Leaves one that is seeded alone, and throws where there is anything of others. */
export async function seed(sql: Sql, plan: Seed, say: (line: string) => void): Promise<void> {
  const mark = `${MARK}: ${plan.numbers} numbers, ${plan.accounts} accounts`;
  const [found] = await sql<{ mark: string | null; used: boolean }[]>`
    select obj_description('numbers'::regclass) as mark, exists (select from organizations) as used`;
  if (found?.mark === mark) return;
  if (found?.used && !found.mark?.startsWith('bench:list ')) {
    throw new RangeError('BENCH_DATABASE_URL names a database that is in use. Name an empty one.');
  }
  say(`Seeding ${mark} …`);
  const startedAt = performance.now();
  await sql.begin(async (tx) => {
    await tx`set local synchronous_commit = off`;
    await tx`set local maintenance_work_mem = '512MB'`;
    await tx`truncate numbers, number_events, organizations, people, change_feed cascade`;
    const indexes = await dropIndexes(tx);
    await tx`alter table numbers disable trigger user`;
    for (const statement of [accounts, people, numbers, events]) await tx.unsafe(statement(plan));
    await tx`alter table numbers enable trigger user`;
    for (const { definition } of indexes) await tx.unsafe(definition);
    await tx.unsafe(`comment on table numbers is '${mark}'`);
  });
  await sql`vacuum (analyze) numbers, number_events, organizations, people`;
  say(`Seeded in ${Math.round((performance.now() - startedAt) / 1000)} s.`);
}

/** Drops what no constraint holds: a million rows are written and then sorted once for each index. */
async function dropIndexes(tx: TransactionSql) {
  const indexes = await tx<{ name: string; definition: string }[]>`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
    from pg_index i
    where indrelid in ('numbers'::regclass, 'number_events'::regclass)
      and not exists (select from pg_constraint where conindid = i.indexrelid)`;
  for (const { name } of indexes) await tx.unsafe(`drop index ${name}`);
  return indexes;
}
