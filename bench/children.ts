/** Processes of the benchmarks: starting them, hearing from them, and their end. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long one may take to end after it was asked to. */
const ENDING_MS = 12_000;

/** Runs a file that talks by messages; it ends when it is disconnected. */
export function startChild(file: URL, env: NodeJS.ProcessEnv = {}): ChildProcess {
  return fork(file, {
    env: { ...process.env, ...env },
    // What children print must not mix with the result.
    stdio: ['ignore', 2, 2, 'ipc'],
    // Also takes typed arrays.
    serialization: 'advanced',
  });
}

/** The next message. Rejects where the process ends before it, or the signal aborts. */
export async function message<T>(child: ChildProcess, signal: AbortSignal): Promise<T> {
  const given = new AbortController();
  const options = { signal: AbortSignal.any([signal, given.signal]) };
  const died = once(child, 'exit', options).then(([code]) => {
    throw new Error(`A part of the benchmark ended (${code})`);
  });
  try {
    const [first] = (await Promise.race([once(child, 'message', options), died])) as [T];
    return first;
  } finally {
    given.abort();
    died.catch(() => {});
  }
}

/** Waits for the end of a process that was asked to; one that does not is killed. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  await Promise.race([exit, sleep(ENDING_MS, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
  await exit;
}

/** BENCH_CPU_PROFILE names a folder for profiles of the API and of the process that forwards. */
export function profiling(): string[] {
  const folder = process.env['BENCH_CPU_PROFILE'];
  return folder ? ['--cpu-prof', '--cpu-prof-dir', folder] : [];
}
