/** The endpoint's page: what arrived, and forms for its secrets and its answers. */
import type { FastifyReply } from 'fastify';
import { html } from '../../api/template.ts';
import { choice, readable, sendDevPage, timeOfDay } from '../page.ts';
import type { EndpointAnswer } from './endpoint.ts';
import type { Receipt, Receipts } from './receipts.ts';

const SHOWN = 100;

export function endpointPage(
  reply: FastifyReply,
  receipts: Receipts,
  answers: EndpointAnswer[],
): FastifyReply {
  const { kept, total, secrets } = receipts;
  const last = kept.slice(-SHOWN).reverse().map(receiptLine);
  const known = Object.entries(secrets).map(
    ([path, { length }]) => html`<li>${path}: ${length} ${length === 1 ? 'secret' : 'secrets'}</li>`,
  );
  return sendDevPage(
    reply,
    'Sample endpoint',
    html`<p>It takes a POST at any path: set a number's Incoming URL to <code>/incoming</code> here, a callback
profile's to <code>/statuses</code>. <a href="/">Refresh</a></p>
<h2>Secrets</h2>
${known.length === 0 ? html`<p>None is known: nothing can be verified.</p>` : html`<ul>${known}</ul>`}
<form method="post" action="/control/secret"><label>Path<input name="path" value="/incoming" required></label><label>Secret<input name="secret" placeholder="whsec_…" autocomplete="off" required></label><button>Add secret</button></form>
<h2>Answers</h2>
${answers.length === 0 ? html`<p>200, at once.</p>` : html`<ul>${answers.map((answer) => html`<li>${answer.path}: ${told(answer)}</li>`)}</ul>`}
<form method="post" action="/control/answer"><label>Path<input name="path" value="*" required></label><label>Status<input name="status" type="number" min="200" max="599" value="200"></label><label>Delay in ms<input name="delayMs" type="number" min="0" max="600000" value="0"></label><label>Redirect to<input name="redirectTo" type="url"></label>${choice('Never answer', 'hang', ['false', 'true'])}<button>Set answer</button></form>
<h2>What arrived</h2>
<p>${total} since the start, the last ${last.length} here.</p>
${last}`,
  );
}

function told({ status, delayMs, redirectTo, hang, count }: EndpointAnswer): string {
  const answer = hang ? 'none, ever' : redirectTo === undefined ? String(status) : `302 to ${redirectTo}`;
  return `${answer}${delayMs > 0 ? ` after ${delayMs} ms` : ''}${count === undefined ? '' : `, ${count} times`}`;
}

function receiptLine({ at, path, type, webhookId, verified, reason, answered, body }: Receipt) {
  return html`<details><summary>${timeOfDay(at)} ${path} · ${type ?? 'no type'} · ${verified ? 'verified' : html`<span class="bad">not verified</span>`}</summary>
<dl><dt>webhook-id</dt><dd>${webhookId ?? 'none'}</dd><dt>Signature</dt><dd>${reason ?? 'made by a secret of this path'}</dd><dt>Answered</dt><dd>${answered ?? 'nothing'}</dd></dl>
<pre>${readable(body)}</pre></details>`;
}
