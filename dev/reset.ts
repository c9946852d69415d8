/** `npm run reset`: deletes all data of the stack. What was fetched (`.cache`) stays. */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endEarlierRun } from './earlier-run.ts';
import { explain, Fault } from './fault.ts';
import { lockStackFolder, stackPath, WRITTEN } from './folder.ts';
import { outsideFolder } from './postgres-home.ts';
import { ProcessRecord } from './processes.ts';

async function reset(stack: string): Promise<void> {
  if (!existsSync(join(stack, 'lock'))) {
    console.log(`There is nothing to wipe in ${stack}.`);
    return;
  }
  const lock = lockStackFolder(stack);
  if (!lock) throw new Fault(`The stack in ${stack} is running. Stop it first (Ctrl-C), then reset.`);
  try {
    await endEarlierRun(new ProcessRecord(join(stack, 'pids.json')), console.log);
    const outside = outsideFolder(stack);
    if (outside !== null) rmSync(outside, { recursive: true, force: true });
    for (const name of WRITTEN) rmSync(join(stack, name), { recursive: true, force: true });
    if (readdirSync(stack).length === 0) rmdirSync(stack);
    console.log(`Wiped ${stack}${outside === null ? '' : ` and ${outside}`}.`);
  } finally {
    lock.release();
  }
}

try {
  await reset(stackPath(process.env));
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
