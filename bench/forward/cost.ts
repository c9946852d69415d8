import { cpuSeconds } from '../cpu.ts';
import { round } from '../round.ts';

/** By process. */
export type Cpu = Record<string, number>;

/** Seconds of processes so far, by name. */
export function cpuOf(pids: Record<string, number>): Cpu {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
}

/** Milliseconds for each event since then. */
export function cpuSince(before: Cpu, pids: Record<string, number>, events: number): Cpu {
  const used = Object.entries(cpuOf(pids)).map(([name, after]): [string, number] => [
    name,
    round(((after - (before[name] ?? 0)) * 1_000) / events, 3),
  ]);
  return Object.fromEntries(used);
}
