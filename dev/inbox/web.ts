import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { framed, listPage, messagePage, SANDBOX } from './pages.ts';
import type { MessageStore } from './store.ts';

const pageQuery = z.object({
  start: z.coerce.number().int().min(0).catch(0),
  limit: z.coerce.number().int().min(0).max(10_000).catch(50),
});
const params = z.object({ id: z.string() });

/** Own pages: no script, nothing from elsewhere. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'";
/**
 * A message's HTML: sandboxed also when opened by itself; loads nothing, so that a sender learns nothing, and runs
 * nothing, `javascript:` links included. Its own `<base href>` does not count.
 */
const MESSAGE_POLICY = `sandbox ${SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'`;

/** Mailpit's two GET calls and a page to read by. */
export function createWeb(store: MessageStore): FastifyInstance {
  const app = Fastify();
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });

  app.get('/api/v1/messages', async (request) => {
    const { start, limit } = pageQuery.parse(request.query);
    const messages = store.list(start, limit);
    const total = store.size;
    return {
      total,
      // Reading marks nothing as read.
      unread: total,
      count: messages.length,
      messages_count: total,
      messages_unread: total,
      start,
      tags: [],
      messages,
    };
  });

  app.get('/api/v1/message/:id', async (request, reply) => {
    const message = await store.get(params.parse(request.params).id);
    return message ?? reply.code(404).send({ Error: 'message not found' });
  });

  app.get('/', async (request, reply) => {
    const { start, limit } = pageQuery.parse(request.query);
    reply.type('text/html; charset=utf-8').header('content-security-policy', PAGE_POLICY);
    return listPage(store.list(start, limit), start, limit, store.size);
  });

  app.get('/messages/:id', async (request, reply) => {
    const message = await store.get(params.parse(request.params).id);
    if (!message) return reply.code(404).type('text/plain').send('There is no such message.');
    reply.type('text/html; charset=utf-8').header('content-security-policy', PAGE_POLICY);
    return messagePage(message);
  });

  app.get('/messages/:id/html', async (request, reply) => {
    const message = await store.get(params.parse(request.params).id);
    if (!message) return reply.code(404).type('text/plain').send('There is no such message.');
    reply.type('text/html; charset=utf-8').header('content-security-policy', MESSAGE_POLICY);
    return framed(message.HTML);
  });
  return app;
}
