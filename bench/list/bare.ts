/**
 * Run as a child process: what the product is measured against. It runs the statements that it is told, through
 * postgres.js, and answers what the product answers: no callers, no checks, no log, nothing else.
 */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import postgres from 'postgres';
import { rfc3339 } from '../../db/time.ts';
import { bareNumberPage, bareReviewPage, type Row } from './bare-views.ts';

export interface Statement {
  text: string;
  values: unknown[];
}

export interface BareSettings {
  databaseUrl: string;
  connections: number;
}

/** What GET `/<name>` runs and answers. */
export interface BareRoute {
  name: string;
  kind: 'numbers' | 'reviews';
  staff: boolean;
  /** The first one reads what is listed. */
  statements: Statement[];
}

/** What the product has answered to it: a review's warnings and such are taken from there, ready-made. */
export interface Answered extends BareRoute {
  answer: { items: Record<string, unknown>[] };
}

const settings = JSON.parse(process.env['BARE'] ?? '') as BareSettings;
/** Times stay text, as in the product. */
const timestamptz = { to: 1184, from: [1184], serialize: String, parse: rfc3339 };
const sql = postgres(settings.databaseUrl, { max: settings.connections, types: { timestamptz } });
const routes = new Map<string, Answered>();
const app = Fastify();

app.get<{ Params: { name: string } }>('/:name', async (request, reply) => {
  const route = routes.get(request.params.name);
  if (!route) return reply.code(404).send();
  const read: Row[][] = [];
  for (const { text, values } of route.statements) {
    read.push(await sql.unsafe<Row[]>(text, values as never[], { prepare: true }));
  }
  const [rows = []] = read;
  const page =
    route.kind === 'numbers' ? bareNumberPage(rows, route.staff) : bareReviewPage(rows, route.answer.items);
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(page));
});

process.on('message', (route: Answered) => routes.set(route.name, route));
process.on('disconnect', () => process.exit());
await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ port: (app.server.address() as AddressInfo).port });
