/** The page of a decision link: the submission, what was said about it, and the forms that decide on it. */
import { BUSINESS_CATEGORIES } from '../contract/categories.ts';
import { FIELD_LABELS, labelOf } from '../contract/fields.ts';
import {
  type Actor,
  type Decision,
  type EventType,
  FIELD_NAMES,
  type NumberStatus,
  type Outcome,
} from '../contract/number.ts';
import { minute } from '../contract/text.ts';
import { staffWarnings } from '../contract/warnings.ts';
import type { DecisionLinkRow } from '../db/decision-links.ts';
import type { NumberRow } from '../db/number-row.ts';
import { stateOf } from '../db/number-row.ts';
import type { EventRow } from '../db/read.ts';
import type { Review } from '../db/reviews.ts';
import { endOf, type KnownLink, standingOf } from './decision-links.ts';
import { described, type Faults, faultOf, type Html, html } from './html.ts';

type FieldName = (typeof FIELD_NAMES)[number];

/** How the checkbox of a field at fault is called in the form. */
export const faultName = (field: FieldName) => `at-fault-${field}`;

const STATUS_WORDS: Record<NumberStatus, string> = {
  PENDING_VERIFICATION: 'It waits for verification.',
  PENDING_FACEBOOK_APPROVAL: 'It waits for Facebook.',
  APPROVED: 'It is approved.',
  REJECTED: 'It is rejected.',
  WITHDRAWN: 'It was withdrawn.',
  RELEASED: 'It was released.',
};

/** What a used link tells. Once it has ended its reader may be anybody whom the email was forwarded to. */
export function afterUse(link: DecisionLinkRow, row: NumberRow, event: EventRow): Html {
  return endOf(link, row) === null ? standing(row, event) : decidedByLink(event);
}

/** How the number stands, in sentences. `event`: what a link has decided, told where the number does not tell it. */
export function standing(row: NumberRow, event: EventRow | null = null): Html {
  const { verification, approvals, ending, facebookDecision } = row;
  const decisions = standingOf(row);
  const own = event && !decisions.some(({ decisionId }) => decisionId === event.operationId) ? event : null;
  const waits = row.status === 'PENDING_VERIFICATION';
  const first = waits && !verification && approvals.length > 0;
  return html`<p><strong>${row.displayName}</strong> (${row.mobileNumber}, attempt ${row.attempt}). ${STATUS_WORDS[row.status]}</p>
${own && decidedByLink(own)}
${decisions.map((decision) => decided(decision, nameOf(decision.by)))}
${first && html`<p>Another supporter has to approve, too.</p>`}
${waits ? held(row) : facebookDecision && decided(facebookDecision, 'Facebook')}
${ending && html`<p>${nameOf(ending.by)} ${row.status === 'RELEASED' ? 'released' : 'withdrew'} it on ${minute(ending.at)}.</p>`}`;
}

function decided({ outcome, reason, at }: Decision, who: string): Html {
  return html`<p>${who} ${outcome} it on ${minute(at)}.</p>${because(reason)}`;
}

/** A decision as the timeline tells it, without the number. */
function decidedByLink({ actor, at, attempt, type, data }: EventRow): Html {
  const outcome = type === 'verification.rejected' ? 'rejected' : 'approved';
  const { reason } = data;
  return html`<p>${nameOf(actor)} ${outcome} attempt ${attempt} on ${minute(at.toISOString())}.</p>${because(typeof reason === 'string' ? reason : null)}`;
}

const because = (reason: string | null) => reason !== null && html`<p class="said">Reason: ${reason}</p>`;

/** Facebook's decision that was there first: it comes into force with ours. */
function held({ facebookDecision }: NumberRow): Html | null {
  if (!facebookDecision) return null;
  const { outcome, reason, at } = facebookDecision;
  return outcome === 'rejected'
    ? html`<p role="alert" class="said">Facebook has already rejected it, on ${minute(at)}: ${reason ?? 'no reason was given'}
Approving it ends in a rejection for that reason.</p>`
    : html`<p class="said">Facebook has already approved it, on ${minute(at)}. Once it is approved here, it is approved.</p>${because(reason)}`;
}

/** Staff by name; of customers and machines it is told what they are. */
function nameOf({ type, name }: Actor): string {
  return (
    name ??
    {
      customer: 'The customer',
      support: 'A supporter',
      operator: 'An operator',
      facebook: 'Facebook',
      system: 'The system',
    }[type]
  );
}

interface DecisionForm {
  token: string;
  open: Outcome[];
  /** The latest, oldest first. */
  comments: EventRow[];
  /** What was sent and was at fault. */
  faults?: Faults;
  sent?: Record<string, string>;
}

/** The submission with the forms for what may be decided. */
export function decisionPage(
  { link, review, caller }: KnownLink,
  { token, open, comments, faults = {}, sent }: DecisionForm,
): Html {
  const { row, claim } = review;
  const claimedByOther = claim !== null && claim.personId !== link.personId ? claim : null;
  const { reason: _, ...others } = faults;
  return html`${Object.values(others).map((fault) => html`<p role="alert">${fault}</p>`)}
<p>Submitted by ${review.accountName}, attempt ${row.attempt}. ${due(row)}</p>
${profile(row, token)}
${warnings(review)}
${previous(review)}
${said(comments.filter(({ operationId }) => operationId !== row.question?.operationId))}
${question(row)}
${approvals(row)}
${held(row)}
${
  claimedByOther
    ? html`<p role="alert">${claimedByOther.name} has claimed the review until ${minute(claimedByOther.expiresAt.toISOString())}. Leave it to them, or come back then.</p>`
    : html`<p>You decide as ${nameOf(caller.actor)}.</p>${open.includes('approved') && approveForm(token)}${open.includes('rejected') && rejectForm(token, faults, sent)}`
}`;
}

/** The due time is the customer's while they are asked. */
function due({ question, dueAt }: NumberRow): string {
  if (question) return 'The review waits for the customer.';
  return dueAt === null ? '' : `The review is due ${minute(dueAt)}.`;
}

function question({ question, dueAt }: NumberRow): Html | null {
  if (!question) return null;
  const { by, at, text, fields } = question;
  return html`<h2>An open question</h2>
<p>${nameOf(by)} asked the customer on ${minute(at)}${fields.length > 0 && ` about ${fields.map(labelOf).join(', ')}`}:</p>
<p class="said">${text}</p>
<p>${dueAt !== null && `The customer has until ${minute(dueAt)} to answer. `}A decision ends the question.</p>`;
}

const SAID: Partial<Record<EventType, string>> = {
  'comment.internal': ', internal',
  'question.asked': ', a question',
  'question.answered': ', an answer',
};

function said(comments: EventRow[]): Html | null {
  if (comments.length === 0) return null;
  const items = comments.map(
    ({ actor, at, type, data }) =>
      html`<dt>${nameOf(actor)}${SAID[type] ?? ''} (${minute(at.toISOString())})</dt><dd>${shown(data['text'])}</dd>`,
  );
  return html`<h2>Latest comments</h2><dl class="talk">${items}</dl>`;
}

function profile(row: NumberRow, token: string): Html {
  const { profile } = stateOf(row);
  const values: [FieldName, string | null][] = FIELD_NAMES.filter((field) => field !== 'imageId').map(
    (field) => [
      field,
      field === 'mobileNumber'
        ? row.mobileNumber
        : field === 'businessCategory'
          ? BUSINESS_CATEGORIES[profile.businessCategory]
          : profile[field],
    ],
  );
  return html`<dl>${values.map(([field, value]) => html`<dt>${FIELD_LABELS[field]}</dt><dd>${value ?? '–'}</dd>`)}</dl>
${row.imageId !== null && html`<p><img src="/decisions/picture?token=${token}" alt="The picture that was uploaded"></p>`}`;
}

function warnings({ row, earlier }: Review): Html | null {
  const found = staffWarnings({ ...stateOf(row).profile, mobileNumber: row.mobileNumber }, earlier);
  if (found.length === 0) return null;
  const items = found.map(({ field, detail }) => html`<li>${FIELD_LABELS[field]}: ${detail}</li>`);
  return html`<h2>To look at twice</h2><ul>${items}</ul>`;
}

function previous({ previous }: Review): Html | null {
  if (!previous) return null;
  const { rejection, changes } = previous;
  const items = Object.entries(changes).map(
    ([field, { from, to }]) =>
      html`<li>${labelOf(field)}: ${shown(from)} → <strong>${shown(to)}</strong></li>`,
  );
  return html`<h2>The attempt before</h2><p class="said">Rejected: ${rejection.reason}</p>
${items.length > 0 ? html`<p>Changed since:</p><ul>${items}</ul>` : html`<p>Nothing was changed since.</p>`}`;
}

function approvals(row: NumberRow): Html | null {
  const [first] = row.approvals;
  if (!first) return null;
  return html`<p>${nameOf(first.by)} approved it on ${minute(first.at)}; this category needs two.</p>`;
}

function approveForm(token: string): Html {
  return html`<form method="post" action="/decisions">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="outcome" value="approved">
<button>Approve</button>
</form>`;
}

function rejectForm(token: string, faults: Faults, sent: Record<string, string> = {}): Html {
  const boxes = FIELD_NAMES.map(
    (field) =>
      html`<label><input type="checkbox" name="${faultName(field)}"${sent[faultName(field)] !== undefined && html` checked`}> ${FIELD_LABELS[field]}</label>`,
  );
  return html`<form method="post" action="/decisions">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="outcome" value="rejected">
<label for="reason">Reason to reject</label>
${faultOf('reason', 'Reason to reject', faults)}
<textarea id="reason" name="reason" rows="4" required minlength="3" maxlength="1000"${described('reason', faults, 'hint')}>${sent['reason'] ?? ''}</textarea>
<p class="hint" id="hint">The customer reads it.</p>
<fieldset><legend>Fields at fault</legend>${boxes}</fieldset>
<button>Reject</button>
</form>`;
}

const shown = (value: unknown) => (value === null || value === undefined ? '–' : String(value));
