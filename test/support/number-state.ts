import { NOTHING_FROM_META } from '../../contract/facebook.ts';
import type { NumberState } from '../../contract/number.ts';
import type { Circumstances, NewDecision } from '../../workflows/lifecycle.ts';

const SUBMITTED_AT = '2026-11-02T09:00:00.000Z';
export const SUPPORT = { type: 'support', id: 'usr_1' } as const;
export const COLLEAGUE = { type: 'support', id: 'usr_2' } as const;
export const CUSTOMER = { type: 'customer', id: 'key_1' } as const;

/** What a command is judged by, an hour after the submission. */
export const AN_HOUR_LATER: Circumstances = {
  now: '2026-11-02T10:00:00.000Z',
  facebookDueMs: 7 * 24 * 3_600_000,
  replyDueMs: 72 * 3_600_000,
  approvalsNeeded: 1,
};

/** A number that was just submitted. */
export function submittedState(changes: Partial<NumberState> = {}): NumberState {
  return {
    status: 'PENDING_VERIFICATION',
    attempt: 1,
    revision: 1,
    profile: {
      displayName: 'Widgets number',
      incomingUrl: null,
      callbackProfileId: null,
      imageId: null,
      address: null,
      businessDescription: null,
      businessCategory: 'RETAIL',
      contactEmail: null,
      website: null,
    },
    waitingSince: SUBMITTED_AT,
    dueAt: '2026-11-03T09:00:00.000Z',
    verification: null,
    facebookDecision: null,
    ending: null,
    approvals: [],
    question: null,
    ...NOTHING_FROM_META,
    submittedAt: SUBMITTED_AT,
    decidedAt: null,
    updatedAt: SUBMITTED_AT,
    ...changes,
  };
}

export function decision(changes: Partial<NewDecision> = {}): NewDecision {
  const rejected = changes.outcome === 'rejected';
  return {
    decisionId: 'op_decision',
    outcome: 'approved',
    reason: rejected ? 'The address is not yours' : null,
    code: null,
    fields: rejected ? ['address'] : [],
    by: SUPPORT,
    ...changes,
  };
}
