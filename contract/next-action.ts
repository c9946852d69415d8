/** What a number waits for, whose turn it is and why it was rejected: all follows from its state. */
import { isCodeAwaited } from './facebook.ts';
import type { Decision, NumberState, RejectionNotice, WaitingFor } from './number.ts';

export const NEXT_ACTIONS = [
  'verify',
  'decide',
  'reply',
  'enter-code',
  'fix-at-facebook',
  'resubmit',
] as const;

export interface NextAction {
  type: (typeof NEXT_ACTIONS)[number];
  /** The fields to look at; empty when all or none in particular. */
  fields: string[];
  /** RFC 3339, UTC; null when it is not due at a time. */
  dueAt: string | null;
}

export interface Rejection extends RejectionNotice {
  /** RFC 3339, UTC. */
  at: string;
}

/** Why the current attempt was rejected, and by whom; null where it was not. */
export function rejectionOf(
  state: Pick<NumberState, 'status' | 'verification' | 'facebookDecision'>,
): Rejection | null {
  if (state.status !== 'REJECTED') return null;
  // Facebook's decision only counts once support approved: it is looked at second.
  if (state.verification?.outcome === 'rejected') return rejection('support', state.verification);
  if (state.facebookDecision?.outcome === 'rejected') return rejection('facebook', state.facebookDecision);
  return null;
}

/** Who has to act, and what they have to do. */
export function nextStep(state: NumberState): {
  waitingFor: WaitingFor | null;
  nextAction: NextAction | null;
} {
  if (state.question !== null) {
    const { fields } = state.question;
    return { waitingFor: 'customer', nextAction: { type: 'reply', fields, dueAt: state.dueAt } };
  }
  switch (state.status) {
    case 'PENDING_VERIFICATION':
      return { waitingFor: 'support', nextAction: { type: 'verify', fields: [], dueAt: state.dueAt } };
    case 'PENDING_FACEBOOK_APPROVAL':
      return atFacebook(state);
    case 'REJECTED': {
      const fields = rejectionOf(state)?.fields ?? [];
      return { waitingFor: 'customer', nextAction: { type: 'resubmit', fields, dueAt: null } };
    }
    case 'APPROVED':
    case 'WITHDRAWN':
    case 'RELEASED':
      return { waitingFor: null, nextAction: null };
  }
}

/** Facebook's turn, unless the way to its decision needs the customer first, or support decides in its place. */
function atFacebook({ facebook, dueAt }: NumberState): ReturnType<typeof nextStep> {
  const action = (type: NextAction['type']) => ({ type, fields: [], dueAt });
  switch (facebook?.turn) {
    case 'customer':
      return {
        waitingFor: 'customer',
        nextAction: action(isCodeAwaited(facebook) ? 'enter-code' : 'fix-at-facebook'),
      };
    case 'support':
      return { waitingFor: 'support', nextAction: action('decide') };
    default:
      return { waitingFor: 'facebook', nextAction: action('decide') };
  }
}

function rejection(by: Rejection['by'], decision: Decision): Rejection {
  const { code, fields, at } = decision;
  return { by, reason: decision.reason ?? 'No reason was given.', code, fields, at };
}
