/** Metrics and health of the process that forwards, on a port of its own. */
import { createServer } from 'node:http';
import { sql } from 'drizzle-orm';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { within } from '../contract/within.ts';
import type { Database } from '../db/client.ts';
import type { Observer } from './forwarder.ts';

/** Milliseconds. */
const COUNT_WITHIN = 5_000;
/** More are not counted: a look must not cost more than the work. */
const COUNTED = 100_000;

export interface DeliveryMetrics {
  observer: Observer;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` (Prometheus text), `/livez`, and `/readyz`: 200 while the process forwards or stands by for the one
 * that does, 503 while it can do neither.
 */
export async function serveMetrics(
  db: Database,
  options: { host: string; port: number; isReady: () => boolean; isLeading: () => boolean },
): Promise<DeliveryMetrics> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const observer = observing(registers);
  new Gauge({
    name: 'delivery_leading',
    help: 'Whether this process forwards (1) or stands by (0)',
    registers,
    collect() {
      this.set(options.isLeading() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'deliveries_due',
    help: `Deliveries that are due, ${COUNTED} at the most, also to targets that nothing is sent to now`,
    registers,
    async collect() {
      await counted(
        this,
        db,
        sql`
        select count(*)::int as value from (
          select from deliveries where state = 'pending' and next_at <= now() limit ${COUNTED}) due`,
      );
    },
  });
  new Gauge({
    name: 'delivery_targets_paused',
    help: 'Targets that are sent nothing for now: they failed too often, or asked for time',
    registers,
    async collect() {
      await counted(
        this,
        db,
        sql`
        select count(*)::int as value from targets where open_until > now() and off_at is null`,
      );
    },
  });
  new Gauge({
    name: 'delivery_jobs',
    help: 'Jobs that wait, by task',
    labelNames: ['task'],
    registers,
    collect() {
      return countedJobs(this, db, sql`attempts < max_attempts`);
    },
  });
  new Gauge({
    name: 'delivery_jobs_failed',
    help: 'Jobs that have used up their tries, by task; kept for 30 days',
    labelNames: ['task'],
    registers,
    collect() {
      return countedJobs(this, db, sql`attempts >= max_attempts`);
    },
  });

  const server = createServer(async (request, response) => {
    if (request.url === '/livez') return response.end('ok\n');
    if (request.url === '/readyz') {
      response.statusCode = options.isReady() ? 200 : 503;
      return response.end(options.isReady() ? 'ok\n' : 'the database does not answer\n');
    }
    if (request.url !== '/metrics') {
      response.statusCode = 404;
      return response.end('Metrics are at /metrics\n');
    }
    response.setHeader('content-type', registry.contentType);
    return response.end(await registry.metrics());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  return {
    observer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function observing(registers: Registry[]): Observer {
  const delivered = new Counter({
    name: 'deliveries_delivered_total',
    help: 'Deliveries that were taken',
    registers,
  });
  const failed = new Counter({
    name: 'deliveries_failed_total',
    help: 'Tries that failed, by reason',
    labelNames: ['reason'],
    registers,
  });
  const off = new Counter({
    name: 'delivery_targets_switched_off_total',
    help: 'Targets that were switched off, by reason',
    labelNames: ['reason'],
    registers,
  });
  const due = new Gauge({
    name: 'delivery_targets_due',
    help: 'Targets that something is due at and that may be sent to, at the last look',
    registers,
  });
  const oldest = new Gauge({
    name: 'delivery_oldest_due_seconds',
    help: 'How long the first delivery has been due at those targets, at the last look',
    registers,
  });
  const sick = new Gauge({
    name: 'delivery_targets_sick',
    help: 'Targets that fail or are slow, of those that were sent something lately',
    registers,
  });
  return {
    delivered: () => delivered.inc(),
    failed: (reason) => failed.inc({ reason }),
    switchedOff: (reason) => off.inc({ reason }),
    scanned: (result) => {
      due.set(result.targets);
      oldest.set(result.oldest ? Math.max(0, (Date.now() - result.oldest.getTime()) / 1_000) : 0);
      sick.set(result.sick);
    },
  };
}

async function countedJobs(gauge: Gauge<'task'>, db: Database, which: ReturnType<typeof sql>): Promise<void> {
  gauge.reset();
  await counted(
    gauge,
    db,
    sql`
    select task_identifier as task, count(*)::int as value from graphile_worker.jobs where ${which} group by 1`,
  );
}

/** Sets a gauge to what is counted; it keeps what it has where the database does not answer. */
async function counted(gauge: Gauge, db: Database, query: ReturnType<typeof sql>): Promise<void> {
  const { rows } = await within(COUNT_WITHIN, db.execute<{ value: number; task?: string }>(query)).catch(
    () => ({ rows: [] }),
  );
  for (const { value, ...labels } of rows) gauge.set(labels, value);
}
