/** Everything the benchmark runs on: the product's stack, a mail server that keeps nothing, the skeleton's worker. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credentials } from '../dev/credentials.ts';
import { ProcessRecord } from '../dev/processes.ts';
import { Stack } from '../dev/stack.ts';
import type { SkeletonSettings } from './skeleton/worker.ts';
import type { FromSink } from './smtp.ts';

export interface Parts {
  credentials: Credentials;
  skeleton: SkeletonSettings;
  /** Process ids by name. */
  pids: Record<'api' | 'worker' | 'skeleton' | 'temporal' | 'postgres', number>;
  /** Mails that the mail server has taken so far. */
  mails(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts all parts, with data of their own in a temporary folder. Parts of the user's are not touched. */
export async function startParts(say: (line: string) => void, signal: AbortSignal): Promise<Parts> {
  const path = mkdtempSync(join(tmpdir(), 'numbers-bench-'));
  const children: ChildProcess[] = [];
  const start = (file: string, env: NodeJS.ProcessEnv = {}) => {
    const child = fork(new URL(file, import.meta.url), {
      env: { ...process.env, ...env },
      // What children print must not mix with the result.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    children.push(child);
    return child;
  };
  let stack: Stack | undefined;
  async function stop(): Promise<void> {
    for (const child of children) if (child.connected) child.disconnect();
    await Promise.all(children.map(ended));
    await stack?.stop();
    rmSync(path, { recursive: true, force: true });
  }

  try {
    const sink = start('./smtp.ts');
    const { port } = (await message(sink, signal)) as Extract<FromSink, { port: number }>;
    const smtpUrl = `smtp://127.0.0.1:${port}`;
    stack = new Stack({ path, env: environment(smtpUrl), say, signal });
    const credentials = await stack.start();
    const { temporalAddress, databaseUrl } = credentials;
    const skeleton = { temporalAddress, databaseUrl, smtpUrl };
    const worker = start('./skeleton/worker.ts', { SKELETON: JSON.stringify(skeleton) });
    await message(worker, signal);
    const record = new ProcessRecord(join(path, 'pids.json'));
    const pidOf = (name: string) => record.living(name) ?? 0;
    return {
      credentials,
      skeleton,
      pids: {
        api: pidOf('api'),
        worker: pidOf('worker'),
        skeleton: worker.pid ?? 0,
        temporal: pidOf('temporal'),
        postgres: pidOf('postgres'),
      },
      async mails() {
        sink.send('count');
        return ((await message(sink, signal)) as Extract<FromSink, { taken: number }>).taken;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The user's environment without what points to parts of theirs; the product runs as in production. */
function environment(smtpUrl: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(DATABASE|TEMPORAL|WORKFLOW)_/.test(name));
  const ports = ['PORT', 'METRICS_PORT', 'TEMPORAL_PORT', 'TEMPORAL_UI_PORT', 'POSTGRES_PORT'];
  return {
    ...Object.fromEntries(own),
    ...Object.fromEntries(ports.map((name) => [name, '0'])),
    NODE_ENV: 'production',
    SMTP_URL: smtpUrl,
  };
}

async function message(child: ChildProcess, signal: AbortSignal): Promise<unknown> {
  const given = new AbortController();
  const options = { signal: AbortSignal.any([signal, given.signal]) };
  const died = once(child, 'exit', options).then(([code]) => {
    throw new Error(`A part of the benchmark ended (${code})`);
  });
  try {
    const [first] = (await Promise.race([once(child, 'message', options), died])) as [unknown];
    return first;
  } finally {
    given.abort();
    died.catch(() => {});
  }
}

/** Children end when they are disconnected; one that does not is killed. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  await Promise.race([exit, sleep(10_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
  await exit;
}
