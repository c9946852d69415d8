/**
 * Who calls, by API key or by the session of a signed-in person, and whether this route is for them. Every route says
 * who may call it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Actor } from '../contract/number.ts';
import type { Viewer } from '../contract/views.ts';
import { findKeyHolder, type KeyHolder, type Scope, touchApiKey } from '../db/api-keys.ts';
import { rootOf } from '../db/errors.ts';
import { accountsOf } from '../db/people.ts';
import type { Tenant } from '../db/read.ts';
import { type FoundSession, findSession, touchPerson } from '../db/sessions.ts';
import { askAuth, authHeaders } from './better-auth.ts';
import { callerFromKey, callerFromSession } from './callers.ts';
import type { ApiContext } from './context.ts';
import { refuseCrossOrigin } from './cross-origin.ts';
import { ProblemError } from './problems.ts';

export type Role = 'customer' | 'support' | 'operator';
/** Who may call a route. `person`: whoever is signed in, also one without an account; not an API key. */
type Access = 'public' | 'person' | readonly Role[];

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
    /** Open to staff who have to set up two-factor authentication first. */
    beforeTwoFactor?: boolean;
  }
  interface FastifyRequest {
    /** Set on every route for roles. */
    caller: Caller | null;
    /** The session that the request came with, where it counted: a key wins over it. */
    session: FoundSession | null;
  }
}

const TOUCH_EVERY_MS = 60_000;

/** Checks each request; the server does not start with a route that has not said who may call it. */
export function guardRoutes(app: FastifyInstance, api: ApiContext): void {
  const routes: RouteOptions[] = [];
  app.decorateRequest('caller', null);
  app.decorateRequest('session', null);
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
    const { access = [], beforeTwoFactor = false } = request.routeOptions.config;
    // Without a route it is a 404, for everybody.
    if (request.is404) return;
    refuseCrossOrigin(request, api.publicUrl);
    if (access === 'public') return;
    const holder = await keyHolder(api, request);
    request.session = holder === undefined ? await session(api, request, reply) : null;
    if (!holder && !request.session) {
      reply.header('www-authenticate', 'Bearer');
      throw new ProblemError('unauthenticated');
    }
    if (request.session && !beforeTwoFactor && needsTwoFactor(api, request.session)) {
      throw new ProblemError('two_factor_needed');
    }
    touch(request, api, holder);
    if (access === 'person') {
      if (request.session) return;
      const detail = 'This call is for people who are signed in: POST /v1/session. It takes no API key.';
      throw new ProblemError('forbidden', { detail });
    }
    const caller = request.session ? callerFromSession(request.session) : holder && callerFromKey(holder);
    if (!caller) throw await ofNoAccount(api, request);
    request.caller = allowed(request, access, caller);
  });
}

/** Who calls is no staff, and the account that they act for is closed or not theirs any more. */
async function ofNoAccount({ db }: ApiContext, { session }: FastifyRequest): Promise<ProblemError> {
  const others = session ? await accountsOf(db, session.person.id) : [];
  const detail =
    others.length > 0
      ? 'You do not belong to the account that you act for any more, or it is closed. Choose one of your accounts: PATCH /v1/session.'
      : `${meansOf({ session: session !== null })} is of no open account, and no staff's. Ask an admin of an account to invite you.`;
  return new ProblemError('forbidden', { detail });
}

/** By what one calls. */
const meansOf = ({ session }: { session: boolean }) => (session ? 'Your sign-in' : 'This key');

/** The caller, where role and scopes allow this call. */
function allowed(request: FastifyRequest, access: readonly Role[], caller: Caller): Caller {
  if (!access.includes(caller.kind)) {
    const detail = `This call is for: ${access.join(', ')}. ${meansOf({ session: caller.keyId === null })} is of the role ${caller.kind}.`;
    throw new ProblemError('forbidden', { detail });
  }
  needScope(caller, scopeOf(request.routeOptions.config, request.method));
  return caller;
}

/** Refuses a caller without the scope. A route that asks it of some callers alone does so by itself. */
export function needScope(caller: Caller, needed: Scope): void {
  if (caller.scopes.includes(needed)) return;
  const has = caller.scopes.join(', ') || 'none';
  const means = meansOf({ session: caller.keyId === null });
  const detail = `This call needs the scope "${needed}". ${means} has: ${has}. ${whoCanHelp(caller)}`;
  throw new ProblemError('forbidden', { detail });
}

function whoCanHelp({ kind, keyId }: Caller): string {
  if (kind !== 'customer') return 'An operator can create a key that has it.';
  return `An admin of the account can do it, or ${keyId === null ? 'make you an admin' : 'create a key that has it'}.`;
}

/** Who holds the key that was sent: null where it is not valid, undefined where there is none. */
async function keyHolder({ db }: ApiContext, request: FastifyRequest): Promise<KeyHolder | null | undefined> {
  const { authorization } = request.headers;
  if (authorization === undefined) return undefined;
  return findKeyHolder(db, /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '');
}

/** The session of the cookie, prolonged where that is due. */
async function session(
  { auth, db }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FoundSession | null> {
  const token = auth.tokenOf(request.headers.cookie);
  const found = token === null ? null : await findSession(db, token);
  if (found && auth.isDue(found.session.expiresAt)) {
    const { cookies } = await askAuth(
      auth.api.getSession({ headers: authHeaders(auth, request), asResponse: true }),
    );
    reply.header('set-cookie', cookies);
  }
  return found;
}

/** Whether a staff person has to set up two-factor authentication before anything else. */
export function needsTwoFactor({ config }: ApiContext, { person, session }: FoundSession): boolean {
  const { STAFF_TWO_FACTOR: setting = config.NODE_ENV === 'production' ? 'required' : 'optional' } = config;
  if (setting === 'optional' || person.role === 'user') return false;
  // Who comes from the provider has shown there what it asks for.
  return !person.twoFactorEnabled && session.signedInBy === 'password';
}

/** The session of a route for people. */
export function sessionOf(request: FastifyRequest): FoundSession {
  if (!request.session) throw new Error(`${request.routeOptions.url} let in somebody without a session`);
  return request.session;
}

/** What a caller of the route must be allowed. */
export function scopeOf({ scope }: { scope?: Scope | undefined }, method: string): Scope {
  return scope ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
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

/** Notes the use of a key, and that staff are at work, without holding up the request. */
function touch(request: FastifyRequest, { db }: ApiContext, holder: KeyHolder | null | undefined): void {
  const person = holder ? holder.person : request.session?.person;
  const notes = [
    holder && isLongAgo(holder.lastUsedAt) && touchApiKey(db, holder.id),
    person && person.role !== 'user' && isLongAgo(person.lastActiveAt) && touchPerson(db, person.id),
  ];
  Promise.all(notes).catch((error) => {
    request.log.warn({ err: rootOf(error), keyId: holder?.id }, 'A use of the API was not noted');
  });
}

function isLongAgo(at: Date | null): boolean {
  return at === null || Date.now() - at.getTime() >= TOUCH_EVERY_MS;
}
