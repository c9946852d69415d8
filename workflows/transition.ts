/** How a change is made of a state: the next revision, its event, the end of an attempt. Pure, as `lifecycle.ts`. */
import type {
  Actor,
  Decision,
  EventType,
  NumberEvent,
  NumberState,
  RejectionNotice,
} from '../contract/number.ts';
import type { Circumstances } from './lifecycle.ts';

export interface Transition {
  state: NumberState;
  events: NumberEvent[];
}

/** Raises the revision and writes the event of it. */
export function step(
  next: NumberState,
  type: EventType,
  cause: Decision | { operationId: string; by: Actor },
  email: NumberEvent['email'],
  data: Record<string, unknown> = {},
): Transition {
  const state = { ...next, revision: next.revision + 1 };
  const decided = 'decisionId' in cause;
  const event: NumberEvent = {
    operationId: decided ? cause.decisionId : cause.operationId,
    attempt: state.attempt,
    revision: state.revision,
    type,
    at: state.updatedAt,
    actor: cause.by,
    data: decided
      ? { outcome: cause.outcome, reason: cause.reason, code: cause.code, fields: cause.fields }
      : data,
    email,
  };
  return { state, events: [event] };
}

/** One change after the other, each of the state that the one before has left. */
export function inTurn(state: NumberState, ...changes: ((state: NumberState) => Transition)[]): Transition {
  return changes.reduce<Transition>(
    (so, change) => {
      const next = change(so.state);
      return { state: next.state, events: [...so.events, ...next.events] };
    },
    { state, events: [] },
  );
}

/** Ends the attempt: nothing is awaited any more, and approvals that came to no verification count for nothing. */
export function close(
  state: NumberState,
  status: 'APPROVED' | 'REJECTED' | 'WITHDRAWN',
  at: Circumstances,
  rest: Partial<NumberState>,
): NumberState {
  const ended = { ...state, ...rest };
  return {
    ...ended,
    status,
    approvals: ended.verification?.outcome === 'approved' ? ended.approvals : [],
    question: null,
    // Of a number that is not approved nothing is to be done at Meta any more.
    ...(status !== 'APPROVED' && { facebook: null, sync: null }),
    waitingSince: null,
    dueAt: null,
    decidedAt: at.now,
    updatedAt: at.now,
  };
}

export function rejectedEmail(by: RejectionNotice['by'], decision: Decision): NumberEvent['email'] {
  const { reason, code, fields } = decision;
  return { kind: 'rejected', rejection: { by, reason: reason ?? '', code, fields } };
}

export const between = (from: string, to: string | null) =>
  to === null ? 0 : Date.parse(to) - Date.parse(from);
export const later = (from: string, ms: number) => new Date(Date.parse(from) + ms).toISOString();
