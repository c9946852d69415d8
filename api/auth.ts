/** Who calls, by API key, and whether this route is for them. Every route says who may call it. */
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Actor } from '../contract/number.ts';
import type { Viewer } from '../contract/views.ts';
import { findKeyHolder, type KeyHolder, type Scope, touchApiKey } from '../db/api-keys.ts';
import type { Database } from '../db/client.ts';
import { rootOf } from '../db/errors.ts';
import type { Tenant } from '../db/read.ts';
import { ProblemError } from './problems.ts';

export type Role = 'customer' | 'support' | 'operator';
/** Who may call a route. */
type Access = 'public' | readonly Role[];

interface AnyCaller {
  actor: Actor;
  /** What may be done: `admin` manages keys, members and accounts. */
  scopes: Scope[];
  /** The key that was sent; null for a session. */
  keyId: string | null;
}
export type Customer = AnyCaller & {
  kind: 'customer';
  accountId: string;
  /** Null for a key of the account. */
  personId: string | null;
};
export type Staff = AnyCaller & { kind: 'support' | 'operator'; personId: string };
export type Caller = Customer | Staff;

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** What the caller must be allowed; by default `read` for GET and HEAD, and `write` for the rest. */
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    caller: Caller | null;
  }
}

const TOUCH_EVERY_MS = 60_000;

/** Checks each request; the server does not start with a route that has not said who may call it. */
export function guardRoutes(app: FastifyInstance, db: Database): void {
  const routes: RouteOptions[] = [];
  app.decorateRequest('caller', null);
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  // Judged last: some routes come from plugins, and are told by a hook of ours who may call them.
  app.addHook('onReady', async () => {
    const open = routes.filter((route) => route.config?.access === undefined);
    if (open.length > 0) {
      throw new Error(`Routes without config.access: ${open.map((r) => `${r.method} ${r.url}`).join(', ')}`);
    }
  });
  app.addHook('onRequest', async (request, reply) => {
    const { access = [], scope } = request.routeOptions.config;
    // Without a route it is a 404, for everybody.
    if (access === 'public' || request.is404) return;
    const holder = await findKeyHolder(db, bearerOf(request) ?? '');
    if (!holder) {
      reply.header('www-authenticate', 'Bearer');
      throw new ProblemError('unauthenticated');
    }
    touch(request, db, holder);
    const caller = callerFrom(holder);
    const needed = scope ?? (request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write');
    if (!caller || !access.includes(caller.kind)) {
      const whose = caller ? `This key is of the role ${caller.kind}.` : 'This key has no role any more.';
      throw new ProblemError('forbidden', { detail: `This call is for: ${access.join(', ')}. ${whose}` });
    }
    if (!caller.scopes.includes(needed)) {
      const detail = `This call needs a key with the scope "${needed}"; this one has: ${caller.scopes.join(', ') || 'none'}.`;
      throw new ProblemError('forbidden', { detail });
    }
    request.caller = caller;
  });
}

export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error(`${request.routeOptions.url} is public: it has no caller`);
  return request.caller;
}

/** The caller of a route that only customers may call. */
export function customerOf(request: FastifyRequest): Customer {
  const caller = callerOf(request);
  if (caller.kind !== 'customer') throw new Error(`${request.routeOptions.url} let in a ${caller.kind}`);
  return caller;
}

/** The caller of a route that only staff may call. */
export function staffOf(request: FastifyRequest): Staff {
  const caller = callerOf(request);
  if (caller.kind === 'customer') throw new Error(`${request.routeOptions.url} let in a customer`);
  return caller;
}

export function viewerOf(caller: Caller): Viewer {
  return caller.kind === 'customer' ? 'customer' : 'staff';
}

/** Whose numbers the caller may see. */
export function tenantOf(caller: Caller): Tenant {
  return caller.kind === 'customer' ? caller.accountId : null;
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

function callerFrom(holder: KeyHolder): Caller | null {
  const { organizationId, person, scopes } = holder;
  if (organizationId !== null) {
    return {
      kind: 'customer',
      accountId: organizationId,
      personId: null,
      keyId: holder.id,
      actor: { type: 'customer', id: holder.id },
      scopes,
    };
  }
  // A key of a person is for staff: members of an account use the account's keys.
  if (!person || person.role === 'user') return null;
  const { id, name, role } = person;
  return { kind: role, personId: id, keyId: holder.id, actor: { type: role, id, name }, scopes };
}

/** Notes the use of a key without holding up the request. */
function touch(request: FastifyRequest, db: Database, holder: KeyHolder): void {
  if (holder.lastUsedAt !== null && Date.now() - holder.lastUsedAt.getTime() < TOUCH_EVERY_MS) return;
  touchApiKey(db, holder.id).catch((error) => {
    request.log.warn({ err: rootOf(error), keyId: holder.id }, 'The use of an API key was not noted');
  });
}
