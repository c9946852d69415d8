/** Log lines: never a query string, a body, a header, a key, a token or a whole phone number. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import type { Config } from '../contract/config.ts';
import { describeError } from '../db/errors.ts';

const SECRET = [
  ...['headers', 'authorization', 'cookie', 'set-cookie', 'body', 'query'],
  ...['key', 'token', 'password', 'email'],
];
/** An id of ours, as `newId` draws them. */
const ID = /^[a-z]{2,4}_[0-9a-f]{32}$/;

/** Writes to stdout unless told otherwise. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL'>, stream?: DestinationStream): Logger {
  const options: LoggerOptions = {
    name: 'api',
    level: config.LOG_LEVEL,
    // Nothing of this is logged on purpose.
    redact: SECRET.flatMap((name) => [`["${name}"]`, `*["${name}"]`]),
    serializers: {
      err: describeError,
      req: ({ method }: FastifyRequest) => ({ method }),
      res: ({ statusCode }: FastifyReply) => ({ status: statusCode }),
    },
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
    const path = loggedPath(request);
    const level = path === '/livez' || path === '/readyz' ? 'debug' : 'info';
    request.log[level](
      {
        method: request.method,
        path,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        caller: request.caller?.actor.id ?? request.session?.person.id,
      },
      'Request',
    );
  });
}

/** The route's path with ids of ours in it. What else stands for a parameter may be the token of a link. */
function loggedPath(request: FastifyRequest): string {
  const route = request.is404 ? undefined : request.routeOptions.url;
  const params = request.params as Record<string, string>;
  return (route ?? 'unknown').replace(/:(\w+)/g, (name, param) =>
    ID.test(params[param] ?? '') ? (params[param] ?? '') : name,
  );
}
