/**
 * Who may call what: every operation of the OpenAPI document × every kind of caller, by key and by session, on what is
 * their own and what is another account's. What is expected follows from the document alone. A new operation is in it
 * by itself, with the examples of its schema as its body; where those do not do, this file has to be told.
 */
import { readFileSync } from 'node:fs';
import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, type Scope } from '../../db/api-keys.ts';
import { type OpenApiDocument, type Operation, operationsOf } from '../support/openapi.ts';
import { createUser } from '../support/people.ts';
import { startSession } from '../support/session.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';
import { bodyFor, NEEDS_MORE, pathFor, type World } from './matrix-inputs.ts';

// The committed document: a test holds it to the routes.
const document: OpenApiDocument = JSON.parse(
  readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'),
);
const operations = operationsOf(document);
const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ OPEN_SIGN_UP: 'true' });
});
afterAll(() => api.close());

interface Kind {
  name: string;
  by?: 'key' | 'session';
  role?: 'customer' | 'support' | 'operator';
  /** Of a key; of a session they follow from the role. */
  scopes?: Scope[];
  as?: 'admin' | 'member';
}

const ALL: Scope[] = ['read', 'write', 'admin'];
const KINDS: Kind[] = [
  { name: 'anonymous' },
  { name: 'a customer by key', by: 'key', role: 'customer', scopes: ['read', 'write'] },
  { name: 'a customer by a key that only reads', by: 'key', role: 'customer', scopes: ['read'] },
  { name: 'a customer by a key for admins', by: 'key', role: 'customer', scopes: ALL },
  { name: 'a member by session', by: 'session', role: 'customer', as: 'member', scopes: ['read', 'write'] },
  { name: 'an admin of an account by session', by: 'session', role: 'customer', as: 'admin', scopes: ALL },
  { name: 'somebody of no account by session', by: 'session', scopes: [] },
  { name: 'support by key', by: 'key', role: 'support', scopes: ['read', 'write'] },
  { name: 'support by session', by: 'session', role: 'support', scopes: ['read', 'write'] },
  { name: 'an operator by key', by: 'key', role: 'operator', scopes: ['read', 'write'] },
  { name: 'an operator by a key for admins', by: 'key', role: 'operator', scopes: ALL },
  { name: 'an operator by session', by: 'session', role: 'operator', scopes: ALL },
];

type Verdict = 'open' | 'unauthenticated' | 'forbidden' | 'allowed';

/** What the document says of a caller. */
function verdictOf({ roles, scope }: Operation, { by, role, scopes = [] }: Kind): Verdict {
  if (roles.length === 0) return 'open';
  if (!by) return 'unauthenticated';
  if (roles.includes('person')) return by === 'session' ? 'allowed' : 'forbidden';
  const fits = role !== undefined && roles.includes(role) && scopes.includes(scope as Scope);
  return fits ? 'allowed' : 'forbidden';
}

interface Caller extends World {
  headers: Record<string, string>;
}

/** A caller of the kind, with an account that is theirs, or that staff look at. */
async function createCaller({ by, role, scopes = [], as }: Kind): Promise<Caller> {
  const { db } = api;
  const { id: accountId } = await createAccount(db);
  const world = { api, accountId, role: role ?? null, isAdmin: scopes.includes('admin') };
  if (!by) return { ...world, headers: {} };
  if (by === 'key' && role === 'customer') {
    const { key } = await createApiKey(db, { organizationId: accountId, name: 'matrix', scopes });
    return { ...world, headers: { authorization: `Bearer ${key}` } };
  }
  const staff = role === 'support' || role === 'operator' ? role : 'user';
  const { id: personId } = await createUser(db, staff, as ? { [accountId]: as } : {});
  if (by === 'session') {
    const { cookie } = await startSession(db, personId);
    return { ...world, headers: { cookie } };
  }
  const { key } = await createApiKey(db, { personId, name: 'matrix', scopes });
  return { ...world, headers: { authorization: `Bearer ${key}` } };
}

/** Calls the operation; fails where the answer is none that the document declares. */
async function send(
  caller: Caller,
  operation: Operation,
  path: string,
): Promise<LightMyRequestResponse & { code: string | null }> {
  const { body, headers } = await bodyFor(operation, document, caller);
  const sent = { ...caller.headers, ...headers };
  if (operation.answers['200']?.content['text/event-stream']) {
    const begun = await api.app.inject({ method: 'GET', url: path, headers: sent, payloadAsStream: true });
    if (begun.statusCode === 200) {
      // It would go on for ever.
      begun.stream().destroy();
      return Object.assign(begun, { code: null });
    }
  }
  const response = await api.call(null, operation.method, path, body, sent);
  return Object.assign(response, { code: response.statusCode < 400 ? null : problemOf(response).code });
}

describe.each(operations.map((one) => [nameOf(one), one] as const))('%s', (name, operation) => {
  it.each(KINDS.map((kind) => [kind.name, kind] as const))('for %s', async (_kind, kind) => {
    const caller = await createCaller(kind);
    const { statusCode, code, body, headers } = await send(
      caller,
      operation,
      await pathFor(operation, caller),
    );
    const verdict = verdictOf(operation, kind);
    if (verdict === 'unauthenticated' || verdict === 'forbidden') {
      expect([statusCode, code]).toEqual([verdict === 'forbidden' ? 403 : 401, verdict]);
      if (verdict === 'unauthenticated') expect(headers['www-authenticate']).toBe('Bearer');
      return;
    }
    if (NEEDS_MORE[operation.operationId]?.(caller)) return;
    expect(['unauthenticated', 'forbidden']).not.toContain(code);
    if (verdict === 'open') return;
    // It got past what is checked of any request, to what the operation itself says.
    expect(
      ['malformed_request', 'invalid_request', 'not_found', 'unsupported_media_type', 'too_large'],
      `Add an input for ${name} to test/api/matrix-inputs.ts; the answer was ${body}`,
    ).not.toContain(code);
  });

  if (!operation.path.includes('{') || !operation.roles.includes('customer')) return;
  const customers = KINDS.filter(
    (kind) => kind.role === 'customer' && verdictOf(operation, kind) === 'allowed',
  );

  it.each(customers.map((kind) => [kind.name, kind] as const))(
    "answers %s another account's as what does not exist",
    async (_kind, kind) => {
      const caller = await createCaller(kind);
      const other = await createCaller(kind);
      const path = await pathFor(operation, other);
      const foreign = await send(caller, operation, path);
      const unknown = await send(caller, operation, path.replace(/[0-9a-f]{8}(?=$|\/)/, 'ffffffff'));
      if (!NEEDS_MORE[operation.operationId]?.(caller)) expect(foreign.statusCode).toBe(404);
      const told = (response: LightMyRequestResponse) => {
        const { instance, requestId, ...rest } = problemOf(response);
        // A session that is used is prolonged at times, whatever is called.
        const names = Object.keys(response.headers).filter((header) => header !== 'set-cookie');
        return { rest, headers: names.sort() };
      };
      expect(told(foreign)).toEqual(told(unknown));
    },
  );
});
