/** Judging who may take a review: on the number as it is in its row. Throws the problem of a refusal. */
import { isPending } from '../contract/number.ts';
import { type Claim, viewClaimant } from '../contract/reviews.ts';
import type { NumberRow } from '../db/number-row.ts';
import { notPending } from './decisions.ts';
import { ProblemError } from './problems.ts';

/** Refuses what nobody can decide on, or not this person. */
export function checkOpen(row: NumberRow, personId: string): void {
  if (!isPending(row.status)) throw notPending(row, 'staff');
  const approved = row.approvals.some(({ by }) => by.id === personId);
  if (row.status === 'PENDING_VERIFICATION' && approved) throw new ProblemError('second_approval_needed');
}

/** Refuses where somebody else has the review. */
export function checkClaim(claim: Claim | null, personId: string): void {
  if (claim === null || claim.personId === personId) return;
  throw new ProblemError('claimed', {
    extra: { claimedBy: viewClaimant(claim), claimExpiresAt: claim.expiresAt.toISOString() },
  });
}
