/** The worker's metrics and health on a port of its own: ours, and those of the Temporal SDK. */
import { createServer, type Server } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ReadBackRound } from './read-back.ts';

export interface WorkerMetrics {
  onRound(result: { ok: boolean; started: number }): void;
  /** Of a round of readings at Meta; null where it failed. */
  onReadings(round: ReadBackRound | null): void;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` (Prometheus text), `/livez` and `/readyz` (200 while the worker polls, 503 otherwise).
 * `sdkPort` is where the SDK serves its own metrics on this machine.
 */
export async function serveMetrics(options: {
  host: string;
  port: number;
  sdkPort: number;
  isReady: () => boolean;
}): Promise<WorkerMetrics> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const rounds = new Counter({
    name: 'sweeper_rounds_total',
    help: 'Rounds of the sweeper by result',
    labelNames: ['result'],
    registers: [registry],
  });
  const started = new Counter({
    name: 'sweeper_started_total',
    help: 'Workflows that the sweeper started',
    registers: [registry],
  });
  const lastSuccess = new Gauge({
    name: 'sweeper_last_success_timestamp_seconds',
    help: 'When a round of the sweeper last went well',
    registers: [registry],
  });
  const readings = new Counter({
    name: 'meta_readings_total',
    help: 'Numbers that were read at Meta, by what came of it; rounds that failed as a whole',
    labelNames: ['result'],
    registers: [registry],
  });
  const lastReadings = new Gauge({
    name: 'meta_readings_last_success_timestamp_seconds',
    help: 'When a round of readings at Meta last went through',
    registers: [registry],
  });

  const server = createServer(async (request, response) => {
    if (request.url === '/livez') return response.end('ok\n');
    if (request.url === '/readyz') {
      response.statusCode = options.isReady() ? 200 : 503;
      return response.end(options.isReady() ? 'ok\n' : 'the worker does not poll\n');
    }
    if (request.url !== '/metrics') {
      response.statusCode = 404;
      return response.end('Metrics are at /metrics\n');
    }
    response.setHeader('content-type', registry.contentType);
    return response.end((await registry.metrics()) + (await sdkMetrics(options.sdkPort)));
  });
  await listen(server, options.port, options.host);

  return {
    onRound: (result) => {
      rounds.inc({ result: result.ok ? 'ok' : 'failed' });
      started.inc(result.started);
      if (result.ok) lastSuccess.setToCurrentTime();
    },
    onReadings: (round) => {
      for (const [result, count] of Object.entries(round ?? { round_failed: 1 }))
        readings.inc({ result }, count);
      if (round) lastReadings.setToCurrentTime();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The SDK's part; a comment in place of it when it does not answer, so that the rest stays readable. */
async function sdkMetrics(port: number): Promise<string> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2000) });
    return await answer.text();
  } catch (error) {
    return `# The Temporal SDK's metrics are not available: ${String(error).split('\n')[0]}\n`;
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

/** A port that is free now, for the SDK's own server, which cannot say which one it took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await listen(server, 0, '127.0.0.1');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
