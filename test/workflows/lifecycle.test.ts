import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isLive,
  isPending,
  type NumberEvent,
  type NumberState,
  type NumberStatus,
} from '../../contract/number.ts';
import { apply, type Command, operationOf } from '../../workflows/lifecycle.ts';
import { CUSTOMER, decision, SUPPORT, submittedState } from '../support/number-state.ts';

const AT = { now: '2026-11-02T10:00:00.000Z', facebookDueMs: 7 * 24 * 3_600_000 };

const approve: Command = { type: 'verify', decision: decision({ decisionId: 'op_v' }) };
const reject: Command = { type: 'verify', decision: decision({ decisionId: 'op_v', outcome: 'rejected' }) };
const fbApprove: Command = { type: 'decideFacebook', decision: decision({ decisionId: 'op_f' }) };
const fbReject: Command = {
  type: 'decideFacebook',
  decision: decision({ decisionId: 'op_f', outcome: 'rejected' }),
};
const withdraw: Command = { type: 'withdraw', operationId: 'op_w', by: CUSTOMER, stage: null };
const release: Command = { type: 'release', operationId: 'op_r', by: CUSTOMER };
const edit: Command = {
  type: 'edit',
  operationId: 'op_e',
  by: CUSTOMER,
  changes: { website: 'https://widgets.example' },
};
const COMMANDS = { approve, reject, fbApprove, fbReject, withdraw, release, edit };

/** Applies commands that must all be taken. */
function having(...commands: Command[]): { state: NumberState; events: NumberEvent[] } {
  return commands.reduce(
    (so, command) => {
      const outcome = apply(so.state, command, AT);
      if ('refused' in outcome) throw new Error(`${operationOf(command)} refused: ${outcome.refused}`);
      return { state: outcome.state, events: [...so.events, ...outcome.events] };
    },
    { state: submittedState(), events: [] as NumberEvent[] },
  );
}

const STATES: Record<NumberStatus | 'HELD', NumberState> = {
  PENDING_VERIFICATION: having().state,
  HELD: having(fbApprove).state,
  PENDING_FACEBOOK_APPROVAL: having(approve).state,
  APPROVED: having(approve, fbApprove).state,
  REJECTED: having(reject).state,
  WITHDRAWN: having(withdraw).state,
  RELEASED: having(approve, fbApprove, release).state,
};

describe('every command in every state', () => {
  const no = { decided: 'already_decided', pending: 'not_pending', approved: 'not_approved' } as const;
  test.each<[keyof typeof STATES, Record<keyof typeof COMMANDS, string>]>([
    [
      'PENDING_VERIFICATION',
      {
        approve: 'PENDING_FACEBOOK_APPROVAL',
        reject: 'REJECTED',
        fbApprove: 'PENDING_VERIFICATION',
        fbReject: 'PENDING_VERIFICATION',
        withdraw: 'WITHDRAWN',
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'HELD',
      {
        approve: 'APPROVED',
        reject: 'REJECTED',
        fbApprove: no.decided,
        fbReject: no.decided,
        withdraw: 'WITHDRAWN',
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'PENDING_FACEBOOK_APPROVAL',
      {
        approve: no.decided,
        reject: no.decided,
        fbApprove: 'APPROVED',
        fbReject: 'REJECTED',
        withdraw: 'WITHDRAWN',
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'APPROVED',
      {
        approve: no.decided,
        reject: no.decided,
        fbApprove: no.decided,
        fbReject: no.decided,
        withdraw: no.pending,
        release: 'RELEASED',
        edit: 'APPROVED',
      },
    ],
    [
      'REJECTED',
      {
        approve: no.decided,
        reject: no.decided,
        fbApprove: no.pending,
        fbReject: no.pending,
        withdraw: no.pending,
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'WITHDRAWN',
      {
        approve: no.pending,
        reject: no.pending,
        fbApprove: no.pending,
        fbReject: no.pending,
        withdraw: no.pending,
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'RELEASED',
      {
        approve: no.decided,
        reject: no.decided,
        fbApprove: no.decided,
        fbReject: no.decided,
        withdraw: no.pending,
        release: no.approved,
        edit: no.approved,
      },
    ],
  ])('%s', (from, expected) => {
    const outcomes = Object.fromEntries(
      Object.entries(COMMANDS).map(([name, command]) => {
        const outcome = apply(STATES[from], command, AT);
        return [name, 'refused' in outcome ? outcome.refused : outcome.state.status];
      }),
    );
    expect(outcomes).toEqual(expected);
  });
});

describe('what a transition brings with it', () => {
  test('a verification tells the submitter and sets when Facebook is due', () => {
    const { state, events } = having(approve);
    expect(state).toMatchObject({
      revision: 2,
      waitingSince: AT.now,
      dueAt: '2026-11-09T10:00:00.000Z',
      decidedAt: null,
    });
    expect(events.map((event) => [event.type, event.revision, event.email?.kind])).toEqual([
      ['verification.approved', 2, 'verified'],
    ]);
  });

  test('a rejection carries its reason into the email and the timeline', () => {
    const { state, events } = having(reject);
    expect(state).toMatchObject({ waitingSince: null, dueAt: null, decidedAt: AT.now });
    expect(events[0]).toMatchObject({
      type: 'verification.rejected',
      data: { outcome: 'rejected', reason: 'The address is not yours', fields: ['address'] },
      email: {
        kind: 'rejected',
        rejection: { by: 'support', reason: 'The address is not yours', fields: ['address'] },
      },
    });
  });

  test('a Facebook decision that came first is held, and used when support approves', () => {
    expect(having(fbReject).events).toMatchObject([{ type: 'facebook.held', revision: 2, email: null }]);
    const { state, events } = having(fbReject, approve);
    expect(state).toMatchObject({ status: 'REJECTED', revision: 4 });
    expect(events.slice(1)).toMatchObject([
      { type: 'verification.approved', revision: 3, operationId: 'op_v', email: { kind: 'verified' } },
      {
        type: 'facebook.rejected',
        revision: 4,
        operationId: 'op_f',
        email: { kind: 'rejected', rejection: { by: 'facebook' } },
      },
    ]);
  });

  test('a held Facebook decision is discarded when support rejects', () => {
    expect(having(fbApprove, reject).state).toMatchObject({ status: 'REJECTED', facebookDecision: null });
  });

  test('a withdrawal by the customer is not emailed, one by an operator is', () => {
    expect(having(withdraw).events[0]?.email).toBeNull();
    const byOperator: Command = { ...withdraw, by: { type: 'operator', id: null } };
    expect(having(byOperator).events[0]?.email).toEqual({ kind: 'withdrawn', rejection: null });
  });

  test('a withdrawal of a stage that ended meanwhile is refused', () => {
    const seen: Command = { ...withdraw, stage: 'PENDING_VERIFICATION' };
    expect(apply(STATES.PENDING_VERIFICATION, seen, AT)).toMatchObject({ state: { status: 'WITHDRAWN' } });
    expect(apply(STATES.PENDING_FACEBOOK_APPROVAL, seen, AT)).toEqual({ refused: 'already_decided' });
  });

  test('an edit says what changed from what to what, and an edit of nothing changes nothing', () => {
    const { state, events } = having(approve, fbApprove, edit);
    expect(events.at(-1)).toMatchObject({
      type: 'edited',
      data: { changes: { website: { from: null, to: 'https://widgets.example' } } },
      email: null,
    });
    expect(apply(state, edit, AT)).toEqual({ state, events: [] });
  });
});

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constantFrom('verify' as const, 'decideFacebook' as const),
    decision: fc
      .record({ id: fc.uuid(), outcome: fc.constantFrom('approved' as const, 'rejected' as const) })
      .map(({ id, outcome }) => decision({ decisionId: id, outcome })),
  }),
  fc.record({
    type: fc.constant('withdraw' as const),
    operationId: fc.uuid(),
    by: fc.constantFrom(CUSTOMER, SUPPORT),
    stage: fc.constantFrom(null, 'PENDING_VERIFICATION' as const, 'PENDING_FACEBOOK_APPROVAL' as const),
  }),
  fc.record({ type: fc.constant('release' as const), operationId: fc.uuid(), by: fc.constant(CUSTOMER) }),
  fc.record({
    type: fc.constant('edit' as const),
    operationId: fc.uuid(),
    by: fc.constant(CUSTOMER),
    changes: fc.record(
      { displayName: fc.string({ minLength: 2 }), website: fc.option(fc.webUrl()) },
      { requiredKeys: [] },
    ),
  }),
);

const ORDER: NumberStatus[][] = [
  ['PENDING_VERIFICATION'],
  ['PENDING_FACEBOOK_APPROVAL'],
  ['APPROVED', 'REJECTED', 'WITHDRAWN'],
  ['RELEASED'],
];
const rank = (status: NumberStatus) => ORDER.findIndex((statuses) => statuses.includes(status));

test('any sequence of commands keeps the rules', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), (commands) => {
      let state = submittedState();
      for (const command of commands) {
        const before = structuredClone(state);
        const outcome = apply(state, command, AT);
        // Pure: the state that was given stays as it was.
        expect(state).toEqual(before);
        if ('refused' in outcome) continue;

        const { state: next, events } = outcome;
        expect(rank(next.status)).toBeGreaterThanOrEqual(rank(state.status));
        expect(next.revision).toBe(state.revision + events.length);
        expect(events.map((event) => event.revision)).toEqual(
          events.map((_, index) => state.revision + index + 1),
        );
        expect(next.attempt).toBe(1);
        // The first decision of a stage stands, but for a held one that is discarded.
        if (state.verification) expect(next.verification).toEqual(state.verification);
        if (state.facebookDecision && next.facebookDecision)
          expect(next.facebookDecision).toEqual(state.facebookDecision);
        expect(next.waitingSince !== null).toBe(isPending(next.status));
        expect(next.dueAt !== null).toBe(isPending(next.status));
        if (next.status === 'REJECTED') {
          expect(
            (next.verification?.outcome === 'rejected' ? next.verification : next.facebookDecision)?.reason,
          ).toBeTruthy();
        }
        if (command.type === 'edit') expect(state.status).toBe('APPROVED');
        if (!isLive(state.status)) expect(events).toEqual([]);
        state = next;
      }
    }),
    { numRuns: 2000 },
  );
});
