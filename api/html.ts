/**
 * Small pages of our own: forms that links in emails lead to. No scripts; everything put into `html` is escaped.
 * The token in such a page's address must not leave it: nothing is loaded, and no address is told to other sites.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '../contract/errors.ts';
import { loggedProblem } from './failures.ts';
import { headersOf, type ProblemError } from './problems.ts';
import { Html, html } from './template.ts';

export { Html, html };

const STYLE = `
:root { color-scheme: light dark; --line: #767676; --accent: #0b5cad; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --accent: #8ab8f0; --wrong: #f2a29c; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 0 auto; padding: 2rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.125rem; line-height: 1.25; margin: 1.5rem 0 .5rem; }
label { display: block; font-weight: 600; margin-top: 1rem; }
input, textarea, select, button { font: inherit; }
input, textarea, select { box-sizing: border-box; width: 100%; padding: .5rem; border: 1px solid var(--line); border-radius: .25rem; }
input[type="checkbox"] { width: auto; }
fieldset { margin-top: 1rem; border: 1px solid var(--line); border-radius: .25rem; }
fieldset label { font-weight: 400; margin-top: .25rem; }
button { margin-top: 1rem; padding: .5rem 1.25rem; border: 2px solid var(--accent); border-radius: .25rem; background: transparent; color: var(--accent); font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
img { max-width: 10rem; height: auto; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
dd, .said { white-space: pre-line; }
@media (min-width: 30rem) {
  dl:not(.talk) { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
  dl:not(.talk) dd { margin: 0; }
}
[role="alert"] { border-left: .25rem solid var(--wrong); padding-left: .75rem; }
.hint { margin: .25rem 0 0; }
`;

/** Nothing but this page's own style; forms go to this server only. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A whole page. `title` is its heading, too. */
function page(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><main>
<h1>${title}</h1>
${body}
</main></body>
</html>
`.text;
}

/** What was wrong with a form that was sent: a sentence for each field at fault, by the field's name. */
export type Faults = Record<string, string>;

/** Of what a schema found in a form. */
export function faultsIn({ issues }: z.ZodError): Faults {
  return Object.fromEntries(issues.map(({ path, message }) => [String(path[0]), message]));
}

/**
 * The attributes of an input that tie it to its hint and to what is wrong with it. Typing goes on in the first one at
 * fault.
 */
export function described(name: string, faults: Faults, hint?: string): Html {
  const wrong = faults[name] !== undefined;
  const by = [wrong && faultId(name), hint].filter(Boolean).join(' ');
  return html`${by !== '' && html` aria-describedby="${by}"`}${wrong && html` aria-invalid="true"`}${Object.keys(faults)[0] === name && html` autofocus`}`;
}

/** What is wrong with a field, to put beside it; null where nothing is. */
export function faultOf(name: string, label: string, faults: Faults): Html | null {
  const fault = faults[name];
  return fault === undefined ? null : html`<p role="alert" id="${faultId(name)}">${label}: ${fault}</p>`;
}

const faultId = (name: string) => `${name}-fault`;

/** Where to sign in, as ` at …`: nothing where no public address is set. */
export function atOurAddress({ publicUrl }: { publicUrl: string }): Html | false {
  return publicUrl !== '' && html` at ${publicUrl}`;
}

/** Answers with a page. */
export function sendPage(reply: FastifyReply, title: string, body: Html, status = 200): FastifyReply {
  return reply
    .code(status)
    .headers({
      'content-security-policy': POLICY,
      // Not `no-referrer`: with it, browsers that do not say Sec-Fetch-Site send a form of ours with `Origin: null`.
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
      'x-robots-tag': 'noindex',
    })
    .type('text/html; charset=utf-8')
    .send(page(title, body));
}

/**
 * For a plugin whose routes are pages: takes what forms send as `request.body`, an object of texts, and answers
 * whatever goes wrong with a page.
 */
export function servePages(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: unknown, body: string | Buffer) => Object.fromEntries(new URLSearchParams(String(body))),
  );
  app.setErrorHandler((error, request, reply) => sendProblemPage(reply, loggedProblem(error, request)));
}

/** What people are told where the table of problems speaks to programs. */
const TO_PEOPLE: Partial<Record<ProblemCode, string>> = {
  rate_limited: 'Wait a minute, then try again.',
  cross_origin: 'Open the link from the email again, and use the button on that page.',
  unavailable: 'Try again in a minute.',
  internal: 'Try again in a minute. If it stays like that, tell an operator.',
};

function sendProblemPage(reply: FastifyReply, problem: ProblemError): FastifyReply {
  const { title, status } = PROBLEMS[problem.code];
  const faults = (problem.options.errors ?? []).map(({ detail }) => html`<p role="alert">${detail}</p>`);
  const said = problem.options.detail ?? TO_PEOPLE[problem.code] ?? problem.message;
  reply.headers(headersOf(problem));
  return sendPage(reply, title, faults.length > 0 ? html`${faults}` : html`<p>${said}</p>`, status);
}
