/**
 * The processes of the benchmark: PostgreSQL, the API and the process that forwards as in production, the bare parts,
 * who sends and who receives. Data of their own in a temporary folder.
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrateDatabase } from '../../db/migrate.ts';
import { NODE_FLAGS } from '../../dev/environment.ts';
import { createStackFolder, projectFolder } from '../../dev/folder.ts';
import { Part, type PartPlan } from '../../dev/part.ts';
import { choosePorts, type PortName } from '../../dev/ports.ts';
import { planPostgres } from '../../dev/postgres.ts';
import { ProcessRecord } from '../../dev/processes.ts';
import { answers, until } from '../../dev/until.ts';
import { ended, message, profiling, startChild } from '../children.ts';
import type { BareSettings } from './bare.ts';
import type { FromLoad, Load, Sent } from './load.ts';
import type { FromQueue, Queue } from './queue.ts';
import { type Seeded, seed } from './seed.ts';
import type { Arrivals, FromTargets, ToTargets } from './targets.ts';
import type { Phase } from './traffic.ts';

/** Connections to PostgreSQL of each process: the product's default. */
const CONNECTIONS = 16;
const APP_SECRET = 'bench';
/** Of a stack, and none of the benchmark's. */
const NOT_STARTED: ReadonlySet<PortName> = new Set([
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'SMTP_PORT',
  'MAIL_PORT',
  'META_PORT',
  'ENDPOINT_PORT',
]);
/** How long a part may take to come back. */
const BACK_MS = 60_000;
/** What can be killed, and comes again. */
export const PRODUCT = ['api', 'delivery', 'postgres'] as const;
type ProductPart = (typeof PRODUCT)[number];

export interface Parts {
  seeded: Seeded;
  databaseUrl: string;
  /** Process ids by name, as they are now. */
  pids(): Record<ProductPart | 'load' | 'targets', number>;
  send(plan: Omit<Load, 'appSecret' | 'origin'>): Promise<Sent>;
  /** Events that healthy targets have. */
  delivered(): Promise<number>;
  arrivals(): Promise<Arrivals>;
  /** Ends it at once, with SIGKILL. Returns when it has been started again and is ready. */
  kill(part: ProductPart): Promise<void>;
  startForwarding(): Promise<void>;
  stopForwarding(): Promise<void>;
  /** Sends the same to the bare handler. Seconds of CPU are measured by its process id. */
  bare(): Promise<{ pid: number; send(plan: Omit<Load, 'appSecret' | 'origin'>): Promise<Sent> }>;
  /** Jobs a second of a bare queue. */
  queue(jobs: number): Promise<number>;
  stop(): Promise<void>;
}

export async function startParts(
  phases: Phase[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Parts> {
  const folder = mkdtempSync(join(tmpdir(), 'numbers-bench-forward-'));
  createStackFolder(folder);
  const record = new ProcessRecord(join(folder, 'pids.json'));
  const parts = new Map<string, Part>();
  const children: ChildProcess[] = [];
  const start = (file: string, env: NodeJS.ProcessEnv = {}) => {
    const told = { NODE_ENV: 'production', PHASES: JSON.stringify(phases), ...env };
    const child = startChild(new URL(file, import.meta.url), told);
    children.push(child);
    return child;
  };
  const keep = async (name: string, plan: PartPlan) => {
    const part = new Part(plan, { record, say });
    parts.set(name, part);
    await part.start(signal);
  };
  const stop = async () => {
    for (const child of children) if (child.connected) child.disconnect();
    await Promise.all(children.map(ended));
    // PostgreSQL was the first.
    for (const part of [...parts.values()].toReversed()) await part.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ports = await choosePorts({ PORT: '0', METRICS_PORT: '0', POSTGRES_PORT: '0' }, say, NOT_STARTED);
    const { plan: postgres, databaseUrl } = await planPostgres({
      stack: folder,
      port: ports.POSTGRES_PORT,
      say,
      signal,
    });
    postgres.args.push(...statistics());
    await keep('postgres', postgres);
    await migrateDatabase({ DATABASE_URL: databaseUrl, DATABASE_POOL: 2 });

    const receiver = start('./targets.ts');
    const { port } = await message<Extract<FromTargets, { port: number }>>(receiver, signal);
    const authSecret = randomBytes(32).toString('hex');
    const urlOf = (target: number) => `http://127.0.0.1:${port}/${target}`;
    const seeded = await seed(databaseUrl, authSecret, urlOf);
    const told: ToTargets = { secrets: seeded.targets.map(({ secret }) => secret) };
    receiver.send(told);

    const apiUrl = `http://127.0.0.1:${ports.PORT}`;
    const environment = {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      DATABASE_POOL: String(CONNECTIONS),
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      AUTH_SECRET: authSecret,
      META_APP_SECRETS: APP_SECRET,
      META_VERIFY_TOKEN: 'bench',
      SHUTDOWN_GRACE_SECONDS: '0.5',
    };
    const plan = (
      file: string,
      name: 'api' | 'delivery',
      title: string,
      flags: string[] = [],
    ): Omit<PartPlan, 'env' | 'ready'> => ({
      ...{ name, title, command: process.execPath, cwd: projectFolder, startSeconds: 30 },
      args: [...flags, ...profiling(), file],
      logFile: join(folder, 'logs', `${name}.log`),
    });
    await keep('api', {
      ...plan('api/main.ts', 'api', 'The API', NODE_FLAGS),
      env: {
        ...environment,
        ...{ NODE_ENV: 'production', PUBLIC_URL: apiUrl },
        ...{ PORT: String(ports.PORT), METRICS_PORT: String(ports.METRICS_PORT) },
      },
      ready: (waiting) => until(() => answers(`${apiUrl}/readyz`), waiting),
    });
    const forwarding = async () => {
      const health = `http://127.0.0.1:${ports.DELIVERY_METRICS_PORT}/readyz`;
      await keep('delivery', {
        ...plan('delivery/main.ts', 'delivery', 'The process that forwards', NODE_FLAGS),
        // Only a development stack may call this machine.
        env: {
          ...{ ...environment, NODE_ENV: 'development', SAMPLE_ENDPOINT: `127.0.0.1:${port}` },
          METRICS_PORT: String(ports.DELIVERY_METRICS_PORT),
        },
        ready: (waiting) => until(() => answers(health), waiting),
      });
    };
    await forwarding();
    const load = start('./load.ts');
    const pidOf = (name: string) => record.living(name) ?? 0;

    const sendTo = async (origin: string, asked: Omit<Load, 'appSecret' | 'origin'>) => {
      const whole: Load = { ...asked, origin, appSecret: APP_SECRET };
      load.send(whole);
      const answer = await message<FromLoad>(load, signal);
      if ('failed' in answer) throw new Error(answer.failed);
      return answer.sent;
    };
    const ask = async <T extends FromTargets>(question: ToTargets) => {
      receiver.send(question);
      return message<T>(receiver, signal);
    };
    const bareDatabase = async () => {
      const url = new URL(databaseUrl);
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      await client.query('create database bare').catch(() => {});
      await client.end();
      url.pathname = '/bare';
      return url.href;
    };
    return {
      seeded,
      databaseUrl,
      pids: () => ({
        api: pidOf('api'),
        delivery: pidOf('delivery'),
        postgres: pidOf('postgres'),
        load: load.pid ?? 0,
        targets: receiver.pid ?? 0,
      }),
      send: (asked) => sendTo(apiUrl, asked),
      delivered: async () => (await ask<Extract<FromTargets, { delivered: number }>>('count')).delivered,
      arrivals: async () => (await ask<Extract<FromTargets, { arrivals: Arrivals }>>('arrivals')).arrivals,
      async kill(name) {
        const killed = pidOf(name);
        process.kill(killed, 'SIGKILL');
        const waiting = AbortSignal.any([signal, AbortSignal.timeout(BACK_MS)]);
        const launched = async () => {
          if ([0, killed].includes(pidOf(name))) throw new Error(`${name} is not back`);
        };
        await until(launched, waiting);
        await parts.get(name)?.plan.ready(waiting);
      },
      startForwarding: forwarding,
      stopForwarding: async () => parts.get('delivery')?.stop(),
      async bare() {
        const settings: BareSettings = { databaseUrl: await bareDatabase(), connections: CONNECTIONS };
        const child = start('./bare.ts', { BARE: JSON.stringify(settings) });
        const { port } = await message<{ port: number }>(child, signal);
        return { pid: child.pid ?? 0, send: (asked) => sendTo(`http://127.0.0.1:${port}`, asked) };
      },
      async queue(jobs) {
        const child = start('./queue.ts');
        const asked: Queue = {
          ...{ databaseUrl: await bareDatabase(), connections: CONNECTIONS },
          ...{ jobs, concurrency: CONNECTIONS },
        };
        child.send(asked);
        const answer = await message<FromQueue>(child, signal);
        if ('failed' in answer) throw new Error(answer.failed);
        return answer.jobsPerSecond;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** BENCH_POSTGRES: further settings of PostgreSQL, as `name=value`, with spaces between them. */
function statistics(): string[] {
  return (process.env['BENCH_POSTGRES'] ?? '')
    .split(' ')
    .filter(Boolean)
    .flatMap((setting) => ['-c', setting]);
}
