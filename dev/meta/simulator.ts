/** The Meta simulator: the Graph API, webhooks, controls and a page, on one port of 127.0.0.1. */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { controlRoutes } from './control.ts';
import { graphRoutes } from './graph.ts';
import { pageRoutes } from './pages.ts';
import { Simulation, type SimulatorOptions } from './simulation.ts';

/** Room for a webhook of Meta's 3 MB and its escapes. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;

export interface MetaSimulator {
  /** The Graph API without a version; the page. */
  url: string;
  simulation: Simulation;
  close(): Promise<void>;
}

export async function startMetaSimulator(options: SimulatorOptions): Promise<MetaSimulator> {
  const simulation = new Simulation(options);
  const app = Fastify({ bodyLimit: MAX_CONTROL_BYTES, forceCloseConnections: true });
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get<{ Params: { name: string } }>('/pictures/:name', async ({ params }, reply) => {
    const picture = simulation.pictures.get(params.name);
    return picture ? reply.type(picture.type).send(picture.bytes) : reply.code(404).send();
  });
  await app.register(async (pages) => pageRoutes(pages, simulation));
  await app.register(async (control) => controlRoutes(control, simulation));
  await app.register(async (graph) => graphRoutes(graph, simulation));
  await app.listen({ host: '127.0.0.1', port: options.port });
  simulation.url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  if (options.callbackUrl) void simulation.webhooks.setCallback(options.callbackUrl);
  return {
    url: simulation.url,
    simulation,
    async close() {
      simulation.close();
      await app.close();
    },
  };
}
