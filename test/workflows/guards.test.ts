import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isApprovalInput,
  readAnswer,
  readCode,
  readDecision,
  readEdit,
  readNews,
  readQuestion,
  readRelease,
  readResumption,
  readWithdrawal,
} from '../../workflows/guards.ts';
import { apply } from '../../workflows/lifecycle.ts';
import { decision, submittedState } from '../support/number-state.ts';

const input = () => ({
  numberId: 'num_1',
  accountId: 'org_1',
  mobileNumber: '+15555550123',
  settings: { facebookDueMs: 3_600_000 },
  state: submittedState(),
});
const defaults = { attempt: 2, newId: () => 'drawn' };

describe('decisions sent by hand', () => {
  test('what is left out is filled in', () => {
    expect(readDecision({ outcome: 'approved' }, defaults)).toEqual({
      value: {
        decision: {
          decisionId: 'drawn',
          outcome: 'approved',
          reason: null,
          code: null,
          fields: [],
          by: { type: 'operator', id: null },
        },
        dueAt: null,
      },
    });
  });

  test.each([
    [undefined],
    [null],
    ['approved'],
    [[]],
    [{}],
    [{ outcome: 'maybe' }],
    [{ outcome: 'rejected' }],
    [{ outcome: 'rejected', reason: '  ' }],
    [{ outcome: 'rejected', reason: 7 }],
    [{ outcome: 'rejected', reason: 'a\u0000b' }],
    [{ outcome: 'rejected', reason: '\ud800' }],
    [{ outcome: 'rejected', reason: 'x'.repeat(1001) }],
    [{ outcome: 'approved', attempt: 1 }],
    [{ outcome: 'approved', attempt: '2' }],
    [{ outcome: 'approved', by: 'me' }],
    [{ outcome: 'approved', by: { type: 'stranger', id: null } }],
    [{ outcome: 'approved', decisionId: 5 }],
    [{ outcome: 'approved', code: {} }],
    [{ outcome: 'approved', fields: 'address' }],
    [{ outcome: 'approved', fields: [1] }],
    ['unreadable payload'],
  ])('junk is named: %j', (raw) => {
    expect(readDecision(raw, defaults).problem).toEqual(expect.any(String));
  });
});

test('what a customer could make nothing of is left out of a decision', () => {
  const raw = { outcome: 'approved', fields: ['colour', 'website', 'displayName'], code: 'two words' };
  expect(readDecision(raw, defaults).value?.decision).toMatchObject({
    fields: ['website', 'displayName'],
    code: null,
  });
});

test('who decided is kept with the name, where one is sent', () => {
  const by = { type: 'support', id: 'usr_1', name: 'Sam Support', email: 'x' };
  expect(readDecision({ outcome: 'approved', by }, defaults).value?.decision.by).toEqual({
    type: 'support',
    id: 'usr_1',
    name: 'Sam Support',
  });
});

test('a withdrawal or a release needs nothing but the right attempt', () => {
  expect(readWithdrawal(undefined, defaults)).toMatchObject({ value: { operationId: 'drawn', stage: null } });
  expect(readRelease({}, defaults)).toMatchObject({ value: { operationId: 'drawn' } });
  expect(readWithdrawal({ stage: 'APPROVED' }, defaults).problem).toBeDefined();
  expect(readRelease({ attempt: 1 }, defaults).problem).toBeDefined();
  for (const read of [readWithdrawal, readRelease]) {
    expect(read({ accountClosed: true }, defaults)).toMatchObject({ value: { accountClosed: true } });
    expect(read({ accountClosed: 'true' }, defaults)).toMatchObject({ value: { accountClosed: false } });
  }
});

describe('questions and answers sent by hand', () => {
  test('need a text; what else is left out is filled in', () => {
    expect(readQuestion({ text: 'Which shop?' }, defaults)).toEqual({
      value: {
        operationId: 'drawn',
        by: { type: 'operator', id: null },
        stage: null,
        text: 'Which shop?',
        fields: [],
        dueAt: null,
        remainingMs: null,
      },
    });
    expect(readAnswer({ text: 'That one' }, defaults)).toEqual({
      value: {
        operationId: 'drawn',
        by: { type: 'operator', id: null },
        question: null,
        text: 'That one',
        dueAt: null,
      },
    });
  });

  test('have times in one form, and fields that there are', () => {
    const raw = { text: 'x', dueAt: '2026-12-01T12:00:00+02:00', fields: ['colour', 'website'] };
    expect(readQuestion(raw, defaults).value).toMatchObject({
      dueAt: '2026-12-01T10:00:00.000Z',
      fields: ['website'],
    });
  });

  const bad: [object][] = [
    [{}],
    [{ text: 7 }],
    [{ text: ' \n' }],
    [{ text: 'x'.repeat(2001) }],
    [{ text: 'a\u0000b' }],
    [{ text: '\ud800' }],
    [{ text: 'x', attempt: 1 }],
    [{ text: 'x', by: 'me' }],
    [{ text: 'x', operationId: 5 }],
    [{ text: 'x', dueAt: 'soon' }],
    [{ text: 'x', dueAt: '2026' }],
    // JavaScript knows these years, PostgreSQL or Temporal does not.
    [{ text: 'x', dueAt: '+275760-09-13T00:00:00.000Z' }],
    [{ text: 'x', dueAt: '0000-01-01T00:00:00.000Z' }],
    [{ text: 'x', dueAt: 1_700_000_000_000 }],
  ];
  test.each(bad)('junk is named: %j', (raw) => {
    expect(readQuestion(raw, defaults).problem).toEqual(expect.any(String));
    expect(readAnswer(raw, defaults).problem).toEqual(expect.any(String));
  });

  test.each([
    [{ text: 'x', fields: 'address' }],
    [{ text: 'x', fields: [1] }],
    [{ text: 'x', stage: 'APPROVED' }],
    [{ text: 'x', remainingMs: -1 }],
    [{ text: 'x', remainingMs: '5' }],
    [{ text: 'x', remainingMs: 1e300 }],
  ])('so is junk of a question: %j', (raw) => {
    expect(readQuestion(raw, defaults).problem).toEqual(expect.any(String));
  });

  test('an answer to what is no id is junk', () => {
    expect(readAnswer({ text: 'x', question: 7 }, defaults).problem).toEqual(expect.any(String));
  });
});

test('a due time of a decision that is none counts by the clock', () => {
  const dueAt = (given: unknown) =>
    readDecision({ outcome: 'approved', dueAt: given }, defaults).value?.dueAt;
  expect(dueAt('2026-12-01T12:00:00Z')).toBe('2026-12-01T12:00:00.000Z');
  expect([dueAt('soon'), dueAt({}), dueAt(7)]).toEqual([null, null, null]);
});

describe('edits sent by hand', () => {
  test('an empty text clears an optional field', () => {
    expect(readEdit({ changes: { website: '' } }).value?.changes).toEqual({ website: null });
  });

  test.each([
    [undefined],
    [{}],
    [{ changes: [] }],
    [{ changes: { mobileNumber: '+15555550123' } }],
    [{ changes: { displayName: null } }],
    [{ changes: { displayName: 'x' } }],
    [{ changes: { displayName: 'x'.repeat(76) } }],
    [{ changes: { displayName: { $gt: '' } } }],
    [{ changes: { businessCategory: 'toString' } }],
    [{ changes: { businessCategory: null } }],
    [{ changes: { address: 'a\u0000' } }],
    [{ changes: { displayName: 'two\nlines' } }],
    [{ changes: { website: 'javascript:alert(1)' } }],
    [{ changes: { incomingUrl: 'ftp://example.com' } }],
    [{ changes: { contactEmail: 'nobody' } }],
    [{ changes: { constructor: 'x' } }],
    [{ changes: {}, expectedRevision: '3' }],
    [{ changes: {}, by: 1 }],
  ])('junk is named: %j', (raw) => {
    expect(readEdit(raw, { strict: true }).problem).toEqual(expect.any(String));
  });
});

test('what was sent is not repeated, however long or deep it is', () => {
  const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
  const long = 'x'.repeat(1_000_000);
  const problems = [
    readDecision({ outcome: 'approved', attempt: deep }, defaults).problem,
    readDecision({ outcome: long, by: { type: 'support', id: 'a' } }, defaults).problem,
    readDecision({ outcome: 'approved', fields: [deep] }, defaults).problem,
    readWithdrawal({ stage: deep }, defaults).problem,
    readQuestion({ text: long }, defaults).problem,
    readQuestion({ text: 'x', dueAt: long, fields: deep }, defaults).problem,
    readAnswer({ text: 'x', question: deep }, defaults).problem,
    readEdit({ changes: { [long]: 'x' } }).problem,
    readEdit({ changes: { address: deep } }).problem,
  ];
  for (const problem of problems) expect(problem?.length).toBeLessThan(200);
  expect(isApprovalInput({ ...input(), state: { ...input().state, verification: deep } })).toBe(false);
});

describe('a start input', () => {
  test('of ours is taken', () => {
    expect(isApprovalInput(input())).toBe(true);
    const { state } = input();
    const at = state.submittedAt;
    const by = { type: 'operator', id: null };
    const decided = { ...decision(), at };
    expect(
      isApprovalInput({
        ...input(),
        maxHistory: 30,
        carried: { appliedEdits: ['op_1', 'x'.repeat(1_000)] },
        state: {
          ...state,
          status: 'WITHDRAWN',
          verification: decided,
          facebookDecision: decided,
          ending: { operationId: 'op_w', by, at },
          approvals: [decided],
          question: { operationId: 'op_q', text: 'Which?', fields: ['address'], at, by, remainingMs: 5 },
        },
      }),
    ).toBe(true);
  });

  const state = (changes: object) => ({ ...input(), state: { ...input().state, ...changes } });

  test('a question that left the stage more than a year, as due times sent by hand may have it', () => {
    const at = { now: '2026-11-23T08:00:00.000Z', facebookDueMs: 1, replyDueMs: 1, approvalsNeeded: 1 };
    const asked = readQuestion({ text: 'Which?', attempt: 2 }, defaults).value ?? expect.fail('refused');
    const outcome = apply(
      submittedState({ dueAt: '2099-12-31T00:00:00.000Z' }),
      { type: 'ask', ...asked },
      at,
    );
    const next = 'state' in outcome ? outcome.state : expect.fail(outcome.refused);
    expect(isApprovalInput(state(next))).toBe(true);
    const { remainingMs } = next.question ?? expect.fail('no question');
    expect(readQuestion({ text: 'Which?', remainingMs }, defaults).problem).toBeUndefined();
  });

  test.each([
    [null],
    [{}],
    [{ a: 1 }],
    [{ ...input(), numberId: 5 }],
    [{ ...input(), settings: {} }],
    [{ ...input(), settings: { facebookDueMs: 1e300 } }],
    [{ ...input(), settings: { facebookDueMs: Number.NaN } }],
    [{ ...input(), settings: { facebookDueMs: 1, approvalsNeeded: 3 } }],
    [{ ...input(), settings: { facebookDueMs: 1, approvalsNeeded: '2' } }],
    [{ ...input(), settings: { facebookDueMs: 1, replyDueMs: -1 } }],
    [{ ...input(), maxHistory: 'x' }],
    [{ ...input(), carried: { appliedEdits: 5 } }],
    [{ ...input(), carried: 5 }],
    [state({ status: 'OPEN' })],
    [state({ waitingSince: 5 })],
    [state({ dueAt: 'soon' })],
    [state({ updatedAt: null })],
    [state({ verification: 'x' })],
    [state({ verification: { outcome: 'approved' } })],
    [state({ facebookDecision: {} })],
    [state({ ending: {} })],
    [state({ approvals: [{}] })],
    [state({ question: {} })],
    [state({ question: { operationId: 'op', text: '', fields: [], at: 'now', by: {}, remainingMs: 1 } })],
    [state({ facebook: { step: 'dance' } })],
    [state({ facebook: { step: 'code', turn: 'customer', since: 'now', codeMethod: null, problem: null } })],
    [state({ whatsappName: { status: 'APPROVED' } })],
    [state({ quality: { qualityRating: 'GOOD' } })],
    [state({ sync: { state: 'lost', reason: null, at: '2026-11-02T09:00:00.000Z', differences: [] } })],
    [{ ...input(), settings: { facebookDueMs: 1, meta: 'yes' } }],
    [state({ revision: 1.5 })],
    [state({ profile: null })],
    [state({ profile: { displayName: 5 } })],
    [state({ profile: { ...input().state.profile, website: 5 } })],
  ])('of another form is not: %j', (raw) => {
    expect(isApprovalInput(raw)).toBe(false);
  });
});

describe('news of Meta', () => {
  const at = '2026-11-23T08:00:00Z';
  const news = (parts: object) => ({ source: 'webhook', at, ...parts });

  test('is read with what is left out filled in, and nothing that is not known', () => {
    const raw = news({ quality: { connectionStatus: 'A_NEW_WORD' }, extra: 1, undecided: 'yes' });
    expect(readNews(raw, defaults)).toEqual({
      value: {
        operationId: 'drawn',
        news: {
          source: 'webhook',
          at: '2026-11-23T08:00:00.000Z',
          quality: { connectionStatus: 'A_NEW_WORD' },
        },
      },
    });
  });

  test.each([
    [undefined],
    ['junk'],
    [{ source: 'webhook' }],
    [{ source: 'rumour', at }],
    [{ source: 'poll', at: 'soon' }],
    [{ source: 'poll', at: '+275760-09-13T00:00:00.000Z' }],
    [news({ operationId: 5 })],
    [news({ name: 'Widgets' })],
    [news({ name: { status: '', requestedName: null, reason: null } })],
    [news({ name: { status: 'DECLINED', requestedName: 'a\u0000b', reason: null } })],
    [news({ name: { status: 'DECLINED', requestedName: null, reason: null, code: 'two words' } })],
    [news({ quality: { color: 'BLUE' } })],
    [news({ quality: { connectionStatus: 7 } })],
    [news({ limit: { limit: 'TIER_3', scope: 'number' } })],
    [news({ limit: { limit: 'TIER_250', scope: 'world' } })],
    [news({ differences: [{ field: 'address' }] })],
    [news({ differences: [{ field: '', theirs: null }] })],
  ])('that is none is named: %j', (raw) => {
    expect(readNews(raw, defaults).problem).toEqual(expect.any(String));
  });

  test('leaves a state that can be continued with', () => {
    const name = {
      status: 'DECLINED',
      name: 'x'.repeat(512),
      requestedName: 'y'.repeat(512),
      reason: 'z'.repeat(1000),
      code: 'name_format_unacceptable',
    };
    const raw = news({
      name,
      quality: { connectionStatus: 'C'.repeat(64), color: 'RED' },
      limit: { limit: 'TIER_2K', scope: 'portfolio' },
    });
    const heard = readNews(raw, defaults).value ?? expect.fail('refused');
    const circumstances = { now: at, facebookDueMs: 1, replyDueMs: 1, approvalsNeeded: 1 };
    const outcome = apply(submittedState(), { type: 'facebookNews', ...heard }, circumstances);
    const state = 'state' in outcome ? outcome.state : expect.fail(outcome.refused);
    expect(isApprovalInput({ ...input(), state })).toBe(true);
  });
});

test('a code that was entered, and what lets a number go on, are for this attempt', () => {
  expect(readCode(undefined, defaults)).toEqual({
    value: { operationId: 'drawn', by: { type: 'operator', id: null } },
  });
  expect(readCode({ attempt: 1 }, defaults).problem).toContain('another attempt');
  expect(readResumption({ method: 'VOICE' }, defaults).value).toMatchObject({ method: 'VOICE' });
  expect(readResumption({}, defaults).value).not.toHaveProperty('method');
  expect(readResumption({ method: 'PIGEON' }, defaults).problem).toContain('SMS or VOICE');
});

test('no JSON value makes a guard throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (raw) => {
      for (const read of [readDecision, readQuestion, readAnswer, readWithdrawal, readRelease, readNews])
        read(raw, defaults);
      for (const read of [readCode, readResumption]) read(raw, defaults);
      const parts = { name: raw, quality: raw, limit: raw, differences: raw, undecided: raw };
      for (const [part, value] of Object.entries(parts))
        readNews({ source: 'poll', at: '2026-11-23T08:00:00Z', [part]: value }, defaults);
      readQuestion({ text: 'x', dueAt: raw, remainingMs: raw, stage: raw, fields: raw }, defaults);
      readEdit(raw);
      readEdit({ changes: raw });
      isApprovalInput(raw);
    }),
  );
});
