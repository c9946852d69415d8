/**
 * Calls from pages of other sites: off, but for the origins of CORS_ORIGINS. Those send a key; a session's cookie is
 * never taken from them. Done here, because @fastify/cors answers preflights of unknown paths, too, and takes all
 * paths for its own, so that none would be left to be answered with 405.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const TAKEN = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'X-Request-Id',
];
const SHOWN = [
  'Allow',
  'ETag',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];
/** How long a browser may remember the answer to a preflight. */
const PREFLIGHT_SECONDS = 600;

/** Registered before whatever may refuse a request: a refusal has to be readable, too. */
export function allowOrigins(app: FastifyInstance, origins: string[] = []): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    if (!request.url.startsWith('/v1/')) return;
    reply.header('vary', 'Origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.includes(origin)) return;
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', SHOWN.join(', '));
  });
}

/** Whether a browser asks, for a page of an allowed origin, what it may send. */
export function isPreflight(request: FastifyRequest, reply: FastifyReply): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers['access-control-request-method'] !== undefined &&
    reply.hasHeader('access-control-allow-origin')
  );
}

/** Tells the methods of the path. */
export function answerPreflight(reply: FastifyReply, methods: string): FastifyReply {
  return reply
    .code(204)
    .header('access-control-allow-methods', methods)
    .header('access-control-allow-headers', TAKEN.join(', '))
    .header('access-control-max-age', String(PREFLIGHT_SECONDS))
    .send();
}
