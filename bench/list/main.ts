/**
 * `npm run bench:list`: how fast lists are on a million numbers, measured against the same SQL in a bare handler in
 * the same run. JSON on stdout, progress on stderr.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Comparison, checkAnswers, compare, target } from './compare.ts';
import { startDatabase } from './database.ts';
import { watchMemory } from './memory.ts';
import { type Parts, startParts } from './parts.ts';
import { planShapes, type Shape } from './shapes.ts';

const USAGE =
  'npm run bench:list -- [--keep] [--clients 32] [--rounds 3] [--seconds 5] [--only <part of a name>] [--minutes 0]';
const PLAN = { numbers: 1_000_000, accounts: 1_000 };
/** Of one list in the minutes. */
const TURN_SECONDS = 5;
/** Of each list. */
const AIM = { p99: 50, ratio: 0.6 };
const say = (line: string) => console.error(line);

const asked = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => asked.abort());

try {
  console.log(JSON.stringify(await bench(readOptions(), asked.signal), null, 2));
  process.exit(0);
} catch (error) {
  say(error instanceof RangeError ? `${error.message}\nUsage: ${USAGE}` : String((error as Error).stack));
  process.exit(1);
}

async function bench(options: Options, signal: AbortSignal) {
  const folder = mkdtempSync(join(tmpdir(), 'numbers-bench-list-log-'));
  const database = await startDatabase({ plan: PLAN, keep: options.keep }, say, signal);
  let parts: Parts | undefined;
  try {
    const all = await planShapes(database.url);
    const shapes = all.filter(({ name }) => name.includes(options.only));
    if (shapes.length === 0) throw new RangeError(`Lists are: ${all.map(({ name }) => name).join(', ')}.`);
    const log = join(folder, 'api.log');
    parts = await startParts({ databaseUrl: database.url, log }, signal);
    const lists: Record<string, Comparison> = {};
    for (const shape of shapes) {
      await checkAnswers(parts, shape);
      const comparison = await compare(parts, shape, options);
      say(`${shape.name}: ${JSON.stringify(comparison)}`);
      lists[shape.name] = comparison;
    }
    const memory = options.minutes > 0 ? await soak(parts, shapes, options) : null;
    const missed = Object.entries(lists)
      .filter(([, { product, ratio }]) => product.p99 >= AIM.p99 || ratio < AIM.ratio)
      .map(([name]) => name);
    return { options, ...PLAN, aim: AIM, missed, lists, memory };
  } finally {
    await parts?.stop();
    await database.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Asks the product alone for all lists in turn, for some minutes. */
async function soak(parts: Parts, shapes: Shape[], { clients, minutes }: Options) {
  say(`Asking for ${minutes} minutes …`);
  const memory = watchMemory(parts.pids.product);
  const end = Date.now() + minutes * 60_000;
  for (let turn = 0; Date.now() < end; turn++) {
    const shape = shapes[turn % shapes.length] as Shape;
    await parts.measure({ ...target(parts, shape, 'product'), clients, seconds: TURN_SECONDS });
  }
  return memory();
}

type Options = ReturnType<typeof readOptions>;

function readOptions() {
  const { values } = parseArgs({
    options: {
      keep: { type: 'boolean', default: false },
      clients: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      minutes: { type: 'string', default: '0' },
      only: { type: 'string', default: '' },
    },
  });
  const number = (name: 'clients' | 'rounds' | 'seconds' | 'minutes', least: number) => {
    const value = Number(values[name]);
    if (!(value >= least)) throw new RangeError(`--${name} must be ${least} or more.`);
    return value;
  };
  return {
    keep: values.keep,
    only: values.only,
    clients: number('clients', 1),
    rounds: number('rounds', 1),
    seconds: number('seconds', 1),
    minutes: number('minutes', 0),
  };
}
