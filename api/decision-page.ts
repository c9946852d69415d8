/** The page of a decision link: the submission, and the forms that decide on it. */
import { BUSINESS_CATEGORIES } from '../contract/categories.ts';
import { FIELD_LABELS } from '../contract/fields.ts';
import { FIELD_NAMES, type NumberStatus, type Outcome } from '../contract/number.ts';
import { minute } from '../contract/text.ts';
import { staffWarnings } from '../contract/warnings.ts';
import type { NumberRow } from '../db/number-row.ts';
import { stateOf } from '../db/number-row.ts';
import type { Review } from '../db/reviews.ts';
import { type KnownLink, standingOf } from './decision-links.ts';
import { type Html, html } from './html.ts';

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

/** How the number stands, in sentences. */
export function standing(row: NumberRow): Html {
  const decision = standingOf(row);
  const first = !row.verification && row.approvals.length > 0;
  const who = decision?.by.name ?? 'A supporter';
  return html`<p><strong>${row.displayName}</strong> (${row.mobileNumber}, attempt ${row.attempt}). ${STATUS_WORDS[row.status]}</p>
${decision && html`<p>${who} ${decision.outcome} it on ${minute(decision.at)}.${first && ' Another supporter has to approve, too.'}</p>`}
${decision?.reason ? html`<p>Reason: ${decision.reason}</p>` : null}`;
}

/** The submission with the forms for what may be decided. `fault`: what was wrong with the form that was sent. */
export function decisionPage(
  { link, review }: KnownLink,
  {
    token,
    open,
    fault,
    sent,
  }: { token: string; open: Outcome[]; fault?: string; sent?: Record<string, string> },
): Html {
  const { row, claim } = review;
  const claimedByOther = claim !== null && claim.personId !== link.personId ? claim : null;
  return html`${fault !== undefined && html`<p role="alert" id="fault">${fault}</p>`}
<p>Submitted by ${review.accountName}, attempt ${row.attempt}. Due ${minute(row.dueAt ?? link.expiresAt.toISOString())}.</p>
${profile(row, token)}
${warnings(review)}
${previous(review)}
${approvals(row)}
${
  claimedByOther
    ? html`<p role="alert">${claimedByOther.name} has claimed the review until ${minute(claimedByOther.expiresAt.toISOString())}. Leave it to them, or come back then.</p>`
    : html`${open.includes('approved') && approveForm(token)}${open.includes('rejected') && rejectForm(token, sent)}`
}`;
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
  return html`<h2>The attempt before</h2><p>Rejected: ${rejection.reason}</p>
${items.length > 0 ? html`<p>Changed since:</p><ul>${items}</ul>` : html`<p>Nothing was changed since.</p>`}`;
}

function approvals(row: NumberRow): Html | null {
  const [first] = row.approvals;
  if (!first) return null;
  return html`<p>${first.by.name ?? 'A supporter'} approved it on ${minute(first.at)}; this category needs two.</p>`;
}

function approveForm(token: string): Html {
  return html`<form method="post" action="/decisions">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="outcome" value="approved">
<button>Approve</button>
</form>`;
}

function rejectForm(token: string, sent: Record<string, string> = {}): Html {
  const boxes = FIELD_NAMES.map(
    (field) =>
      html`<label><input type="checkbox" name="${faultName(field)}"${sent[faultName(field)] !== undefined && html` checked`}> ${FIELD_LABELS[field]}</label>`,
  );
  return html`<form method="post" action="/decisions">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="outcome" value="rejected">
<label for="reason">Reason to reject</label>
<textarea id="reason" name="reason" rows="4" required minlength="3" maxlength="1000" aria-describedby="hint">${sent['reason'] ?? ''}</textarea>
<p class="hint" id="hint">The customer reads it.</p>
<fieldset><legend>Fields at fault</legend>${boxes}</fieldset>
<button>Reject</button>
</form>`;
}

const labelOf = (field: string) => (FIELD_LABELS as Record<string, string>)[field] ?? field;
const shown = (value: unknown) => (value === null || value === undefined ? '–' : String(value));
