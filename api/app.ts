/** The HTTP server, ready to listen or to be tested with `inject`. */
import type { Server } from 'node:http';
import helmet from '@fastify/helmet';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { ConfigError } from '../contract/config.ts';
import { guardRoutes } from './auth.ts';
import { answerClientError, BARE_HEADERS } from './client-errors.ts';
import { type ApiDeps, createContext } from './context.ts';
import { allowOrigins } from './cors.ts';
import { serveDocs } from './docs.ts';
import { loggedProblem } from './failures.ts';
import { takeJson } from './json.ts';
import { createLimits } from './limits.ts';
import { absoluteLinks } from './links.ts';
import { logRequests, requestIdOf } from './logging.ts';
import { refuseOtherMethods } from './methods.ts';
import { createMetrics, measureRequests } from './metrics.ts';
import { describeRoutes } from './openapi.ts';
import { ProblemError, sendProblem } from './problems.ts';
import { acceptanceRoutes } from './routes/acceptance.ts';
import { accountRoutes } from './routes/account.ts';
import { accountsRoutes } from './routes/accounts.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { atFacebookRoutes } from './routes/at-facebook.ts';
import { auditRoutes } from './routes/audit.ts';
import { callbackProfileRoutes } from './routes/callback-profiles.ts';
import { categoryRoutes } from './routes/categories.ts';
import { checkRoutes } from './routes/checks.ts';
import { claimRoutes } from './routes/claims.ts';
import { commentRoutes } from './routes/comments.ts';
import { decisionLinkRoutes } from './routes/decision-links.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { differenceRoutes } from './routes/differences.ts';
import { editRoutes } from './routes/edits.ts';
import { endingRoutes } from './routes/endings.ts';
import { eventFeedRoutes } from './routes/event-feed.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { imageRoutes } from './routes/images.ts';
import { invitationRoutes } from './routes/invitations.ts';
import { linkPageRoutes } from './routes/link-pages.ts';
import { memberRoutes } from './routes/members.ts';
import { metaConnectionRoutes } from './routes/meta-connection.ts';
import { metaWebhookRoutes } from './routes/meta-webhook.ts';
import { numberRoutes } from './routes/numbers.ts';
import { oidcRoutes } from './routes/oidc.ts';
import { peopleRoutes } from './routes/people.ts';
import { personRoutes } from './routes/person.ts';
import { problemRoutes } from './routes/problems.ts';
import { replayRoutes } from './routes/replays.ts';
import { resubmissionRoutes } from './routes/resubmission.ts';
import { reviewRoutes } from './routes/reviews.ts';
import { sessionRoutes } from './routes/session.ts';
import { signUpRoutes } from './routes/sign-ups.ts';
import { streamRoutes } from './routes/stream.ts';
import { targetSecretRoutes } from './routes/target-secrets.ts';
import { targetRoutes } from './routes/targets.ts';
import { twoFactorRoutes } from './routes/two-factor.ts';
import { endConnections } from './stopping.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry;
  }
}

const BODY_LIMIT = 64 * 1024;
/** Of the request line and all headers together, in bytes. */
const HEAD_LIMIT = 16 * 1024;
const URL_LIMIT = 8 * 1024;
const HANDLER_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 20_000;

const ROUTES = [
  numberRoutes,
  checkRoutes,
  editRoutes,
  differenceRoutes,
  resubmissionRoutes,
  endingRoutes,
  atFacebookRoutes,
  eventRoutes,
  callbackProfileRoutes,
  targetRoutes,
  targetSecretRoutes,
  deliveryRoutes,
  replayRoutes,
  eventFeedRoutes,
  imageRoutes,
  reviewRoutes,
  claimRoutes,
  streamRoutes,
  decisionRoutes,
  commentRoutes,
  accountRoutes,
  memberRoutes,
  invitationRoutes,
  acceptanceRoutes,
  apiKeyRoutes,
  metaConnectionRoutes,
  accountsRoutes,
  auditRoutes,
  categoryRoutes,
  sessionRoutes,
  twoFactorRoutes,
  oidcRoutes,
  signUpRoutes,
  linkPageRoutes,
  decisionLinkRoutes,
  personRoutes,
  peopleRoutes,
  metaWebhookRoutes,
  healthRoutes,
  problemRoutes,
];

/** Builds the server; it does not get ready where a route does not say who may call it. Without a logger it is silent. */
export async function buildApp(deps: ApiDeps & { logger?: FastifyBaseLogger }): Promise<FastifyInstance> {
  const api = createContext(deps);
  const fail = (
    error: unknown,
    request: Parameters<typeof sendProblem>[1],
    reply: Parameters<typeof sendProblem>[2],
  ) => {
    const problem = loggedProblem(error, request);
    return sendProblem(problem, request, reply.header('x-request-id', request.id), api.publicUrl);
  };

  const options: FastifyHttpOptions<Server> = {
    ...(deps.logger ? { loggerInstance: deps.logger } : { logger: false }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: BODY_LIMIT,
    http: { maxHeaderSize: HEAD_LIMIT },
    handlerTimeout: HANDLER_TIMEOUT_MS,
    // Ends an upload that drips: the timeout above only answers it.
    requestTimeout: REQUEST_TIMEOUT_MS,
    trustProxy: trustProxy(deps.config.TRUST_PROXY),
    // While it stops it answers what still comes in on open connections.
    return503OnClosing: false,
    // Before routing: no hook runs for these.
    frameworkErrors: (error: FastifyError, request, reply) => {
      void fail(error, request, reply.headers(BARE_HEADERS));
      request.log.info({ method: request.method, status: reply.statusCode }, 'Request');
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, api.publicUrl, deps.logger),
    // A shorter one that is no id is unknown: a 404 like any other.
    routerOptions: { maxParamLength: URL_LIMIT },
  };
  const app = Fastify(options);
  app.setValidatorCompiler(compileValidator);
  const links = absoluteLinks(api.publicUrl);
  app.setSerializerCompiler<z.ZodType>((route) => {
    const write = serializerCompiler(route);
    return (body) => links(write(body));
  });
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request, reply) => fail(new ProblemError('not_found'), request, reply));
  app.decorate('metrics', createMetrics(deps.db));

  // First, so that refusals carry its headers too.
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'private, no-cache');
  });
  endConnections(app);
  allowOrigins(app, deps.config.CORS_ORIGINS);
  measureRequests(app, app.metrics);
  logRequests(app);
  takeJson(app);
  const limits = await createLimits(app, deps.config, app.metrics);
  app.addHook('onRequest', limits.ofAddress);
  app.addHook('onRequest', refuseBadUrls);
  guardRoutes(app, api);
  app.addHook('onRequest', limits.ofCaller);
  refuseUnknownParameters(app);
  const addOtherMethods = refuseOtherMethods(app);
  await describeRoutes(app, api);
  for (const routes of ROUTES) await app.register(routes, { api });
  await serveDocs(app);
  addOtherMethods();
  return app;
}

async function refuseBadUrls({ url }: FastifyRequest): Promise<void> {
  const detail =
    url.length > URL_LIMIT
      ? `The URL has more than ${URL_LIMIT} characters.`
      : // No text of ours has control characters in it, and PostgreSQL takes no NUL.
        /%(?:[01][0-9a-f]|7f)/i.test(url) && 'The URL has control characters in it.';
  if (detail) throw new ProblemError('malformed_request', { detail });
}

/** A route that has no query parameters refuses any, as unknown fields of a body are. */
function refuseUnknownParameters(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/') || !route.schema) return;
    route.schema.querystring ??= z.strictObject({});
  });
}

/**
 * `false`, or the addresses of proxies with commas. A number of proxies is refused: Fastify trusts none by it,
 * because whoever reaches the API directly could claim as many.
 */
function trustProxy(setting: string): false | string[] {
  if (/^\d+$/.test(setting)) throw new ConfigError('TRUST_PROXY: name the addresses of the proxies.');
  return setting === 'false' ? false : setting.split(',').map((address) => address.trim());
}
