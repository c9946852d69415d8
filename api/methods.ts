/** 405 with `Allow` for a known path with another method. */
import type { FastifyInstance } from 'fastify';
import { answerPreflight, isPreflight } from './cors.ts';
import { ProblemError } from './problems.ts';

/** Collects the methods of each path; call what it returns when all routes are there. */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known);
    for (const one of [method].flat()) known.add(one);
  });
  return () => {
    for (const [url, known] of [...methods]) {
      const allow = [...known].sort().join(', ');
      app.route({
        method: app.supportedMethods.filter((method) => !known.has(method)),
        url,
        config: { access: 'public' },
        schema: { hide: true },
        // Before the body is read: its type and size do not matter any more.
        onRequest: async (request, reply) => {
          if (isPreflight(request, reply)) return answerPreflight(reply, allow);
          throw new ProblemError('method_not_allowed', { headers: { allow } });
        },
        handler: async () => {},
      });
    }
  };
}
