/** The memory of the API over the run, and whether it stays flat. */
import { readFileSync } from 'node:fs';
import { median, round } from '../round.ts';

const MIB = 1024 * 1024;
const EVERY_MS = 1_000;
/** Growth that counts as flat: caches of the garbage collector come and go. */
const SHARE = 0.05;
const LEAST_MIB = 16;

export interface Memory {
  /** MiB, resident. */
  first: number;
  last: number;
  most: number;
  /** The middle of the second and of the last quarter of the samples; the first quarter is the warm-up. */
  secondQuarter: number;
  lastQuarter: number;
  /** The last quarter is at most 5 %, or 16 MiB, above the second. */
  flat: boolean;
}

/** Samples each second from now on until it is asked what came of it. */
export function watchMemory(pid: number): () => Memory {
  const samples = [residentMiB(pid)];
  const timer = setInterval(() => samples.push(residentMiB(pid)), EVERY_MS);
  return () => {
    clearInterval(timer);
    samples.push(residentMiB(pid));
    const quarter = (n: number) =>
      median(samples.slice((samples.length * n) / 4, Math.ceil((samples.length * (n + 1)) / 4)));
    const [second, last] = [quarter(1), quarter(3)];
    return {
      first: round(samples[0] ?? Number.NaN),
      last: round(samples.at(-1) ?? Number.NaN),
      most: round(Math.max(...samples)),
      secondQuarter: round(second),
      lastQuarter: round(last),
      flat: last <= Math.max(second * (1 + SHARE), second + LEAST_MIB),
    };
  };
}

/** NaN off Linux. */
function residentMiB(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const [, kib = 'NaN'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return (Number(kib) * 1024) / MIB;
}
