/** The product's processes as an operator starts them: `node api/main.ts`, `node worker/main.ts`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { NODE_FLAGS } from '../../dev/environment.ts';
import { choosePorts, type PortName } from '../../dev/ports.ts';
import { answers, until } from '../../dev/until.ts';

export interface ProductProcess {
  /** Where the API answers; empty for a worker. */
  url: string;
  /** Where it shows its metrics. */
  metricsUrl: string;
  pid: number;
  /** What it wrote so far. */
  log(): string;
  /** SIGKILL, as by the kernel: returns when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM: returns its exit code when it is gone; kills it after 15 s. */
  stop(): Promise<number | null>;
}

const projectFolder = new URL('../..', import.meta.url);
const OTHER_PORTS: PortName[] = [
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'POSTGRES_PORT',
  'SMTP_PORT',
  'MAIL_PORT',
  'META_PORT',
  'ENDPOINT_PORT',
];
const READY_MS = 40_000;
const STOP_MS = 15_000;

export function startApi(env: Record<string, string>): Promise<ProductProcess> {
  return startProcess('api/main.ts', env, (ports) => `http://127.0.0.1:${ports.PORT}/readyz`);
}

export function startWorker(env: Record<string, string>): Promise<ProductProcess> {
  return startProcess('worker/main.ts', env, (ports) => `http://127.0.0.1:${ports.METRICS_PORT}/readyz`);
}

export function startDelivery(env: Record<string, string>): Promise<ProductProcess> {
  return startProcess('delivery/main.ts', env, (ports) => `http://127.0.0.1:${ports.METRICS_PORT}/readyz`);
}

/** A process of the product that was just spawned, ready or not. */
export function spawnProcess(main: string, env: NodeJS.ProcessEnv) {
  const flags = /^(api|delivery)\//.test(main) ? NODE_FLAGS : [];
  const child = spawn(process.execPath, [...flags, main], {
    cwd: projectFolder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const collect = (chunk: Buffer) => {
    log += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  /** Its exit code; null where a signal ended it. */
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, gone, log: () => log };
}

async function startProcess(
  main: string,
  env: Record<string, string>,
  readyz: (ports: { PORT: number; METRICS_PORT: number }) => string,
): Promise<ProductProcess> {
  const ports = await choosePorts({ PORT: '0', METRICS_PORT: '0' }, () => {}, new Set(OTHER_PORTS));
  const { child, gone, log } = spawnProcess(main, {
    HOST: '127.0.0.1',
    PORT: String(ports.PORT),
    METRICS_PORT: String(ports.METRICS_PORT),
    ...env,
  });
  const end = async (signal: NodeJS.Signals) => {
    if (isRunning(child)) child.kill(signal);
    return gone;
  };

  const dead = new AbortController();
  void gone.then((code) => dead.abort(new Error(`${main} ended with ${code}:\n${log()}`)));
  try {
    const waiting = AbortSignal.any([dead.signal, AbortSignal.timeout(READY_MS)]);
    await until(() => answers(readyz(ports)), waiting);
  } catch (error) {
    await end('SIGKILL');
    throw new Error(`${main} did not become ready:\n${log()}`, { cause: error });
  }
  return {
    url: main.startsWith('api/') ? `http://127.0.0.1:${ports.PORT}` : '',
    metricsUrl: `http://127.0.0.1:${ports.METRICS_PORT}/metrics`,
    pid: child.pid ?? 0,
    log,
    kill: async () => void (await end('SIGKILL')),
    async stop() {
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const code = await end('SIGTERM');
      clearTimeout(late);
      return code;
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
