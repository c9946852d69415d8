/** Pages: what is put in is escaped, nothing but their own style loads, failures are pages, too. */
import { createHash } from 'node:crypto';
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { html, sendPage, servePages } from '../../api/html.ts';
import { ProblemError } from '../../api/problems.ts';

it('escapes text and attributes, and leaves what is HTML', () => {
  const name = `<b>"O'Hara" & co</b>`;
  const escaped = '&lt;b&gt;&quot;O&#39;Hara&quot; &amp; co&lt;/b&gt;';
  expect(html`<p title="${name}">${name}</p>`.text).toBe(`<p title="${escaped}">${escaped}</p>`);
  expect(html`<ul>${[html`<li>${1}</li>`, html`<li>${'<'}</li>`]}</ul>`.text).toBe(
    '<ul><li>1</li><li>&lt;</li></ul>',
  );
  expect(html`${null}${false}${html`<br>`}`.text).toBe('<br>');
});

async function pages() {
  const app = Fastify();
  servePages(app);
  app.get('/page', (_request, reply) => sendPage(reply, 'A & B', html`<p>${'<script>'}</p>`));
  app.post('/form', (request, reply) =>
    sendPage(reply, 'Form', html`<p>${JSON.stringify(request.body)}</p>`, 201),
  );
  app.get('/problem', async () => {
    throw new ProblemError('link_not_valid', { headers: { 'retry-after': '7' } });
  });
  app.get('/broken', async () => {
    throw new Error('a secret of ours');
  });
  return app;
}

it('loads its own style alone, tells nobody its address, and is kept nowhere', async () => {
  const page = await (await pages()).inject('/page');
  expect(page.statusCode).toBe(200);
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
  expect(page.body).toContain('<h1>A &amp; B</h1>');
  expect(page.body).not.toContain('<script');
  const style = /<style>([\s\S]*)<\/style>/.exec(page.body)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(page.headers['content-security-policy']).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
  expect(page.headers['referrer-policy']).toBe('same-origin');
  expect(page.headers['cache-control']).toBe('no-store');
});

it('takes forms', async () => {
  const answer = await (await pages()).inject({
    method: 'POST',
    url: '/form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'token=a%2Bb&name=Wanda+W',
  });
  expect(answer.statusCode).toBe(201);
  expect(answer.body).toContain('{&quot;token&quot;:&quot;a+b&quot;,&quot;name&quot;:&quot;Wanda W&quot;}');
});

it('tells failures on a page, and no more than they may tell', async () => {
  const app = await pages();
  const problem = await app.inject('/problem');
  expect([problem.statusCode, problem.headers['retry-after']]).toEqual([410, '7']);
  expect(problem.body).toContain('<h1>The link is not valid any more</h1>');
  const broken = await app.inject('/broken');
  expect(broken.statusCode).toBe(500);
  expect(broken.headers['content-type']).toContain('text/html');
  expect(broken.body).not.toContain('secret of ours');
});
