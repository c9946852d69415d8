/**
 * Which processes belong to this stack. Kept on disk, because the next start must find what a killed
 * supervisor left behind, and must never end a stranger that got the same process id since.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readJson, writeSecret } from './folder.ts';

const entry = z.object({ pid: z.number().int().positive(), born: z.string() });
const recordSchema = z.record(z.string(), entry);
type Entry = z.output<typeof entry>;

/** Identifies a living process beyond its reusable id: boot and start time. Null when there is none. */
export function bornOf(pid: number): string | null {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // Field 2, the name in brackets, may hold anything; field 3 is the state, field 22 the start time.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return null;
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}/${fields[19]}`;
    } catch {
      return null;
    }
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}

export class ProcessRecord {
  readonly #file: string;
  readonly #entries: Record<string, Entry>;

  constructor(file: string) {
    this.#file = file;
    // An unreadable record is as good as none.
    this.#entries = recordSchema.catch({}).parse(readJson(file) ?? {});
  }

  set(name: string, pid: number): void {
    const born = bornOf(pid);
    if (born === null) return;
    this.#entries[name] = { pid, born };
    writeSecret(this.#file, this.#entries);
  }

  remove(name: string): void {
    delete this.#entries[name];
    writeSecret(this.#file, this.#entries);
  }

  /** The process id of a recorded process that is still alive. */
  living(name: string): number | null {
    const recorded = this.#entries[name];
    return recorded && bornOf(recorded.pid) === recorded.born ? recorded.pid : null;
  }
}

/**
 * Ends a process that is not a child: asks with `signal`, and after `seconds` kills it with its group.
 * Returns when it is gone.
 */
export async function endProcess(pid: number, signal: NodeJS.Signals, seconds: number): Promise<void> {
  const born = bornOf(pid);
  if (born === null) return;
  const send = (target: number, name: NodeJS.Signals) => {
    try {
      process.kill(target, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  send(pid, signal);
  const killAt = Date.now() + seconds * 1000;
  let killed = false;
  while (bornOf(pid) === born) {
    if (!killed && Date.now() > killAt) {
      send(-pid, 'SIGKILL');
      killed = true;
    }
    if (Date.now() > killAt + 10_000) throw new Error(`Process ${pid} does not end, not even by SIGKILL.`);
    await sleep(50);
  }
}
