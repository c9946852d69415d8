/** Reading JSON bodies strictly, and empty ones where nothing has to be sent. */
import type { FastifyBodyParser, FastifyInstance } from 'fastify';
import { ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every field of the body is optional, so that there need not be one. */
    emptyBody?: boolean;
    /** The handler reads the body itself. */
    streamedBody?: boolean;
  }
}

/** Parses UTF-8 JSON; an empty body is none. `__proto__` and its like are refused. */
export function readJson(app: FastifyInstance): FastifyBodyParser<Buffer> {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    const refuse = (detail: string, cause: unknown) =>
      done(new ProblemError('malformed_request', { detail, cause }));
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    } catch (error) {
      return refuse('The body is not UTF-8.', error);
    }
    parse(request, text, (error, value) => {
      if (!error) return done(null, value);
      refuse(isJson(text) ? 'Leave out `__proto__` and `constructor`.' : 'The body is not JSON.', error);
    });
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Only JSON is taken, and a body is there where one is needed. */
export function takeJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, readJson(app));
  app.addHook('preValidation', async (request) => {
    const { schema, config } = request.routeOptions;
    if (!schema?.body || request.body !== undefined || config.streamedBody) return;
    if (!config.emptyBody) throw new ProblemError('malformed_request', { detail: 'Send a JSON body.' });
    request.body = {};
  });
}
