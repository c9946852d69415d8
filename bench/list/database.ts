/** The database of the list benchmark: BENCH_DATABASE_URL, or an embedded PostgreSQL with data of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { migrateDatabase } from '../../db/migrate.ts';
import { createStackFolder, lockStackFolder, projectFolder } from '../../dev/folder.ts';
import { Part } from '../../dev/part.ts';
import { choosePorts } from '../../dev/ports.ts';
import { planPostgres } from '../../dev/postgres.ts';
import { ProcessRecord } from '../../dev/processes.ts';
import { seed } from './seed.ts';
import type { Seed } from './seed-rows.ts';

export interface BenchDatabase {
  url: string;
  stop(): Promise<void>;
}

/** Starts and seeds it. With `keep` the data stays in `.cache/bench-list` for the next run. */
export async function startDatabase(
  options: { plan: Seed; keep: boolean },
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<BenchDatabase> {
  const own = process.env['BENCH_DATABASE_URL'];
  const database = own ? { url: own, stop: async () => {} } : await startEmbedded(options.keep, say, signal);
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  try {
    await migrateDatabase({ DATABASE_URL: database.url, DATABASE_POOL: 2 });
    await seed(sql, options.plan, say);
  } catch (error) {
    await database.stop();
    throw error;
  } finally {
    await sql.end();
  }
  return database;
}

async function startEmbedded(
  keep: boolean,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<BenchDatabase> {
  const folder = keep
    ? join(projectFolder, '.cache/bench-list')
    : mkdtempSync(join(tmpdir(), 'numbers-bench-list-'));
  createStackFolder(folder);
  const lock = lockStackFolder(folder);
  if (!lock) throw new RangeError(`Another run uses ${folder}.`);
  const ports = await choosePorts({ POSTGRES_PORT: '0' }, () => {});
  const { plan, databaseUrl } = await planPostgres({ stack: folder, port: ports.POSTGRES_PORT, say, signal });
  const part = new Part(plan, { record: new ProcessRecord(join(folder, 'pids.json')), say });
  const stop = async () => {
    await part.stop();
    lock.release();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  try {
    await part.start(signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: databaseUrl, stop };
}
