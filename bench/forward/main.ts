/**
 * `npm run bench:forward`: what Meta tells is taken and forwarded, with sick targets among the healthy, measured against
 * bare parts in the same run. JSON on stdout, progress and a table on stderr.
 */
import { parseArgs } from 'node:util';
import { faultsOf } from './check.ts';
import { startParts } from './parts.ts';
import { type Options, planPhases } from './plan.ts';
import { type Result, resultOf } from './result.ts';
import { runPhases } from './run.ts';
import { tableOf } from './table.ts';
import { EVENTS_PER_REQUEST } from './traffic.ts';

const USAGE = 'npm run bench:forward -- [--events 200000] [--rate 200] [--quick] [--kill]';
const USUAL = { events: 200_000, rate: 200 };
/** A few seconds; with kills as many as all need to come back. */
const QUICK = { events: 1_000, rate: 100 };
const QUICK_KILL = { events: 2_500, rate: 25 };
/** The whole run ends by then, whatever happens. */
const DEADLINE_MS = 60 * 60_000;
const say = (line: string) => console.error(line);

const asked = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => asked.abort());

try {
  const options = readOptions();
  const result = await bench(options, AbortSignal.any([asked.signal, AbortSignal.timeout(DEADLINE_MS)]));
  say(tableOf(result));
  console.log(JSON.stringify({ options, ...result }, null, 2));
  process.exit(faultsOf(result.checked, options).length > 0 ? 1 : 0);
} catch (error) {
  say(error instanceof RangeError ? `${error.message}\nUsage: ${USAGE}` : String((error as Error).stack));
  process.exit(1);
}

async function bench(options: Options, signal: AbortSignal): Promise<Result> {
  const phases = planPhases(options);
  const parts = await startParts(phases, say, signal);
  try {
    return resultOf(await runPhases(parts, phases, { ...options, say, signal }));
  } finally {
    await parts.stop();
  }
}

function readOptions(): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ options: { events: text, rate: text, quick: flag, kill: flag } });
  const usual = values.quick ? (values.kill ? QUICK_KILL : QUICK) : USUAL;
  const read = (name: 'events' | 'rate') => {
    const value = values[name] === undefined ? usual[name] : Number(values[name]);
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`--${name} is not a positive whole number.`);
    return value;
  };
  const events = Math.ceil(read('events') / EVENTS_PER_REQUEST) * EVENTS_PER_REQUEST;
  return { events, rate: read('rate'), kill: values.kill };
}
