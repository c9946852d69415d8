import { STOP, STOP_ORDER } from './part.ts';
import { endProcess, type ProcessRecord } from './processes.ts';

/** Ends what a supervisor that was killed left running. Only for the holder of the folder's lock. */
export async function endEarlierRun(record: ProcessRecord, say: (line: string) => void): Promise<void> {
  const left = STOP_ORDER.filter((name) => record.living(name) !== null);
  if (left.length > 0) say(`An earlier run was cut off; ending what it left behind (${left.join(', ')}) …`);
  for (const name of left) {
    const pid = record.living(name);
    if (pid !== null) await endProcess(pid, STOP[name].signal, STOP[name].seconds);
    record.remove(name);
  }
}
