/** One supervised child process: started, watched, started again when it dies, stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from './fault.ts';
import type { ProcessRecord } from './processes.ts';

export type PartName =
  | 'api'
  | 'worker'
  | 'delivery'
  | 'meta'
  | 'endpoint'
  | 'inbox'
  | 'temporal'
  | 'postgres';

/**
 * How each part is asked to stop, and the seconds it gets before it is killed; together less than the 15
 * that a stop may take. SIGINT is PostgreSQL's "fast shutdown": the next start needs no recovery.
 */
export const STOP: Record<PartName, { signal: NodeJS.Signals; seconds: number }> = {
  api: { signal: 'SIGTERM', seconds: 3 },
  worker: { signal: 'SIGTERM', seconds: 4 },
  delivery: { signal: 'SIGTERM', seconds: 1 },
  meta: { signal: 'SIGTERM', seconds: 0.4 },
  endpoint: { signal: 'SIGTERM', seconds: 0.4 },
  inbox: { signal: 'SIGTERM', seconds: 0.4 },
  temporal: { signal: 'SIGTERM', seconds: 2.5 },
  postgres: { signal: 'SIGINT', seconds: 3 },
};

/** What needs another part is stopped before it. */
export const STOP_ORDER = [
  'api',
  'worker',
  'delivery',
  'meta',
  'endpoint',
  'inbox',
  'temporal',
  'postgres',
] as const satisfies PartName[];

export interface PartPlan {
  /** Key in the record of processes. */
  name: PartName;
  /** How a person calls it, at the start of a sentence: "The API". */
  title: string;
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** The user to run as, where that is not the current one. */
  user?: { uid: number; gid: number } | undefined;
  logFile: string;
  /** Seconds it gets to become ready at the first start. */
  startSeconds: number;
  /** Runs before each start. */
  prepare?: () => Promise<void>;
  /** Resolves when the part does its work. Must end when the signal is aborted. */
  ready: (signal: AbortSignal) => Promise<void>;
  /** Turns the end of a log into a sentence with a way out, where the cause is known. */
  diagnose?: (log: string) => string | undefined;
}

const MAX_LOG_BYTES = 10 * 1024 * 1024;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** A part that ran this long is healthy: its next death starts the back-off anew. */
const HEALTHY_MS = 30_000;

export class Part {
  readonly plan: PartPlan;
  readonly #record: ProcessRecord;
  readonly #say: (line: string) => void;
  readonly #stopped = new AbortController();
  #child: ChildProcess | null = null;
  #gone: Promise<string> = Promise.resolve('');
  #keeping: Promise<void> = Promise.resolve();

  constructor(plan: PartPlan, context: { record: ProcessRecord; say: (line: string) => void }) {
    this.plan = plan;
    this.#record = context.record;
    this.#say = context.say;
  }

  /** Resolves when the part is ready; from then on it is kept running. Throws a `Fault` when it is not. */
  async start(signal: AbortSignal): Promise<void> {
    const { title, logFile, startSeconds } = this.plan;
    const from = await this.#launch();
    const waiting = AbortSignal.any([signal, this.#stopped.signal, AbortSignal.timeout(startSeconds * 1000)]);
    const given = new AbortController();
    const died = this.#gone.then((how) => {
      throw new Fault(
        this.plan.diagnose?.(readLog(logFile, from)) ??
          `${title} stopped while starting (${how})${this.#lastWords(from)} Its log is ${logFile}.`,
      );
    });
    try {
      await Promise.race([this.plan.ready(AbortSignal.any([waiting, given.signal])), died]);
    } catch (error) {
      signal.throwIfAborted();
      if (!waiting.aborted || error instanceof Fault) throw error;
      throw new Fault(
        `${title} is not ready after ${startSeconds} s${this.#lastWords(from)} Its log is ${logFile}.`,
      );
    } finally {
      given.abort();
      died.catch(() => {});
    }
    this.#keeping = this.#keep(from);
  }

  /** Stops the part for good and returns when its process is gone. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const child = this.#child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const { signal, seconds } = STOP[this.plan.name];
      child.kill(signal);
      const killer = setTimeout(() => {
        this.#say(`${this.plan.title} did not stop within ${seconds} s and is killed.`);
        killGroup(child);
      }, seconds * 1000);
      await this.#gone;
      clearTimeout(killer);
    }
    await this.#keeping;
    this.#record.remove(this.plan.name);
  }

  /** Starts the part again each time it dies, until it is stopped. */
  async #keep(from: number): Promise<void> {
    const stopped = this.#stopped.signal;
    let delay = FIRST_DELAY_MS;
    let launchedAt = Date.now();
    for (;;) {
      const how = await this.#gone;
      if (stopped.aborted) return;
      if (Date.now() - launchedAt > HEALTHY_MS) delay = FIRST_DELAY_MS;
      this.#say(
        `${this.plan.title} stopped (${how})${this.#lastWords(from)} Starting it again in ${delay / 1000} s.`,
      );
      await sleep(delay, undefined, { signal: stopped }).catch(() => {});
      if (stopped.aborted) return;
      delay = Math.min(delay * 2, LONGEST_DELAY_MS);
      launchedAt = Date.now();
      try {
        from = await this.#launch();
      } catch (error) {
        this.#gone = Promise.resolve(error instanceof Error ? error.message : String(error));
        continue;
      }
      this.#sayWhenBack();
    }
  }

  #sayWhenBack(): void {
    const died = new AbortController();
    void this.#gone.then(() => died.abort());
    this.plan.ready(AbortSignal.any([died.signal, this.#stopped.signal])).then(
      () => this.#say(`${this.plan.title} is back.`),
      () => {},
    );
  }

  /** Spawns the process and returns where its part of the log begins. */
  async #launch(): Promise<number> {
    const { command, args, env, cwd, user, logFile, name } = this.plan;
    await this.plan.prepare?.();
    this.#stopped.signal.throwIfAborted();
    if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) truncateSync(logFile);
    const log = openSync(logFile, 'a', 0o600);
    try {
      const from = fstatSync(log).size;
      // Detached: a terminal's Ctrl-C must reach the supervisor only, which stops its parts in order. The
      // log is a file, not a pipe, so that a part outlives a killed supervisor until the next start ends it.
      const child = spawn(command, args, { env, cwd, ...user, detached: true, stdio: ['ignore', log, log] });
      if (child.pid !== undefined) this.#record.set(name, child.pid);
      this.#child = child;
      this.#gone = new Promise((resolve) => {
        child.once('error', (error) => resolve(error.message));
        child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
      });
      return from;
    } finally {
      closeSync(log);
    }
  }

  #lastWords(from: number): string {
    const line = lastLine(readLog(this.plan.logFile, from));
    return line === '' ? '.' : `: ${line}${/[.!?]$/.test(line) ? '' : '.'}`;
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

/** The end of what was logged since `from`, at most 64 KiB. */
function readLog(file: string, from: number): string {
  // Somebody may have tidied up.
  if (!existsSync(file)) return '';
  const log = openSync(file, 'r');
  try {
    const { size } = fstatSync(log);
    const start = Math.max(Math.min(from, size), size - 65_536);
    const buffer = Buffer.alloc(size - start);
    readSync(log, buffer, 0, buffer.length, start);
    return buffer.toString('utf8');
  } finally {
    closeSync(log);
  }
}

/** What a process said last: the head of an error with its stack, else the last line; of a JSON line, its message if it is an error's. */
function lastLine(log: string): string {
  const lines = log.split('\n');
  const line = (
    lines.findLast((text) => /^(\w*Error|Fault|panic|FATAL)\b.*: /.test(text)) ??
    lines.findLast((text) => /\w/.test(text) && !/^\s+at |^Node\.js v/.test(text)) ??
    ''
  ).trim();
  let text = line;
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: number;
      msg?: string;
      err?: { message?: string };
    };
    // The last line of a process that was killed says what it did, not why it ended.
    if (level !== undefined && level < 50) return '';
    text =
      [msg, err?.message].filter((part, index, all) => part && all.indexOf(part) === index).join(': ') ||
      line;
  } catch {
    // Not JSON: shown as it is.
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a log must not steer the terminal
  return text.replace(/\u001b\[[0-9;]*m|[\u0000-\u001f]/g, '').slice(0, 300);
}
