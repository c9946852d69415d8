/** Decision links: what the token of one still lets its reader do. Throws the problem of a page where that is nothing. */
import { type Decision, OUTCOMES, type Outcome } from '../contract/number.ts';
import { type DecisionLinkRow, findDecisionLink } from '../db/decision-links.ts';
import type { NumberRow } from '../db/number-row.ts';
import { isMember } from '../db/people.ts';
import { type EventRow, findEvent } from '../db/read.ts';
import { type Review, readReview } from '../db/reviews.ts';
import type { Staff } from './auth.ts';
import { actorOf } from './callers.ts';
import type { ApiContext } from './context.ts';
import { judgeDecision } from './decisions.ts';
import { ProblemError } from './problems.ts';

/** A link that was made by us: for a page that says how it stands. */
export interface KnownLink {
  link: DecisionLinkRow;
  review: Review;
  caller: Staff;
  /** What it has decided; null where it has not been used. */
  event: EventRow | null;
}

/**
 * The link of a token, used or not. Throws `link_not_valid` where it was not made by us, or was deleted since, and
 * `forbidden` where its person is no supporter any more.
 */
export async function knownLink(api: ApiContext, token: string): Promise<KnownLink> {
  const found = await findDecisionLink(api.db, api.decisionTokens.idOf(token));
  if (!found || !api.decisionTokens.fits(token, found.link)) {
    throw gone(
      'It is not one of ours, not whole, or very old. Open it from the email once more, or decide in the review queue.',
    );
  }
  const { link, person } = found;
  if (!person.isSupporter) {
    const detail = 'You are not of the support staff any more. If that is a mistake, ask an operator.';
    throw new ProblemError('forbidden', { detail });
  }
  const review = await readReview(api.db, link.numberId);
  const event = await findEvent(api.db, link.numberId, link.id);
  const actor = actorOf({ ...person, role: 'support' });
  const caller: Staff = {
    kind: 'support',
    personId: person.id,
    keyId: null,
    scopes: ['read', 'write'],
    actor,
  };
  return { link, review, caller, event };
}

/** Refuses a link that cannot decide any more, whatever the number has become. */
export async function checkLink(api: ApiContext, { link, review, caller }: KnownLink): Promise<void> {
  const end = endOf(link, review.row);
  if (end !== null) throw gone(end);
  if (await isMember(api.db, caller.personId, review.row.accountId)) throw new ProblemError('own_account');
}

/** How a link has ended, so that it tells no more of its number than what it decided itself; null where it has not. */
export function endOf({ expiresAt, attempt }: DecisionLinkRow, row: NumberRow): string | null {
  if (expiresAt.getTime() <= Date.now()) {
    return 'It has expired. If the review still waits, it is in the queue: decide there, or leave it to a colleague.';
  }
  if (attempt < row.attempt) {
    return `The number was resubmitted meanwhile: attempt ${row.attempt} has links of its own. Open the one of the latest email, or decide in the review queue.`;
  }
  return null;
}

/** What the link may decide: approve, reject or both. Throws where it is neither. */
export function openOutcomes({ link, review, caller }: KnownLink): Outcome[] {
  const refusals: unknown[] = [];
  const open = OUTCOMES.filter((outcome) => {
    try {
      const wanted = {
        stage: link.stage,
        attempt: link.attempt,
        outcome,
        operationId: link.id,
        by: caller.actor,
      };
      return judgeDecision(review.row, wanted) === 'open';
    } catch (error) {
      refusals.push(error);
      return false;
    }
  });
  if (open.length > 0) return open;
  throw refusals[0] ?? new ProblemError('already_decided');
}

export function gone(detail: string): ProblemError {
  return new ProblemError('link_not_valid', { detail });
}

/** The decisions of support that stand, the first of two as well. */
export function standingOf({ approvals, verification }: NumberRow): Decision[] {
  const isLast = approvals.some(({ decisionId }) => decisionId === verification?.decisionId);
  return verification && !isLast ? [...approvals, verification] : approvals;
}
