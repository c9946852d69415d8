/** The embedded PostgreSQL: makes its data folder, starts it on 127.0.0.1 only, makes the database. */
import { spawn } from 'node:child_process';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { Fault } from './fault.ts';
import type { PartPlan } from './part.ts';
import { type PostgresHome, preparePostgresHome } from './postgres-home.ts';
import { endProcess } from './processes.ts';
import { until } from './until.ts';

const USER = 'numbers';
const DATABASE = 'numbers';

/** Plans the part and says where the database will be. Makes the data folder at the first start. */
export async function planPostgres(options: {
  stack: string;
  port: number;
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<{ plan: PartPlan; databaseUrl: string }> {
  const { stack, port, say, signal } = options;
  const home = await preparePostgresHome(stack, say);
  if (!existsSync(home.data)) {
    say('Making the data folder of PostgreSQL …');
    await makeData(home, signal);
  }
  const url = (database: string) => `postgresql://${USER}:${home.password}@127.0.0.1:${port}/${database}`;
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200' };
  return {
    databaseUrl: url(DATABASE),
    plan: {
      name: 'postgres',
      title: 'PostgreSQL',
      command: home.postgres,
      args: [
        ...['-D', home.data, '-p', String(port)],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: cleanEnvironment(),
      cwd: '/',
      user: home.user,
      logFile: join(stack, 'logs', 'postgres.log'),
      // Recovery after a crash may take its time.
      startSeconds: 120,
      prepare: () => clearWay(home.data),
      ready: (signal) => until(() => makeDatabase(url('postgres')), signal),
      diagnose: (log) =>
        /could not (create|map) shared memory|No space left on device/i.test(log)
          ? 'PostgreSQL found too little shared memory or disk space; its log says which. Make room, or set DATABASE_URL.'
          : undefined,
    },
  };
}

/** Without what would steer PostgreSQL from outside: its own variables, and a locale the system may lack. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(entries), LC_ALL: 'C' };
}

/** Runs initdb beside the final folder: an interrupted one leaves nothing that looks whole. */
async function makeData(home: PostgresHome, signal: AbortSignal): Promise<void> {
  const draft = `${home.data}.draft`;
  const passwordFile = join(dirname(home.data), 'password.draft');
  rmSync(draft, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, home.password, { mode: 0o600 });
  if (home.user) chownSync(passwordFile, home.user.uid, home.user.gid);
  const args = [
    ...[`--pgdata=${draft}`, `--username=${USER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
    // A locale that is part of PostgreSQL: the system's own, and its absence, make no difference.
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ...['--no-sync', '--no-instructions'],
  ];
  let output = '';
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(home.initdb, args, { ...home.user, cwd: '/', env: cleanEnvironment(), signal });
      const collect = (chunk: Buffer) => {
        output = (output + chunk).slice(-4096);
      };
      child.stdout.on('data', collect);
      child.stderr.on('data', collect);
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) {
      throw new Fault(
        `PostgreSQL could not make its data folder ${home.data}: ${output.trim().split('\n').at(-1)}`,
      );
    }
    renameSync(draft, home.data);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * Ends a PostgreSQL that still runs on this data and removes a lock file without one. PostgreSQL itself
 * would refuse to start when any process has the id in that file, also one that came later.
 */
async function clearWay(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (runsOn(pid, data)) await endProcess(pid, 'SIGINT', 10);
  rmSync(file, { force: true });
}

function runsOn(pid: number, data: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data);
  } catch {
    return false;
  }
}

/** Makes the database if it is not there. Fails while the server does not take connections. */
async function makeDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  // A connection that is lost also fails the query that waits for it.
  client.on('error', () => {});
  try {
    await client.connect();
    const found = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}
