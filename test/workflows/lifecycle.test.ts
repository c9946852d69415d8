import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FACEBOOK_TURNS,
  LIMIT_SCOPES,
  MESSAGING_LIMITS,
  NAME_STATUSES,
  QUALITY_COLORS,
  SOURCES,
} from '../../contract/facebook.ts';
import { nextStep } from '../../contract/next-action.ts';
import {
  isLive,
  isPending,
  type NumberEvent,
  type NumberState,
  type NumberStatus,
} from '../../contract/number.ts';
import { apply, type Circumstances, type Command, operationOf } from '../../workflows/lifecycle.ts';
import {
  AN_HOUR_LATER as AT,
  COLLEAGUE,
  CUSTOMER,
  decision,
  SUPPORT,
  submittedState,
} from '../support/number-state.ts';

/** Of a category that takes two supporters to approve. */
const FOUR_EYES: Circumstances = { ...AT, approvalsNeeded: 2 };

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
const ask: Command = {
  type: 'ask',
  operationId: 'op_q',
  by: SUPPORT,
  stage: null,
  text: 'Which shop?',
  fields: ['address'],
  dueAt: '2026-11-04T10:00:00.000Z',
  remainingMs: 7_200_000,
};
const answer: Command = {
  type: 'answer',
  operationId: 'op_a',
  by: CUSTOMER,
  question: 'op_q',
  text: 'That one.',
  dueAt: '2026-11-05T08:00:00.000Z',
};
const COMMANDS = { approve, reject, fbApprove, fbReject, ask, answer, withdraw, release, edit };

/** Applies commands that must all be taken. */
const having = (...commands: Command[]) => havingAt(AT, ...commands);

function havingAt(at: Circumstances, ...commands: Command[]): { state: NumberState; events: NumberEvent[] } {
  return commands.reduce(
    (so, command) => {
      const outcome = apply(so.state, command, at);
      if ('refused' in outcome) throw new Error(`${operationOf(command)} refused: ${outcome.refused}`);
      return { state: outcome.state, events: [...so.events, ...outcome.events] };
    },
    { state: submittedState(), events: [] as NumberEvent[] },
  );
}

const STATES: Record<NumberStatus | 'HELD' | 'ASKED', NumberState> = {
  PENDING_VERIFICATION: having().state,
  HELD: having(fbApprove).state,
  ASKED: having(ask).state,
  PENDING_FACEBOOK_APPROVAL: having(approve).state,
  APPROVED: having(approve, fbApprove).state,
  REJECTED: having(reject).state,
  WITHDRAWN: having(withdraw).state,
  RELEASED: having(approve, fbApprove, release).state,
};

describe('every command in every state', () => {
  const no = {
    decided: 'already_decided',
    pending: 'not_pending',
    approved: 'not_approved',
    question: 'no_question',
  } as const;
  test.each<[keyof typeof STATES, Record<keyof typeof COMMANDS, string>]>([
    [
      'PENDING_VERIFICATION',
      {
        approve: 'PENDING_FACEBOOK_APPROVAL',
        reject: 'REJECTED',
        fbApprove: 'PENDING_VERIFICATION',
        fbReject: 'PENDING_VERIFICATION',
        ask: 'PENDING_VERIFICATION',
        answer: no.question,
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
        ask: 'PENDING_VERIFICATION',
        answer: no.question,
        withdraw: 'WITHDRAWN',
        release: no.approved,
        edit: no.approved,
      },
    ],
    [
      'ASKED',
      {
        approve: 'PENDING_FACEBOOK_APPROVAL',
        reject: 'REJECTED',
        fbApprove: 'PENDING_VERIFICATION',
        fbReject: 'PENDING_VERIFICATION',
        ask: 'PENDING_VERIFICATION',
        answer: 'PENDING_VERIFICATION',
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
        ask: 'PENDING_FACEBOOK_APPROVAL',
        answer: no.question,
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
        ask: no.pending,
        answer: no.question,
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
        ask: no.pending,
        answer: no.question,
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
        ask: no.pending,
        answer: no.question,
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
        ask: no.pending,
        answer: no.question,
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

  test('the end of a number with its account is told in the timeline, and in no email', () => {
    const byOperator = { by: { type: 'operator', id: null }, accountClosed: true } as const;
    for (const outcome of [
      having({ ...withdraw, ...byOperator }),
      having(approve, fbApprove, { ...release, ...byOperator }),
    ]) {
      expect(outcome.events.at(-1)).toMatchObject({ data: { accountClosed: true }, email: null });
    }
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

describe('four eyes', () => {
  const first: Command = { type: 'verify', decision: decision({ decisionId: 'op_1' }) };
  const second: Command = { type: 'verify', decision: decision({ decisionId: 'op_2', by: COLLEAGUE }) };

  test('a first approval is kept, and changes neither status nor due time', () => {
    const { state, events } = havingAt(FOUR_EYES, first);
    expect(state).toMatchObject({
      status: 'PENDING_VERIFICATION',
      revision: 2,
      verification: null,
      dueAt: submittedState().dueAt,
      approvals: [{ decisionId: 'op_1', by: SUPPORT, at: AT.now }],
    });
    expect(events).toMatchObject([{ type: 'verification.first_approval', revision: 2, email: null }]);
  });

  test('the second of another person verifies', () => {
    const { state, events } = havingAt(FOUR_EYES, first, second);
    expect(state).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      revision: 3,
      verification: { decisionId: 'op_2' },
      approvals: [{ by: SUPPORT }, { by: COLLEAGUE }],
    });
    expect(events.at(-1)).toMatchObject({ type: 'verification.approved', email: { kind: 'verified' } });
  });

  test('the same person cannot give both, nor can two sent by hand', () => {
    const { state } = havingAt(FOUR_EYES, first);
    const again: Command = { type: 'verify', decision: decision({ decisionId: 'op_3' }) };
    for (const command of [first, again])
      expect(apply(state, command, FOUR_EYES)).toEqual({ refused: 'second_approval_needed' });
    const byHand = (decisionId: string): Command => ({
      type: 'verify',
      decision: decision({ decisionId, by: { type: 'operator', id: null } }),
    });
    const { state: handed } = havingAt(FOUR_EYES, byHand('op_1'));
    expect(apply(handed, byHand('op_2'), FOUR_EYES)).toEqual({ refused: 'second_approval_needed' });
  });

  test('a rejection rejects at once, and the approval before it counts for nothing', () => {
    for (const by of [SUPPORT, COLLEAGUE]) {
      const no: Command = {
        type: 'verify',
        decision: decision({ decisionId: 'op_no', outcome: 'rejected', by }),
      };
      expect(havingAt(FOUR_EYES, first, no).state).toMatchObject({ status: 'REJECTED', approvals: [] });
    }
    expect(havingAt(FOUR_EYES, first, withdraw).state).toMatchObject({ status: 'WITHDRAWN', approvals: [] });
  });

  test('a held Facebook decision waits for the second', () => {
    expect(havingAt(FOUR_EYES, fbApprove, first).state.status).toBe('PENDING_VERIFICATION');
    expect(havingAt(FOUR_EYES, first, fbApprove, second).state).toMatchObject({
      status: 'APPROVED',
      revision: 5,
      approvals: [{ by: SUPPORT }, { by: COLLEAGUE }],
    });
  });

  test('where one is enough there are no approvals to list', () => {
    expect(having(approve).state.approvals).toEqual([]);
  });
});

describe('a question', () => {
  test('passes turn and due time to the customer, and tells them', () => {
    const { state, events } = having(ask);
    expect(state).toMatchObject({ status: 'PENDING_VERIFICATION', revision: 2, dueAt: ask.dueAt });
    expect(nextStep(state)).toEqual({
      waitingFor: 'customer',
      nextAction: { type: 'reply', fields: ['address'], dueAt: ask.dueAt },
    });
    expect(events).toMatchObject([
      {
        type: 'question.asked',
        data: { text: 'Which shop?', fields: ['address'], dueAt: ask.dueAt },
        email: {
          kind: 'comment',
          comment: { text: 'Which shop?', replyDueAt: ask.dueAt, fields: ['address'] },
        },
      },
    ]);
  });

  test('that is answered gives both back', () => {
    const { state, events } = having(ask, answer);
    expect(state).toMatchObject({
      status: 'PENDING_VERIFICATION',
      question: null,
      dueAt: answer.dueAt,
      waitingSince: submittedState().waitingSince,
    });
    expect(nextStep(state).waitingFor).toBe('support');
    expect(events.at(-1)).toMatchObject({
      type: 'question.answered',
      actor: CUSTOMER,
      data: { text: 'That one.' },
      email: null,
    });
    expect(having(approve, ask, answer).state).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      question: null,
    });
  });

  test('sent by hand without times counts by the clock', () => {
    const asked = having({ ...ask, dueAt: null, remainingMs: null }).state;
    expect(asked.dueAt).toBe('2026-11-05T10:00:00.000Z');
    // Of the 24 hours of verification one had passed.
    expect(asked.question?.remainingMs).toBe(23 * 3_600_000);
    const later = { ...AT, now: '2026-11-05T12:00:00.000Z' };
    expect(apply(asked, { ...answer, question: null, dueAt: null }, later)).toMatchObject({
      state: { dueAt: '2026-11-06T11:00:00.000Z' },
    });
    const overdue = { ...AT, now: '2026-12-01T00:00:00.000Z' };
    expect(apply(submittedState(), { ...ask, remainingMs: null }, overdue)).toMatchObject({
      state: { question: { remainingMs: 0 } },
    });
  });

  test('that is asked again takes the place of the first, and keeps the time that was left then', () => {
    const again: Command = { ...ask, operationId: 'op_q2', text: 'Which town?', remainingMs: 1 };
    const { state } = having(ask, again);
    expect(state.question).toMatchObject({
      operationId: 'op_q2',
      text: 'Which town?',
      remainingMs: 7_200_000,
    });
    expect(apply(state, answer, AT)).toEqual({ refused: 'no_question' });
    expect(apply(state, again, AT)).toEqual({ state, events: [] });
  });

  test('falls away with a decision and a withdrawal, and waits while a Facebook decision is held', () => {
    for (const end of [approve, reject, withdraw]) expect(having(ask, end).state.question).toBeNull();
    expect(having(approve, ask, fbApprove).state).toMatchObject({ status: 'APPROVED', question: null });
    expect(having(fbApprove, ask, approve).state).toMatchObject({ status: 'APPROVED', question: null });
    expect(having(ask, fbApprove).state.question).toMatchObject({ operationId: 'op_q' });
  });

  test('falls away with a first approval, too, and the review goes on', () => {
    const first: Command = { type: 'verify', decision: decision(), dueAt: '2026-11-06T09:00:00.000Z' };
    expect(havingAt(FOUR_EYES, ask, first).state).toMatchObject({ question: null, dueAt: first.dueAt });
    const byClock = havingAt(FOUR_EYES, ask, { ...first, dueAt: null }).state;
    expect(byClock.dueAt).toBe('2026-11-02T12:00:00.000Z');
  });

  test('about a stage that ended meanwhile is refused', () => {
    const seen: Command = { ...ask, stage: 'PENDING_VERIFICATION' };
    expect(apply(STATES.PENDING_FACEBOOK_APPROVAL, seen, AT)).toEqual({ refused: 'already_decided' });
  });
});

const anyPerson = fc.constantFrom(SUPPORT, COLLEAGUE, { type: 'operator' as const, id: null });
const anyDueAt = fc.option(
  fc
    .date({ min: new Date('2026-11-01'), max: new Date('2027-11-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
);
const anyStage = fc.constantFrom(null, 'PENDING_VERIFICATION' as const, 'PENDING_FACEBOOK_APPROVAL' as const);
/** Few, so that questions come again and answers find theirs. */
const anyQuestion = fc.constantFrom('op_q1', 'op_q2', 'op_q3');

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constantFrom('verify' as const, 'decideFacebook' as const),
    decision: fc
      .record({
        decisionId: fc.uuid(),
        by: anyPerson,
        outcome: fc.constantFrom('approved' as const, 'rejected' as const),
      })
      .map(decision),
    dueAt: anyDueAt,
  }),
  fc.record({
    type: fc.constant('ask' as const),
    operationId: anyQuestion,
    by: anyPerson,
    stage: anyStage,
    text: fc.string({ minLength: 1 }),
    fields: fc.constant<string[]>([]),
    dueAt: anyDueAt,
    remainingMs: fc.option(fc.nat()),
  }),
  fc.record({
    type: fc.constant('answer' as const),
    operationId: fc.uuid(),
    by: fc.constant(CUSTOMER),
    question: fc.option(anyQuestion),
    text: fc.string({ minLength: 1 }),
    dueAt: anyDueAt,
  }),
  fc.record({
    type: fc.constant('withdraw' as const),
    operationId: fc.uuid(),
    by: fc.constantFrom(CUSTOMER, SUPPORT),
    stage: anyStage,
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
  ...anyFromMeta(),
);

/** What is done at Meta and heard from there, in any order. */
function anyFromMeta(): fc.Arbitrary<Command>[] {
  const by = fc.constantFrom({ type: 'facebook' as const, id: null }, CUSTOMER);
  const operationId = fc.uuid();
  const until = anyDueAt;
  const result = fc.oneof(
    fc.constant({ done: true as const }),
    fc.record({
      done: fc.constant(false as const),
      turn: fc.constantFrom(...FACEBOOK_TURNS),
      problem: fc.record({
        message: fc.constantFrom('One', 'Two'),
        code: fc.option(fc.nat()),
        subcode: fc.constant(null),
        fbtraceId: fc.constant(null),
        until,
      }),
    }),
  );
  const name = fc.record({
    status: fc.constantFrom(...NAME_STATUSES),
    requestedName: fc.constantFrom(submittedState().profile.displayName, 'Another', null),
    reason: fc.constant(null),
  });
  const quality = fc.record(
    {
      connectionStatus: fc.constantFrom('CONNECTED', 'FLAGGED', 'PENDING'),
      color: fc.constantFrom(...QUALITY_COLORS),
    },
    { requiredKeys: [] },
  );
  const limit = fc.record({
    limit: fc.constantFrom(...MESSAGING_LIMITS),
    scope: fc.constantFrom(...LIMIT_SCOPES),
  });
  const heard = { source: fc.constantFrom(...SOURCES), at: fc.constantFrom('2026-11-02T10:00:00.000Z') };
  return [
    fc.record({
      type: fc.constant('facebookStep' as const),
      operationId,
      by,
      step: fc.constantFrom('add' as const, 'code' as const, 'register' as const, 'connect' as const),
      result,
      verified: fc.boolean(),
      codeAgain: fc.boolean(),
    }),
    fc.record({ type: fc.constantFrom('codeChecked' as const, 'sync' as const), operationId, by, result }),
    fc.record({
      type: fc.constantFrom('remindCustomer' as const, 'resumeFacebook' as const),
      operationId,
      by,
    }),
    fc.record({
      type: fc.constant('facebookNews' as const),
      operationId,
      news: fc.record(
        { ...heard, name, quality, limit, undecided: fc.boolean() },
        { requiredKeys: ['source', 'at'] },
      ),
    }),
  ];
}

const ORDER: NumberStatus[][] = [
  ['PENDING_VERIFICATION'],
  ['PENDING_FACEBOOK_APPROVAL'],
  ['APPROVED', 'REJECTED', 'WITHDRAWN'],
  ['RELEASED'],
];
const rank = (status: NumberStatus) => ORDER.findIndex((statuses) => statuses.includes(status));

test('any sequence of commands keeps the rules', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), fc.constantFrom(AT, FOUR_EYES), (commands, at) => {
      let state = submittedState();
      for (const command of commands) {
        const before = structuredClone(state);
        const outcome = apply(state, command, at);
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
        expectFourEyes(next, at.approvalsNeeded);
        if (next.question) {
          expect(isPending(next.status)).toBe(true);
          expect(nextStep(next)).toMatchObject({ waitingFor: 'customer', nextAction: { type: 'reply' } });
        }
        // Only the customer's answer, a decision or a withdrawal ends a question.
        if (state.question && !next.question)
          expect([
            ...['answer', 'verify', 'decideFacebook', 'withdraw'],
            // Facebook's decision on the name.
            ...['facebookNews', 'facebookStep'],
          ]).toContain(command.type);
        // What is to be done at Meta and whether the profile has reached it, only a number has that may be there.
        if (next.facebook || next.sync)
          expect(['PENDING_FACEBOOK_APPROVAL', 'APPROVED']).toContain(next.status);
        if (events.length === 0) expect(next).toEqual(state);
        if (!isLive(state.status)) expect(events).toEqual([]);
        state = next;
      }
    }),
    { numRuns: 2000 },
  );
});

/** An approval of the details takes as many persons as needed, and what came to none counts for nothing. */
function expectFourEyes({ status, verification, approvals }: NumberState, needed: number): void {
  const people = new Set(approvals.map(({ by }) => `${by.type} ${by.id}`));
  expect(people.size).toBe(approvals.length);
  if (verification?.outcome === 'approved') {
    expect(approvals.length).toBe(needed === 1 ? 0 : needed);
    if (needed > 1) expect(approvals.at(-1)).toEqual(verification);
  } else if (status === 'PENDING_VERIFICATION') {
    expect(approvals.length).toBeLessThan(needed);
  } else {
    expect(approvals).toEqual([]);
  }
}
