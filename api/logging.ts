/** Log lines: never a query string, a body, a key or a whole phone number. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import type { Config } from '../contract/config.ts';
import { describeError } from '../db/errors.ts';
import { pathOf } from './problems.ts';

/** Writes to stdout unless told otherwise. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, stream?: DestinationStream): Logger {
  const options: LoggerOptions = {
    name: 'api',
    level: config.LOG_LEVEL,
    redact: ['req.headers', 'headers', 'authorization', '*.authorization', 'key'],
    serializers: { err: describeError, req: describeRequest },
  };
  return stream ? pino(options, stream) : pino(options);
}

/** A client's own id where it is a short plain token, so that both sides' logs meet. */
export function requestIdOf(request: { headers: IncomingMessage['headers'] }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

/** One line per answered request; health checks only at debug level. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const path = pathOf(request.url);
    const level = path === '/livez' || path === '/readyz' ? 'debug' : 'info';
    request.log[level](
      {
        method: request.method,
        path,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        caller: request.caller?.actor.id,
      },
      'Request',
    );
  });
}

function describeRequest(request: { method?: string; url?: string }) {
  return { method: request.method, path: pathOf(request.url ?? '') };
}
