/** The look of the development servers' pages. No scripts, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { Html, html } from '../api/template.ts';

const STYLE = `
:root { color-scheme: light dark; --line: #8888; --accent: #0b5cad; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --accent: #8ab8f0; --bad: #f2a29c; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.25rem; margin-top: 2rem; }
h3 { font-size: 1.0625rem; margin-bottom: .25rem; }
section { border-top: 1px solid var(--line); }
a { color: var(--accent); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem 1rem; margin: .5rem 0; }
dt { opacity: .8; }
dd { margin: 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .5rem 0; }
label { display: grid; font-size: .875rem; min-width: 0; }
input, select, button { font: inherit; min-height: 2.5rem; max-width: 100%; box-sizing: border-box; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: .25rem; }
button { border: 2px solid var(--accent); background: transparent; color: var(--accent); font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
summary { cursor: pointer; padding: .25rem 0; }
pre { white-space: pre-wrap; border: 1px solid var(--line); padding: .5rem; margin: .25rem 0; max-height: 24rem; overflow: auto; }
code { font-size: 1.125rem; }
.bad { color: var(--bad); font-weight: 600; }
`;

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function sendDevPage(reply: FastifyReply, title: string, body: Html): FastifyReply {
  return reply
    .headers({
      'content-security-policy': POLICY,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .type('text/html; charset=utf-8')
    .send(
      html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><main>
<h1>${title}</h1>
${body}
</main></body>
</html>
`.text,
    );
}

/** A labelled choice. */
export function choice(
  label: string,
  name: string,
  values: readonly string[],
  chosen?: string | undefined,
): Html {
  const options = values.map(
    (value) => html`<option value="${value}"${value === chosen && html` selected`}>${value || '–'}</option>`,
  );
  return html`<label>${label}<select name="${name}">${options}</select></label>`;
}

/** `12:03:04.567`, in UTC. */
export function timeOfDay(at: number | string): string {
  return new Date(at).toISOString().slice(11, 23);
}

/** JSON as people read it; a text that is none stays as it is. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
