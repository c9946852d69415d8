/**
 * Run as a child process, so that it shares no event loop with what it measures: clients that each send their next
 * request when the last one is answered, or when its time has come, for some seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

export interface Load {
  origin: string;
  /** Asked for in turn. */
  paths: string[];
  headers: Record<string, string>;
  clients: number;
  seconds: number;
  /** Of each client; without it they send as fast as they are answered. */
  requestsPerSecond?: number;
}

export interface Measured {
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Answers in a second. */
  rate: number;
}

export type FromLoad = { measured: Measured } | { failed: string };

process.on('message', async (load: Load) => {
  const answer: FromLoad = await run(load).then(
    (measured) => ({ measured }),
    (error: unknown) => ({ failed: String(error) }),
  );
  process.send?.(answer);
});
// Without the benchmark there is nobody to measure for.
process.on('disconnect', () => process.exit());

async function run({ origin, paths, headers, clients, seconds, requestsPerSecond }: Load): Promise<Measured> {
  const pool = new Pool(origin, { connections: clients });
  const times: number[] = [];
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  let next = 0;
  const client = async (_: unknown, nth: number) => {
    const every = requestsPerSecond === undefined ? null : 1000 / requestsPerSecond;
    // Not all in step.
    const first = startedAt + ((every ?? 0) * nth) / clients;
    for (let sent = 0; ; sent++) {
      // An answer that is late counts from when its request was due, also where that had to wait for the one before.
      const sentAt = every === null ? performance.now() : first + sent * every;
      if (sentAt >= end) return;
      await sleepUntil(sentAt);
      const path = paths[next++ % paths.length] as string;
      const { statusCode, body } = await pool.request({ method: 'GET', path, headers });
      if (statusCode !== 200) throw new Error(`GET ${path} answered ${statusCode}: ${await body.text()}`);
      await body.dump({ limit: Number.POSITIVE_INFINITY });
      times.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const took = (performance.now() - startedAt) / 1000;
  await pool.close();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.ceil(times.length * share) - 1] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), rate: times.length / took };
}

async function sleepUntil(at: number): Promise<void> {
  const left = at - performance.now();
  if (left > 0) await sleep(left);
}
