/** The processes of the list benchmark: the product's API, the bare handler, and the clients of both. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import { NODE_FLAGS } from '../../dev/environment.ts';
import { projectFolder } from '../../dev/folder.ts';
import { choosePorts } from '../../dev/ports.ts';
import { answers, until } from '../../dev/until.ts';
import { ended, message, profiling, startChild } from '../children.ts';
import type { Answered, BareSettings } from './bare.ts';
import type { FromLoad, Load, Measured } from './load.ts';

/** Connections to PostgreSQL of each contender: the product's default. */
const CONNECTIONS = 16;
const READY_MS = 30_000;

export interface Parts {
  urls: Record<'product' | 'bare', string>;
  /** Process ids. */
  pids: Record<'product' | 'bare', number>;
  /** Gives the bare handler a route. */
  teach(route: Answered): void;
  measure(load: Load): Promise<Measured>;
  stop(): Promise<void>;
}

/** Starts them; the API as in production, with its log in a file. There is no Temporal: reading needs none. */
export async function startParts(
  options: { databaseUrl: string; log: string },
  signal: AbortSignal,
): Promise<Parts> {
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children) {
      if (child.connected) child.disconnect();
      else child.kill('SIGTERM');
    }
    await Promise.all(children.map(ended));
  };
  try {
    const ports = await choosePorts({ PORT: '0', METRICS_PORT: '0' }, () => {});
    const apiUrl = `http://127.0.0.1:${ports.PORT}`;
    const log = openSync(options.log, 'w');
    const api = spawn(process.execPath, [...NODE_FLAGS, ...profiling(), 'api/main.ts'], {
      cwd: projectFolder,
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        DATABASE_URL: options.databaseUrl,
        DATABASE_POOL: String(CONNECTIONS),
        TEMPORAL_ADDRESS: '127.0.0.1:1',
        PORT: String(ports.PORT),
        METRICS_PORT: String(ports.METRICS_PORT),
        PUBLIC_URL: apiUrl,
        AUTH_SECRET: randomBytes(32).toString('hex'),
        RATE_LIMIT_PER_MINUTE: '1000000',
        RATE_LIMIT_ADDRESS_PER_MINUTE: '1000000',
      },
      stdio: ['ignore', log, log],
    });
    children.push(api);
    const start = (file: string, env: NodeJS.ProcessEnv = {}) => {
      const child = startChild(new URL(file, import.meta.url), env);
      children.push(child);
      return child;
    };
    const settings: BareSettings = { databaseUrl: options.databaseUrl, connections: CONNECTIONS };
    const bare = start('./bare.ts', { NODE_ENV: 'production', BARE: JSON.stringify(settings) });
    const { port } = await message<{ port: number }>(bare, signal);
    const load = start('./load.ts');
    const dead = new AbortController();
    api.once('exit', () => dead.abort(new Error(`The API ended: ${readFileSync(options.log, 'utf8')}`)));
    const waiting = AbortSignal.any([signal, dead.signal, AbortSignal.timeout(READY_MS)]);
    await until(() => answers(`${apiUrl}/readyz`), waiting);
    return {
      urls: { product: apiUrl, bare: `http://127.0.0.1:${port}` },
      pids: { product: api.pid ?? 0, bare: bare.pid ?? 0 },
      teach: (route) => void bare.send(route),
      async measure(plan) {
        load.send(plan);
        const answer = await message<FromLoad>(load, signal);
        if ('failed' in answer) throw new Error(answer.failed);
        return answer.measured;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
