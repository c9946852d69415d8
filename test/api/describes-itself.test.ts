/** What the API says of itself: the reference's page, problem pages, health, metrics, logs. */

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { createLogger } from '../../api/logging.ts';
import { serveMetrics } from '../../api/metrics.ts';
import { PROBLEMS } from '../../contract/errors.ts';
import { submission } from '../support/http.ts';
import { createAccount } from '../support/stack.ts';
import { caller, MAIL_DOWN, startTestApi, submit, TEMPORAL_DOWN, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;

beforeAll(async () => {
  api = await startTestApi({ PUBLIC_URL: 'https://numbers.example/' });
  ({ key } = await createAccount(api.db));
});
afterAll(() => api.close());

describe('the docs', () => {
  it('are served by this server alone, under a policy of their own', async () => {
    expect((await api.call(null, 'GET', '/docs')).headers['location']).toBe('/docs/');
    const page = await api.call(null, 'GET', '/docs/');
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    const policy = String(page.headers['content-security-policy']);
    const inline = /<script type="text\/javascript">([\s\S]*?)<\/script>/.exec(page.body)?.[1] ?? '';
    expect(inline).toContain('openapi.json');
    expect(policy).toContain(`'sha256-${createHash('sha256').update(inline).digest('base64')}'`);
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toContain('unsafe-eval');
    const script = await api.call(null, 'GET', '/docs/js/scalar.js');
    expect(script.headers['content-type']).toContain('javascript');
    expect(script.body.length).toBeGreaterThan(100_000);
  });
});

describe('the address that the stack prints', () => {
  it('leads to the docs, also where a proxy puts it under a path', async () => {
    const root = await api.call(null, 'GET', '/');
    expect(root.statusCode).toBe(302);
    const location = String(root.headers['location']);
    expect(new URL(location, 'https://numbers.example/').pathname).toBe('/docs/');
    expect(new URL(location, 'https://example.com/numbers/').pathname).toBe('/numbers/docs/');
    expect((await api.call(null, 'POST', '/')).statusCode).toBe(405);
  });
});

describe('problem pages', () => {
  it.each(Object.keys(PROBLEMS))('%s is where its type points', async (code) => {
    const html = await api.call(null, 'GET', `/problems/${code}`);
    expect(html.headers['content-type']).toContain('text/html');
    expect(html.body).toContain(PROBLEMS[code as keyof typeof PROBLEMS].title);
    const json = await api.call(null, 'GET', `/problems/${code}`, undefined, { accept: 'application/json' });
    expect(json.json()).toMatchObject({ code, status: PROBLEMS[code as keyof typeof PROBLEMS].status });
  });

  it('there are no others', async () => {
    for (const code of ['nope', 'toString', '__proto__']) {
      expect((await api.call(null, 'GET', `/problems/${code}`)).statusCode).toBe(404);
    }
  });

  it('are named with the public address, as is where a number is', async () => {
    const problem = (await api.call(null, 'GET', '/v1/numbers')).json();
    expect(problem.type).toBe('https://numbers.example/problems/unauthenticated');
    const created = await api.call(key, 'POST', '/v1/numbers', submission());
    expect(created.headers['location']).toBe(`https://numbers.example/v1/numbers/${created.json().id}`);
  });
});

describe('health', () => {
  it('is ready while Temporal is away, and not without the database', async () => {
    expect((await api.call(null, 'GET', '/livez')).json()).toEqual({ status: 'alive' });
    const ready = await api.call(null, 'GET', '/readyz');
    expect([ready.statusCode, ready.json()]).toEqual([
      200,
      { status: 'ready', database: 'up', temporal: 'down' },
    ]);
    const gone = await startTestApi();
    await gone.db.close();
    expect((await gone.call(null, 'GET', '/readyz')).statusCode).toBe(503);
    expect((await gone.call(null, 'GET', '/livez')).statusCode).toBe(200);
    expect(await gone.app.metrics.metrics()).toContain('database_up 0');
    await gone.close();
  });
});

describe('metrics', () => {
  it('are on a port of their own, by the template of the route', async () => {
    const { id } = await submit(api.call, key);
    await api.call(key, 'GET', `/v1/numbers/${id}`);
    await api.call(key, 'GET', '/v1/nowhere/secret');
    expect((await api.call(null, 'GET', '/metrics')).statusCode).toBe(404);
    const server = await serveMetrics(api.app.metrics, { host: '127.0.0.1', port: 0 });
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    server.closeAllConnections();
    server.close();
    expect(text).toContain('database_up 1');
    expect(text).toMatch(/^numbers\{status="PENDING_VERIFICATION"\} [1-9]/m);
    expect(text).toMatch(/^numbers_overdue\{stage="facebook"\} 0$/m);
    expect(text).toMatch(/^numbers_unstarted [1-9]/m);
    expect(text).toMatch(/^emails_unsent [1-9]/m);
    expect(text).toMatch(/^emails_unsent_oldest_seconds \d/m);
    expect(text).toMatch(
      /^http_request_duration_seconds_count\{route="\/v1\/numbers\/:id",method="GET",status="200"\} 1$/m,
    );
    expect(text).not.toContain(id);
    expect(text).not.toContain('nowhere');
  });
});

describe('logs', () => {
  it('hold no query, body, key, cookie, token or whole number', async () => {
    let text = '';
    const write = (line: string) => {
      text += line;
    };
    const logger = createLogger({ LOG_LEVEL: 'trace' }, { write });
    const app = await buildApp({
      db: api.db,
      config: api.config,
      workflows: TEMPORAL_DOWN,
      mail: MAIL_DOWN,
      logger,
    });
    const guessable = { config: { access: 'public' }, schema: { hide: true } } as const;
    app.post('/v1/mistakes/:token', guessable, async (request) => {
      // What must not be logged is not told by mistake either.
      request.log.info({ body: request.body, headers: request.headers, token: 'secrettoken' }, 'Mistake');
      request.log.info({ sent: { email: 'secret@person.example', cookie: 'secretcookie' } }, 'Mistake');
      return 'done';
    });
    const call = caller(app);
    const body = submission({ displayName: 'Secret Name', contactEmail: 'secret@customer.example' });
    await call(key, 'POST', '/v1/numbers', body);
    await call(key, 'GET', '/v1/numbers?q=secretquery');
    await call('wna_wrong', 'GET', '/v1/numbers');
    const { id } = await submit(api.call, key);
    await call(key, 'GET', `/v1/numbers/${id}`);
    const secrets = { cookie: 'session=secretcookie', 'x-request-id': 'mine' };
    await call(null, 'POST', '/v1/mistakes/secrettoken?code=secretcode', { code: 'secretcode' }, secrets);
    await call(null, 'POST', '/v1/password-resets/secrettoken', { password: 'secretpassword' });
    await call(null, 'GET', '/reset-password?token=secrettoken');
    await call(null, 'GET', '/v1/password-reset/secrettoken');
    await call(null, 'GET', '/v1/password-resets/%zz/secrettoken', undefined, { 'x-request-id': 'unread' });
    await app.close();
    expect(text).toContain('"path":"/v1/numbers"');
    expect(text).toContain(`"path":"/v1/numbers/${id}"`);
    expect(text).toMatch(/"requestId":"mine".*"path":"\/v1\/mistakes\/:token"/);
    expect(text).toContain('"path":"/v1/password-resets/:token"');
    expect(text).toMatch(/"requestId":"unread".*"status":400/);
    expect(text).toContain(`…${body.mobileNumber.slice(-4)}`);
    for (const secret of [/secret/i, key, 'wna_wrong', body.mobileNumber]) expect(text).not.toMatch(secret);
  });
});

it('does not start with a route that has not said who may call it', async () => {
  const app = await buildApp({ db: api.db, config: api.config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
  app.get('/v1/forgotten', async () => 'open');
  await expect(app.ready()).rejects.toThrow('GET /v1/forgotten');
});
