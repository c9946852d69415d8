/** An API for a test file, on a database of its own. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { type Config, loadConfig } from '../../contract/config.ts';
import type { NumberView } from '../../contract/views.ts';
import type { Database } from '../../db/client.ts';
import { GENEROUS_LIMITS } from '../../dev/environment.ts';
import type { MailWorkflows } from '../../temporal/mail.ts';
import { type NumberWorkflows, TemporalUnavailable } from '../../temporal/numbers.ts';
import { createTestDatabase } from '../support/database.ts';
import { submission } from '../support/http.ts';
import { AUTH_SECRET } from '../support/stack.ts';

export interface TestApi {
  app: FastifyInstance;
  db: Database;
  config: Config;
  call: Call;
  close(): Promise<void>;
}

type Method = NonNullable<InjectOptions['method']>;
/** Sends a request with a key (or none); fails where the answer is not one that the OpenAPI document declares. */
export type Call = (
  key: string | null,
  method: Method,
  url: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<LightMyRequestResponse>;

const unavailable = async () => {
  throw new TemporalUnavailable('There is no Temporal in this test');
};

/** Temporal is down: submissions are taken, decisions are not. */
export const TEMPORAL_DOWN: NumberWorkflows = {
  start: unavailable,
  decide: unavailable,
  ask: unavailable,
  answer: unavailable,
  withdraw: unavailable,
  release: unavailable,
  edit: unavailable,
  refresh: unavailable,
  reachable: async () => false,
};

/** So are emails: the Schedule would send them. */
export const MAIL_DOWN: MailWorkflows = { send: unavailable };

export async function startTestApi(env: Record<string, string> = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    AUTH_SECRET,
    ...GENEROUS_LIMITS,
    ...env,
  });
  const { db } = database;
  const app = await buildApp({ db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
  const close = async () => {
    await app.close();
    await database.drop();
  };
  return { app, db, config, call: caller(app), close };
}

export function caller(app: FastifyInstance): Call {
  return async (key, method, url, body, headers = {}) => {
    const response = await app.inject({
      method,
      url,
      headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...headers },
      ...(body !== undefined && { payload: body as object }),
    });
    expectDeclared(app, method, url, response);
    return response;
  };
}

export async function submit(
  call: Call,
  key: string,
  changes: Record<string, unknown> = {},
): Promise<NumberView> {
  const response = await call(key, 'POST', '/v1/numbers', submission(changes));
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

/** The problem of an answer, with the parts that every problem has checked. */
export function problemOf(response: LightMyRequestResponse) {
  expect(response.headers['content-type']).toBe('application/problem+json');
  const problem = response.json();
  expect(problem).toMatchObject({
    type: expect.stringMatching(new RegExp(`/problems/${problem.code}$`)),
    title: expect.any(String),
    status: response.statusCode,
    detail: expect.any(String),
    instance: expect.stringMatching(/^\//),
    requestId: response.headers['x-request-id'],
    errors: expect.any(Array),
  });
  return problem as {
    code: string;
    detail: string;
    instance: string;
    errors: { pointer: string; code: string; detail: string }[];
    [member: string]: unknown;
  };
}

export interface Operation {
  path: string;
  method: Method;
  answers: string[];
  isPublic: boolean;
  /** Whether it takes an Idempotency-Key. */
  isKeyed: boolean;
}

interface Described {
  responses: Record<
    string,
    { content?: Record<string, { schema: { properties?: Record<string, { enum?: string[] }> } }> }
  >;
  security?: unknown[];
  parameters?: { name: string }[];
}

/** Every operation of the OpenAPI document. */
export function operationsOf(app: FastifyInstance): Operation[] {
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Described>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      path,
      method: method.toUpperCase() as Method,
      answers: Object.keys(described.responses),
      isPublic: described.security?.length === 0,
      isKeyed: described.parameters?.some(({ name }) => name === 'idempotency-key') ?? false,
    })),
  );
}

function expectDeclared(
  app: FastifyInstance,
  method: Method,
  url: string,
  response: LightMyRequestResponse,
): void {
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Described>> };
  const pathname = url.split('?')[0] ?? '';
  const path = Object.keys(paths).find((template) =>
    new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  const described = path && paths[path]?.[method.toLowerCase()];
  if (!described) return;
  const answer = described.responses[String(response.statusCode)];
  expect(answer, `${method} ${path} does not declare ${response.statusCode}: ${response.body}`).toBeDefined();
  const codes = answer?.content?.['application/problem+json']?.schema.properties?.['code']?.enum;
  if (codes) expect(codes).toContain(response.json().code);
}
