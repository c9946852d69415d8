/**
 * `npm run bench`: how fast the product is, measured against a bare skeleton on the same parts in the same run.
 * JSON on stdout, progress on stderr.
 */
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { startParts } from './parts.ts';
import { productContender } from './product.ts';
import { median, type Round, round, runRound } from './round.ts';
import { skeletonContender } from './skeleton/life.ts';

const USAGE = 'npm run bench -- [--numbers 300] [--clients 64] [--rounds 3]';
/** The whole run ends by then, whatever happens. */
const DEADLINE_MS = 30 * 60_000;
const NAMES = ['product', 'skeleton'] as const;
const say = (line: string) => console.error(line);

const asked = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => asked.abort());

try {
  const result = await bench(
    readOptions(),
    AbortSignal.any([asked.signal, AbortSignal.timeout(DEADLINE_MS)]),
  );
  console.log(JSON.stringify(result, null, 2));
  process.exit(0);
} catch (error) {
  say(error instanceof RangeError ? `${error.message}\nUsage: ${USAGE}` : String((error as Error).stack));
  process.exit(1);
}

interface Options {
  /** Lifecycles in a round. */
  numbers: number;
  /** At the same time. */
  clients: number;
  /** Pairs of a round of the product and one of the skeleton. */
  rounds: number;
}

async function bench(options: Options, signal: AbortSignal) {
  const parts = await startParts(say, signal);
  const connection = await Connection.connect({ address: parts.skeleton.temporalAddress });
  const { api, worker, skeleton, temporal, postgres } = parts.pids;
  const contenders = {
    product: {
      contender: productContender(parts.credentials, options.clients),
      pids: { api, worker, temporal, postgres },
    },
    skeleton: {
      contender: await skeletonContender(parts.skeleton),
      pids: { worker: skeleton, temporal, postgres },
    },
  };
  let from = 0;
  const run = async (name: keyof typeof contenders, numbers: number): Promise<Round> => {
    const { contender, pids } = contenders[name];
    const plan = { numbers, clients: options.clients, pids, from };
    from += numbers;
    const result = await runRound(contender, plan, { parts, client: new Client({ connection }), signal });
    say(
      `${name}: ${result.lifecyclesPerSecond}/s ${JSON.stringify({ ...result, lifecyclesPerSecond: undefined })}`,
    );
    return result;
  };
  try {
    say('Warming up …');
    for (const name of NAMES) await run(name, options.clients * 2);
    const pairs: { product: Round; skeleton: Round; ratio: number }[] = [];
    for (let pair = 1; pair <= options.rounds; pair++) {
      const ran = new Map<keyof typeof contenders, Round>();
      // In turn: whoever comes second finds a larger database and a warmer machine.
      for (const name of pair % 2 === 1 ? NAMES : NAMES.toReversed()) {
        ran.set(name, await run(name, options.numbers));
      }
      const [product, skeleton] = NAMES.map((name) => ran.get(name)) as [Round, Round];
      const ratio = round(product.lifecyclesPerSecond / skeleton.lifecyclesPerSecond, 3);
      say(`Pair ${pair} of ${options.rounds}: ${ratio}`);
      pairs.push({ product, skeleton, ratio });
    }
    return {
      options,
      ratio: median(pairs.map(({ ratio }) => ratio)),
      product: summary(pairs.map(({ product }) => product)),
      skeleton: summary(pairs.map(({ skeleton }) => skeleton)),
      pairs,
    };
  } finally {
    await Promise.all(Object.values(contenders).map(({ contender }) => contender.close()));
    await connection.close();
    await parts.stop();
  }
}

/** The middle of each figure over the rounds. */
function summary(rounds: Round[]): Round {
  const of = (figure: (one: Round) => number) => round(median(rounds.map(figure)));
  return {
    lifecyclesPerSecond: of((one) => one.lifecyclesPerSecond),
    events: {
      median: of((one) => one.events.median),
      most: Math.max(...rounds.map((one) => one.events.most)),
    },
    repeated: of((one) => one.repeated),
    cpuMs: Object.fromEntries(
      Object.keys(rounds[0]?.cpuMs ?? {}).map((name) => [name, of((one) => one.cpuMs[name] ?? Number.NaN)]),
    ),
  };
}

function readOptions(): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { numbers: text, clients: text, rounds: text } });
  const read = (name: keyof typeof values, usual: number) => {
    const value = values[name] === undefined ? usual : Number(values[name]);
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`--${name} is not a positive whole number.`);
    return value;
  };
  return { numbers: read('numbers', 300), clients: read('clients', 64), rounds: read('rounds', 3) };
}
