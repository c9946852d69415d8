/**
 * Run as a child process: what taking a webhook is measured against. Fastify's own JSON, one insert of all its events
 * into a table with a key; no signature, no repeats, no numbers, no log.
 */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import pg from 'pg';

export interface BareSettings {
  databaseUrl: string;
  connections: number;
}

interface Told {
  id: string;
}
interface Body {
  entry: { id: string; changes: { value: { messages?: Told[]; statuses?: Told[] } }[] }[];
}

const settings = JSON.parse(process.env['BARE'] ?? '') as BareSettings;
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: settings.connections });
await pool.query(
  'create table if not exists bare_events (id text primary key, waba_id text not null, content text not null)',
);
const insert = {
  name: 'insert',
  text: 'insert into bare_events (id, waba_id, content) select * from unnest($1::text[], $2::text[], $3::text[])',
};
const app = Fastify();

app.post<{ Body: Body }>('/webhooks/meta', async ({ body }, reply) => {
  const [ids, wabaIds, contents]: [string[], string[], string[]] = [[], [], []];
  for (const { id, changes } of body.entry) {
    for (const { value } of changes) {
      for (const told of [...(value.messages ?? []), ...(value.statuses ?? [])]) {
        ids.push(told.id);
        wabaIds.push(id);
        contents.push(JSON.stringify(told));
      }
    }
  }
  await pool.query({ ...insert, values: [ids, wabaIds, contents] });
  return reply.send();
});

process.on('disconnect', () => process.exit());
await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ port: (app.server.address() as AddressInfo).port });
