/** `/control/…`: what tests, the tour and the page make the simulator do. Bodies are JSON or forms. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  changeLimit,
  changePortfolioLimit,
  changeQuality,
  decideName,
  limitSchema,
  nameSchema,
  nodeSchema,
  qualitySchema,
} from './decisions.ts';
import { failureSchema } from './failures.ts';
import { messageChanges, messageSchema, statusChanges, statusSchema } from './messages.ts';
import type { Simulation } from './simulation.ts';
import { NAME_STATUSES, type PhoneNumber, TIERS } from './state.ts';

const deliverySchema = z.object({
  lose: z.union([z.boolean(), z.stringbool()]).default(false),
  copies: z.coerce.number().int().min(1).max(10).default(1),
  reorder: z.coerce.number().int().min(1).max(1000).default(1),
  delayMs: z.coerce.number().int().min(0).max(600_000).default(0),
});
const settingsSchema = z.object({
  provisioningDelayMs: z.coerce.number().int().min(0).optional(),
  nameStatusAtStart: z.enum(NAME_STATUSES).optional(),
});
const tokenSchema = z.object({
  token: z.string().min(1),
  /** Its account; of a known token it stays. */
  wabaId: z.string().optional(),
  state: z.enum(['valid', 'expired', 'permissionless']).default('valid'),
});
const changesSchema = z.object({
  wabaId: z.string(),
  changes: z.array(z.object({ field: z.string(), value: z.unknown() })).min(1),
});
const updateSchema = z.looseObject({ event: z.string() });
const callsQuery = z.object({ method: z.string().optional(), path: z.string().default('') });
const idParams = z.object({ id: z.string() });

class NotFound extends Error {}

/** Routes that change something. A form is answered by the page, JSON by JSON. */
export function controlRoutes(app: FastifyInstance, simulation: Simulation): void {
  const { webhooks, failures, state } = simulation;
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_: unknown, body: unknown) => Object.fromEntries(new URLSearchParams(String(body))),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof z.ZodError ? 400 : error instanceof NotFound ? 404 : 500;
    const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    return reply.code(status).send({ message });
  });
  const numberOf = (request: FastifyRequest): PhoneNumber => {
    const { id } = idParams.parse(request.params);
    // Tests know the digits before they know Meta's id.
    const number = simulation.number(id) ?? state.numbers.find(({ digits }) => digits === id);
    if (!number) throw new NotFound(`There is no number ${id}.`);
    return number;
  };
  const accountOf = (wabaId: string) => {
    const account = simulation.account(wabaId);
    if (!account) throw new NotFound(`There is no account ${wabaId}.`);
    return account;
  };

  app.get('/control/state', async () => ({
    app: { id: simulation.options.appId },
    callback: webhooks.callback,
    delivery: webhooks.policy,
    failures: failures.rules,
    accounts: state.accounts.map((account) => ({
      ...account,
      tokens: Object.keys(state.tokens).filter((token) => state.tokens[token]?.wabaId === account.wabaId),
      limit: simulation.businessOf(account.wabaId).limit,
    })),
    numbers: state.numbers.map((number) => ({ ...number, limit: simulation.limitOf(number) })),
  }));
  app.get('/control/numbers/:id', async (request) => {
    const number = numberOf(request);
    return { ...number, limit: simulation.limitOf(number) };
  });
  app.get('/control/calls', async (request) => {
    const { method, path } = callsQuery.parse(request.query);
    const items = simulation.calls.filter(
      (call) => (method ?? call.method) === call.method && call.path.includes(path),
    );
    return { count: items.length, items };
  });
  app.get('/control/webhooks', async () => ({ items: webhooks.all }));

  app.delete('/control/calls', async (_request, reply) => {
    simulation.calls.length = 0;
    return reply.code(204).send();
  });
  app.delete('/control/webhooks', async (_request, reply) => {
    webhooks.clear();
    return reply.code(204).send();
  });
  app.delete('/control/failures', async (_request, reply) => {
    failures.clear();
    return reply.code(204).send();
  });

  app.put('/control/callback', async (request) => {
    const { url } = z.object({ url: z.url().nullable() }).parse(request.body);
    return webhooks.setCallback(url);
  });
  app.patch('/control/numbers/:id', async (request) => {
    const number = Object.assign(numberOf(request), nodeSchema.partial().parse(request.body));
    simulation.changed();
    return number;
  });

  const post = (path: string, act: (request: FastifyRequest) => unknown) =>
    app.post(path, async (request, reply) => answer(request, reply, await act(request)));
  post('/control/delivery', ({ body }) => {
    webhooks.policy = deliverySchema.parse(body);
    return webhooks.policy;
  });
  post('/control/settings', ({ body }) => {
    const { provisioningDelayMs, nameStatusAtStart } = settingsSchema.parse(body);
    simulation.provisioningDelayMs = provisioningDelayMs ?? simulation.provisioningDelayMs;
    simulation.nameStatusAtStart = nameStatusAtStart ?? simulation.nameStatusAtStart;
    return {
      provisioningDelayMs: simulation.provisioningDelayMs,
      nameStatusAtStart: simulation.nameStatusAtStart,
    };
  });
  post('/control/clock', ({ body }) => {
    simulation.advance(z.object({ advanceMs: z.coerce.number().int().min(0) }).parse(body).advanceMs);
    return { now: new Date(simulation.now()).toISOString() };
  });
  post('/control/failures', ({ body }) => {
    failures.add(failureSchema.parse(body));
    return { items: failures.rules };
  });
  post('/control/tokens', ({ body }) => {
    const { token, wabaId = state.tokens[token]?.wabaId ?? '', state: now } = tokenSchema.parse(body);
    state.tokens[token] = { wabaId: accountOf(wabaId).wabaId, state: now };
    simulation.changed();
    return state.tokens[token];
  });
  post('/control/handles/expire', () => {
    simulation.uploads.expire();
    return {};
  });
  post('/control/uploads/break', ({ body }) => {
    const { afterBytes } = z.object({ afterBytes: z.coerce.number().int().min(0) }).parse(body);
    simulation.uploads.breakAfter = afterBytes;
    return { afterBytes };
  });

  post('/control/numbers/:id/name', (request) => ({
    webhookId: decideName(simulation, numberOf(request), nameSchema.parse(request.body)),
  }));
  post('/control/numbers/:id/quality', (request) => ({
    webhookId: changeQuality(simulation, numberOf(request), qualitySchema.parse(request.body)),
  }));
  post('/control/numbers/:id/limit', (request) => ({
    webhookIds: changeLimit(simulation, numberOf(request), limitSchema.parse(request.body)),
  }));
  post('/control/numbers/:id/messages', (request) => {
    const number = numberOf(request);
    const { ids, changes } = messageChanges(number, messageSchema.parse(request.body), simulation.now());
    return { ids, webhookId: simulation.send(number.wabaId, changes) };
  });
  post('/control/numbers/:id/statuses', (request) => {
    const number = numberOf(request);
    const { ids, changes } = statusChanges(number, statusSchema.parse(request.body), simulation.now());
    return { ids, webhookId: simulation.send(number.wabaId, changes) };
  });
  post('/control/accounts/:id/limit', ({ params, body }) => {
    const { limit } = z.object({ limit: z.enum(TIERS) }).parse(body);
    const { wabaId } = accountOf(idParams.parse(params).id);
    return { webhookIds: changePortfolioLimit(simulation, wabaId, limit) };
  });
  // `account_update` with whatever its event carries.
  post('/control/accounts/:id/updates', ({ params, body }) => {
    const { wabaId } = accountOf(idParams.parse(params).id);
    const value = updateSchema.parse(body);
    return { webhookId: simulation.send(wabaId, [{ field: 'account_update', value }]) };
  });
  // Anything, in one webhook: unknown fields, batches of several kinds, texts of any size.
  post('/control/webhooks', ({ body }) => {
    const { wabaId, changes } = changesSchema.parse(body);
    return { webhookId: simulation.send(accountOf(wabaId).wabaId, changes) };
  });
}

function answer({ headers }: FastifyRequest, reply: FastifyReply, result: unknown): FastifyReply {
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded'))
    return reply.redirect('/', 303);
  return reply.send(result);
}
