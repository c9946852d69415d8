/** Prometheus metrics: requests as they are answered, and what SQL says at the moment of the scrape. */
import { createServer, type Server } from 'node:http';
import { and, count, eq, inArray, lt, min, sql } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { CONNECTION_STATES } from '../contract/facebook.ts';
import { NUMBER_STATUSES, PENDING_STATUSES, STAGES } from '../contract/number.ts';
import { within } from '../contract/within.ts';
import type { Database } from '../db/client.ts';
import { emails, metaConnections, numbers } from '../db/schema.ts';
import { unstarted } from '../db/started.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers for as long as the client listens: that is no time to measure. */
    endless?: boolean;
  }
}

const SCRAPE_DEADLINE_MS = 2_000;

/** What may be overdue: the decision of a stage, or the customer's reply to a question. */
const OVERDUE = [...STAGES, 'reply'] as const;
const stageOf = sql<(typeof OVERDUE)[number]>`case
  when ${numbers.question} is not null then 'reply'
  when ${numbers.status} = 'PENDING_VERIFICATION' then 'verification'
  else 'facebook' end`;

export function createMetrics(db: Database): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  collectFromDatabase(db, registry);
  return registry;
}

/** Measures every request by the template of its route. */
export function measureRequests(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time to answer, by route, method and status',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    if (request.routeOptions.config.endless && reply.statusCode < 300) return;
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    durations.observe({ route, method: request.method, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
}

function collectFromDatabase(db: Database, registry: Registry): void {
  /** One reading for all gauges of a scrape, and no second one while the database is slow. */
  let reading: Promise<void> | null = null;
  async function collect(): Promise<void> {
    reading ??= read().finally(() => {
      reading = null;
    });
    await within(SCRAPE_DEADLINE_MS, reading).then(
      () => up.set(1),
      () => {
        up.set(0);
        for (const stale of [byStatus, overdue, notStarted, unsent, oldest, connections]) stale.reset();
      },
    );
  }
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry], collect });
  const up = gauge('database_up', 'Whether the figures below could be read at this scrape');
  const byStatus = gauge('numbers', 'Numbers by status', ['status']);
  const overdue = gauge(
    'numbers_overdue',
    'Numbers past their due time, by stage; reply: an unanswered question',
    ['stage'],
  );
  const notStarted = gauge('numbers_unstarted', 'Live numbers whose workflow is not known to have started');
  const unsent = gauge('emails_unsent', 'Emails that are still to be sent');
  const oldest = gauge('emails_unsent_oldest_seconds', 'Age of the oldest unsent email; 0 without one');

  const connections = gauge(
    'meta_connections',
    'WhatsApp Business Accounts by state; no call is made with the token of one that is not active',
    ['state'],
  );

  async function read(): Promise<void> {
    const [statuses, late, waiting, mail, atMeta] = await Promise.all([
      db.select({ status: numbers.status, count: count() }).from(numbers).groupBy(numbers.status),
      db
        .select({ stage: stageOf, count: count() })
        .from(numbers)
        .where(and(inArray(numbers.status, [...PENDING_STATUSES]), lt(numbers.dueAt, sql`now()`)))
        .groupBy(sql`1`),
      db.select({ count: count() }).from(numbers).where(unstarted),
      db
        .select({ count: count(), since: min(emails.createdAt) })
        .from(emails)
        .where(eq(emails.state, 'unsent')),
      db
        .select({ state: metaConnections.state, count: count() })
        .from(metaConnections)
        .groupBy(metaConnections.state),
    ]);
    for (const status of NUMBER_STATUSES) {
      byStatus.set({ status }, statuses.find((row) => row.status === status)?.count ?? 0);
    }
    for (const stage of OVERDUE) {
      overdue.set({ stage }, late.find((row) => row.stage === stage)?.count ?? 0);
    }
    for (const state of CONNECTION_STATES) {
      connections.set({ state }, atMeta.find((row) => row.state === state)?.count ?? 0);
    }
    notStarted.set(waiting[0]?.count ?? 0);
    unsent.set(mail[0]?.count ?? 0);
    const since = mail[0]?.since;
    oldest.set(since ? (Date.now() - since.getTime()) / 1000 : 0);
  }
}

/** Serves `/metrics` on a port of its own. Resolves when it listens. */
export async function serveMetrics(
  registry: Registry,
  options: { host: string; port: number },
): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.url !== '/metrics') {
      response.statusCode = 404;
      return response.end('Metrics are at /metrics\n');
    }
    try {
      const text = await registry.metrics();
      response.setHeader('content-type', registry.contentType);
      response.end(text);
    } catch (error) {
      response.statusCode = 500;
      response.end(`${String(error)}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return server;
}
