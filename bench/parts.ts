/** Everything the benchmark runs on: the product's stack, a mail server that keeps nothing, the skeleton's worker. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credentials } from '../dev/credentials.ts';
import { ProcessRecord } from '../dev/processes.ts';
import { Stack } from '../dev/stack.ts';
import { ended, message, startChild } from './children.ts';
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
    const child = startChild(new URL(file, import.meta.url), env);
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
    const { port } = await message<Extract<FromSink, { port: number }>>(sink, signal);
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
        return (await message<Extract<FromSink, { taken: number }>>(sink, signal)).taken;
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
