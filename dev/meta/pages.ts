/** The simulator's page: what Meta knows of each number, and buttons for what Meta or people would do. */
import type { FastifyInstance } from 'fastify';
import { type Html, html } from '../../api/template.ts';
import { choice, readable, sendDevPage, timeOfDay } from '../page.ts';
import { LEGACY_EVENTS, NAME_DECISIONS } from './decisions.ts';
import { MESSAGE_TYPES, STATUSES } from './messages.ts';
import { isProvisioned } from './numbers.ts';
import type { Simulation } from './simulation.ts';
import { type PhoneNumber, RATINGS, REJECTION_REASONS, TIERS, type Webhook } from './state.ts';

const SHOWN_NUMBERS = 50;
const SHOWN_WEBHOOKS = 30;

export function pageRoutes(app: FastifyInstance, simulation: Simulation): void {
  app.get<{ Querystring: { digits?: string } }>('/', async ({ query }, reply) => {
    const { state, webhooks } = simulation;
    const digits = String(query.digits ?? '').replace(/\D/g, '');
    const found = state.numbers.filter((number) => number.digits.includes(digits)).toReversed();
    const numbers = found.slice(0, SHOWN_NUMBERS).map((number) => numberSection(simulation, number));
    const last = webhooks.all.slice(-SHOWN_WEBHOOKS).reverse().map(webhookLine);
    return sendDevPage(
      reply,
      'Meta simulator',
      html`<p>What Meta would do is done here. <a href="/">Refresh</a></p>
${callbackLine(simulation)}
<h2>Numbers</h2>
<form method="get" action="/"><label>Digits<input name="digits" value="${digits}" inputmode="numeric"></label><button>Find</button></form>
<p>${numbers.length} of ${state.numbers.length}, newest first.</p>
${numbers}
<h2>Last webhooks</h2>
${last.length === 0 ? html`<p>None was sent yet.</p>` : last}
<h2>What becomes of webhooks</h2>
${deliveryForm(simulation)}
<h2>WhatsApp Business Accounts</h2>
${state.accounts.map((account) => accountSection(simulation, account.wabaId))}`,
    );
  });
}

function callbackLine({ webhooks }: Simulation): Html {
  const { callback } = webhooks;
  if (!callback) return html`<p>No callback is set: webhooks wait.</p>`;
  const { url, verified, error } = callback;
  return html`<p>Webhooks go to ${url}${verified ? html`, which is verified.` : html`. <span class="bad">Not verified: ${error ?? 'being asked'}</span>`}</p>`;
}

function numberSection(simulation: Simulation, number: PhoneNumber): Html {
  const { id, digits, verifiedName, nameStatus, newName, newNameStatus, status, qualityRating } = number;
  const to = (action: string) => `/control/numbers/${id}/${action}`;
  return html`<section>
<h3>+${digits} · ${newName ?? verifiedName}</h3>
<dl>
<dt>Name</dt><dd>${verifiedName}: ${nameStatus}${!isProvisioned(simulation, number) && ', not provisioned yet'}${newName !== null && html`<br>${newName}: ${newNameStatus}`}</dd>
<dt>Status</dt><dd>${status}${number.registered ? ', registered' : ', not registered'}</dd>
<dt>Quality</dt><dd>${qualityRating}</dd>
<dt>Limit</dt><dd>${simulation.limitOf(number)}${number.limit === null && ', shared by the portfolio'}</dd>
<dt>Code</dt><dd>${codeOf(simulation, number)}</dd>
<dt>Id</dt><dd>${id}</dd>
</dl>
<form method="post" action="${to('name')}">${choice('Name', 'decision', NAME_DECISIONS)}${choice('Reason, if rejected', 'reason', ['', ...REJECTION_REASONS])}<button>Decide name</button></form>
<details><summary>Quality, limit, messages</summary>
<form method="post" action="${to('quality')}">${choice('Quality', 'rating', RATINGS, qualityRating)}${choice('Old event', 'event', ['', ...LEGACY_EVENTS])}<button>Change quality</button></form>
<form method="post" action="${to('limit')}">${choice('Limit', 'limit', TIERS, simulation.limitOf(number))}${choice('Webhook', 'shape', ['current', 'legacy'])}<button>Change limit</button></form>
<form method="post" action="${to('messages')}">${choice('Type', 'type', MESSAGE_TYPES)}<label>From<input name="from" value="16505551234" inputmode="numeric"></label><label>Text<input name="text" value="Does it come in another color?"></label><button>Send message</button></form>
<form method="post" action="${to('statuses')}">${choice('Status', 'status', STATUSES, 'delivered')}<label>To<input name="recipient" value="16505551234" inputmode="numeric"></label><button>Send status</button></form>
</details>
</section>`;
}

/** Nobody gets an SMS here: the code is read on this page. */
function codeOf(simulation: Simulation, { code, codeStatus }: PhoneNumber): Html {
  if (!code || code.used) return html`${codeStatus}`;
  if (code.expiresAt < simulation.now()) return html`expired`;
  return html`<code>${code.value}</code> by ${code.method}, until ${timeOfDay(code.expiresAt)}`;
}

function webhookLine({ at, fields, state, attempts, body, wabaId }: Webhook): Html {
  const answers = attempts.map(({ status, error }) => status ?? error ?? '').join(', ');
  const bad = state === 'lost' || state === 'given up';
  return html`<details><summary>${timeOfDay(at)} ${fields.join(', ')}: ${bad ? html`<span class="bad">${state}</span>` : state}${answers !== '' && ` (${answers})`}</summary>
<p>Account ${wabaId}${state === 'unsubscribed' && ', to which no app is subscribed'}</p>
${body === null ? html`<p>It was too large to be kept.</p>` : html`<pre>${readable(body)}</pre>`}</details>`;
}

function deliveryForm({ webhooks }: Simulation): Html {
  const { lose, copies, reorder, delayMs } = webhooks.policy;
  return html`<form method="post" action="/control/delivery">${choice('Lose all', 'lose', ['false', 'true'], String(lose))}<label>Copies of each<input name="copies" type="number" min="1" max="10" value="${copies}"></label><label>Turn the order of<input name="reorder" type="number" min="1" max="1000" value="${reorder}"></label><label>Delay in ms<input name="delayMs" type="number" min="0" max="600000" value="${delayMs}"></label><button>Set</button></form>`;
}

function accountSection(simulation: Simulation, wabaId: string): Html {
  const account = simulation.account(wabaId);
  const { limit, maxNumbers } = simulation.businessOf(wabaId);
  const tokens = Object.entries(simulation.state.tokens).filter(([, token]) => token.wabaId === wabaId);
  return html`<section>
<h3>${account?.name ?? ''}</h3>
<dl>
<dt>WABA id</dt><dd>${wabaId}</dd>
<dt>Token</dt><dd>${tokens.map(([token, { state }]) => html`${token} (${state})<br>`)}</dd>
<dt>Webhooks</dt><dd>${account?.subscribed ? 'our app is subscribed' : 'no app is subscribed'}</dd>
<dt>Portfolio</dt><dd>${limit}, up to ${maxNumbers} numbers</dd>
</dl>
<form method="post" action="/control/accounts/${wabaId}/limit">${choice('Limit of the portfolio', 'limit', TIERS, limit)}<button>Change limit</button></form>
</section>`;
}
