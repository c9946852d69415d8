import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isApprovalInput,
  readDecision,
  readEdit,
  readRelease,
  readWithdrawal,
} from '../../workflows/guards.ts';

const defaults = { attempt: 2, newId: () => 'drawn' };

describe('decisions sent by hand', () => {
  test('what is left out is filled in', () => {
    expect(readDecision({ outcome: 'approved' }, defaults)).toEqual({
      value: {
        decisionId: 'drawn',
        outcome: 'approved',
        reason: null,
        code: null,
        fields: [],
        by: { type: 'operator', id: null },
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
    [{ outcome: 'approved', fields: ['colour'] }],
    [{ outcome: 'approved', code: 'two words' }],
    ['unreadable payload'],
  ])('junk is named: %j', (raw) => {
    expect(readDecision(raw, defaults).problem).toEqual(expect.any(String));
  });
});

test('who decided is kept with the name, where one is sent', () => {
  const by = { type: 'support', id: 'usr_1', name: 'Sam Support', email: 'x' };
  expect(readDecision({ outcome: 'approved', by }, defaults).value?.by).toEqual({
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
    expect(readEdit(raw).problem).toEqual(expect.any(String));
  });
});

test('no JSON value makes a guard throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (raw) => {
      for (const read of [readDecision, readWithdrawal, readRelease]) read(raw, defaults);
      readEdit(raw);
      readEdit({ changes: raw });
      isApprovalInput(raw);
    }),
  );
});
