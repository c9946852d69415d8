import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second, whatever its clock does. */
const TICKS_PER_SECOND = 100;

interface Stat {
  parent: number;
  seconds: number;
}

/** CPU seconds of a process so far, with all its children, also those that have ended. NaN off Linux. */
export function cpuSeconds(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const all = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? read(Number(name)) : null;
    if (stat) all.set(Number(name), stat);
  }
  const total = (of: number): number =>
    [...all].reduce(
      (sum, [child, { parent }]) => (parent === of ? sum + total(child) : sum),
      all.get(of)?.seconds ?? Number.NaN,
    );
  return total(pid);
}

function read(pid: number): Stat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may hold anything. After it: state, parent, …, utime, stime, cutime, cstime.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND };
  } catch {
    // It ended meanwhile.
    return null;
  }
}
