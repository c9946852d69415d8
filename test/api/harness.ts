/** An API for a test file, on a database of its own. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { type Config, loadConfig } from '../../contract/config.ts';
import type { NumberView } from '../../contract/views.ts';
import type { Database } from '../../db/client.ts';
import { GENEROUS_LIMITS } from '../../dev/environment.ts';
import type { MailWorkflows } from '../../temporal/mail.ts';
import { createNumberWorkflows, type NumberWorkflows, TemporalUnavailable } from '../../temporal/numbers.ts';
import { createTestDatabase } from '../support/database.ts';
import { submission } from '../support/http.ts';
import { findOperation, type OpenApiDocument } from '../support/openapi.ts';
import type { TestStack } from '../support/stack.ts';
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
  enterCode: unavailable,
  hear: unavailable,
  edit: unavailable,
  resume: unavailable,
  refresh: unavailable,
  endClosed: unavailable,
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
  const app = await buildApp({
    db,
    config,
    workflows: TEMPORAL_DOWN,
    mail: MAIL_DOWN,
  });
  const close = async () => {
    await app.close();
    await database.drop();
  };
  return { app, db, config, call: caller(app), close };
}

/** Two apps on one stack, like two processes: all that they have in common is what the stack has. */
export async function startTwoApps(
  { db, config, client }: Pick<TestStack, 'db' | 'config' | 'client'>,
  mail: MailWorkflows = MAIL_DOWN,
): Promise<[FastifyInstance, FastifyInstance]> {
  const start = () =>
    buildApp({ db, config, mail, workflows: createNumberWorkflows({ client, db, config }) });
  return Promise.all([start(), start()]);
}

export function caller(app: FastifyInstance): Call {
  return async (key, method, url, body, headers = {}) => {
    const request: InjectOptions = {
      method,
      url,
      headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...headers },
      ...(body !== undefined && { payload: body as object }),
    };
    const response =
      (url.startsWith('/v1/stream') && (await begin(app, request))) || (await app.inject(request));
    expectDeclared(app, method, url, response);
    return response;
  };
}

/** The beginning of an answer that does not end by itself; null where it is a refusal. */
async function begin(app: FastifyInstance, request: InjectOptions): Promise<LightMyRequestResponse | null> {
  const response = await app.inject({ ...request, payloadAsStream: true });
  response.raw.res.destroy();
  return response.statusCode === 200 ? response : null;
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

export function documentOf(app: FastifyInstance): OpenApiDocument {
  return app.swagger() as unknown as OpenApiDocument;
}

/** Headers that tell a program what to do next: sent as declared. */
const TELLING = [
  'etag',
  'link',
  'location',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
  'www-authenticate',
  'x-request-id',
];

function expectDeclared(
  app: FastifyInstance,
  method: Method,
  url: string,
  response: LightMyRequestResponse,
): void {
  const operation = findOperation(documentOf(app), method, url.split('?')[0] ?? '');
  if (!operation) return;
  const name = `${method} ${operation.path} with ${response.statusCode}`;
  const answer = operation.answers[response.statusCode];
  expect(answer, `${name} is not declared: ${response.body}`).toBeDefined();
  if (!answer) return;
  if (answer.codes) expect(answer.codes, name).toContain(response.json().code);
  const sent = TELLING.filter((header) => response.headers[header] !== undefined);
  expect(answer.headers.may, `${name} sends`).toEqual(expect.arrayContaining(sent));
  expect(sent, `${name} does not send`).toEqual(expect.arrayContaining(answer.headers.must));
  if (answer.codes) {
    for (const { detail } of problemOf(response).errors) {
      expect(detail, `${name} tells a fault in zod's words`).not.toMatch(/^(Invalid|Too |Unrecognized)/);
    }
  }
}
