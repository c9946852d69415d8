/** One list, asked of the product and of the bare handler in turns, by the same clients. */
import { isDeepStrictEqual } from 'node:util';
import { cpuSeconds } from '../cpu.ts';
import { median, round } from '../round.ts';
import type { Load, Measured } from './load.ts';
import type { Parts } from './parts.ts';
import type { Shape } from './shapes.ts';

const NAMES = ['product', 'bare'] as const;
type Name = (typeof NAMES)[number];

interface Figures extends Measured {
  /** Milliseconds of CPU of the server's process, for one answer. */
  cpuMs: number;
}

export interface Comparison {
  product: Figures;
  bare: Figures;
  /** The product's rate, of the bare handler's: the middle of the pairs. */
  ratio: number;
  /** Of the product where each client asks PACE times a second, and nobody waits for a free processor. */
  paced: Pick<Measured, 'p50' | 'p99'>;
}

/** Requests of a client in a second. */
const PACE = 5;

export function target(parts: Parts, { path, key, name }: Shape, of: Name) {
  if (of === 'bare') return { origin: parts.urls.bare, paths: [`/${encodeURIComponent(name)}`], headers: {} };
  return { origin: parts.urls.product, paths: [path], headers: { authorization: `Bearer ${key}` } };
}

/** Throws where the two do not answer the same: the comparison would say nothing. */
export async function checkAnswers(parts: Parts, shape: Shape): Promise<void> {
  const ask = async (name: Name) => {
    const { origin, paths, headers } = target(parts, shape, name);
    const response = await fetch(`${origin}${paths[0]}`, { headers });
    if (!response.ok)
      throw new Error(`GET ${paths[0]} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as { items: Record<string, unknown>[] };
  };
  const product = await ask('product');
  parts.teach({ ...shape, answer: product });
  const bare = await ask('bare');
  if (isDeepStrictEqual(product, bare)) return;
  const differing = product.items.findIndex((item, n) => !isDeepStrictEqual(item, bare.items[n]));
  const [one, other] = [product, bare].map((page) => JSON.stringify(page.items[differing] ?? page));
  throw new Error(`"${shape.name}" is answered differently:\n${one}\n${other}`);
}

export async function compare(
  parts: Parts,
  shape: Shape,
  { clients, seconds, rounds }: Pick<Load, 'clients' | 'seconds'> & { rounds: number },
): Promise<Comparison> {
  const run = async (name: Name, seconds: number): Promise<Figures> => {
    const before = cpuSeconds(parts.pids[name]);
    const measured = await parts.measure({ ...target(parts, shape, name), clients, seconds });
    const used = cpuSeconds(parts.pids[name]) - before;
    return { ...measured, cpuMs: (used * 1000) / (measured.rate * seconds) };
  };
  for (const name of NAMES) await run(name, 1);
  const pairs: Pick<Comparison, 'product' | 'bare' | 'ratio'>[] = [];
  for (let pair = 1; pair <= rounds; pair++) {
    const ran = new Map<Name, Figures>();
    // In turn: whoever comes second finds a warmer cache.
    for (const name of pair % 2 === 1 ? NAMES : NAMES.toReversed()) ran.set(name, await run(name, seconds));
    const [product, bare] = NAMES.map((name) => ran.get(name)) as [Figures, Figures];
    pairs.push({ product, bare, ratio: product.rate / bare.rate });
  }
  const middle = (of: (pair: (typeof pairs)[number]) => number, digits: number) =>
    round(median(pairs.map(of)), digits);
  const figures = (name: Name): Figures => ({
    p50: middle((pair) => pair[name].p50, 1),
    p99: middle((pair) => pair[name].p99, 1),
    rate: middle((pair) => pair[name].rate, 0),
    cpuMs: middle((pair) => pair[name].cpuMs, 2),
  });
  const paced = await parts.measure({
    ...target(parts, shape, 'product'),
    ...{ clients, seconds, requestsPerSecond: PACE },
  });
  return {
    product: figures('product'),
    bare: figures('bare'),
    ratio: middle(({ ratio }) => ratio, 2),
    paced: { p50: round(paced.p50, 1), p99: round(paced.p99, 1) },
  };
}
