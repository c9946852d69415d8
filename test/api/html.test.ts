/** Pages: what is put in is escaped, nothing but their own style loads, failures are pages, too. */
import { createHash } from 'node:crypto';
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { described, faultOf, html, sendPage, servePages } from '../../api/html.ts';
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
  app.get('/busy', async () => {
    throw new ProblemError('rate_limited', { fact: 'Requests of one address: at most 9 a minute.' });
  });
  app.get('/foreign', async () => {
    throw new ProblemError('cross_origin');
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

it('speaks to people where the table of problems speaks to programs', async () => {
  const app = await pages();
  const busy = await app.inject('/busy');
  expect([busy.statusCode, busy.body]).toEqual([
    429,
    expect.stringContaining('Wait a minute, then try again.'),
  ]);
  const foreign = await app.inject('/foreign');
  expect([foreign.statusCode, foreign.body]).toEqual([
    403,
    expect.stringContaining('Open the link from the email again'),
  ]);
  const broken = await app.inject('/broken');
  for (const { body } of [busy, foreign, broken]) {
    expect(body).not.toMatch(/Retry-After|RateLimit|API key|Idempotency-Key|requestId/);
  }
});

it('ties a field to its hint and to what is wrong with it, and goes on in the first one at fault', () => {
  const faults = { name: 'Must <have> a letter.', password: 'Too short.' };
  expect(described('name', faults).text).toBe(' aria-describedby="name-fault" aria-invalid="true" autofocus');
  expect(described('password', faults, 'hint').text).toBe(
    ' aria-describedby="password-fault hint" aria-invalid="true"',
  );
  expect(described('password', {}, 'hint').text).toBe(' aria-describedby="hint"');
  expect(described('password', {}).text).toBe('');
  expect(faultOf('name', 'Name', faults)?.text).toBe(
    '<p role="alert" id="name-fault">Name: Must &lt;have&gt; a letter.</p>',
  );
  expect(faultOf('name', 'Name', {})).toBeNull();
});
