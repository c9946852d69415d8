/** Meta's words as ours, in the shapes of its documentation and those that were met. */
import { expect, test } from 'vitest';
import type { Node } from '../../meta/answers.ts';
import {
  capabilityUpdate,
  colorOf,
  limitOf,
  nameUpdate,
  newsOfNode,
  qualityUpdate,
} from '../../meta/translate.ts';

test.each([
  ['TIER_1K', 'TIER_1K'],
  ['TIER_2K', 'TIER_2K'],
  ['TIER_UNLIMITED', 'TIER_UNLIMITED'],
  [2000, 'TIER_2K'],
  ['1000', 'TIER_1K'],
  [' 100000 ', 'TIER_100K'],
  [-1, 'TIER_UNLIMITED'],
  ['-1', 'TIER_UNLIMITED'],
  ['TIER_NOT_SET', null],
  ['TIER_3M', null],
  [777, null],
  [null, null],
  [undefined, null],
  [{}, null],
  ['constructor', null],
])('the limit %o is %s', (value, limit) => {
  expect(limitOf(value)).toBe(limit);
});

test.each([
  ['GREEN', 'GREEN'],
  ['RED', 'RED'],
  ['NA', 'UNKNOWN'],
  ['PURPLE', 'UNKNOWN'],
])('the rating %s is %s', (value, color) => {
  expect(colorOf(value)).toBe(color);
});

test('name updates: the decision as the status of the name that was asked for', () => {
  const update = (decision: string, rejection_reason: string | null = null) =>
    nameUpdate({
      display_phone_number: '15550783881',
      decision,
      requested_verified_name: 'Lucky Shrub',
      rejection_reason,
    }).name;
  expect(update('APPROVED')).toEqual({
    status: 'APPROVED',
    name: 'Lucky Shrub',
    requestedName: 'Lucky Shrub',
    reason: null,
    code: null,
  });
  expect(update('REJECTED', 'NAME_EMPLOYEE_ISSUE')).toMatchObject({
    status: 'DECLINED',
    code: 'name_employee_issue',
    reason: expect.stringMatching(/person who works for the business/),
  });
  expect(update('REJECTED', 'UNKNOWN')?.reason).toMatch(/did not say why/);
  expect(update('REJECTED', 'SOMETHING_NEW')?.reason).toMatch(/did not say why/);
  expect(update('REJECTED', 'toString')?.reason).toMatch(/did not say why/);
  expect(update('DEFERRED')).toMatchObject({ status: 'PENDING_REVIEW', reason: null });
  expect(update('PENDING')).toMatchObject({ status: 'PENDING_REVIEW' });
  expect(update('ESCALATED')).toMatchObject({ status: 'ESCALATED', reason: null });
  expect(nameUpdate({ decision: 7 })).toEqual({});
});

test('quality and limit updates, of today and of before', () => {
  expect(qualityUpdate({ event: 'THROUGHPUT_UPGRADE', current_limit: 'TIER_UNLIMITED' })).toEqual({
    limit: { limit: 'TIER_UNLIMITED', scope: 'number' },
  });
  expect(
    qualityUpdate({
      event: 'ONBOARDING',
      max_daily_conversations_per_business: 'TIER_2K',
      current_limit: 'TIER_1K',
    }),
  ).toEqual({ limit: { limit: 'TIER_2K', scope: 'portfolio' } });
  expect(qualityUpdate({ event: 'FLAGGED', current_limit: 'TIER_10K' })).toEqual({
    quality: { connectionStatus: 'FLAGGED' },
    limit: { limit: 'TIER_10K', scope: 'number' },
  });
  expect(qualityUpdate({ event: 'UNFLAGGED' })).toEqual({ quality: { connectionStatus: 'CONNECTED' } });
  expect(qualityUpdate({ event: 'valueOf' })).toEqual({});
  expect(qualityUpdate({ event: 'UPGRADE', old_limit: 'TIER_1K', current_limit: 'TIER_NOT_SET' })).toEqual(
    {},
  );
  expect(capabilityUpdate({ max_daily_conversations_per_business: '1000' })).toEqual({
    limit: { limit: 'TIER_1K', scope: 'portfolio' },
  });
  expect(capabilityUpdate({ max_daily_conversation_per_phone: -1 })).toEqual({
    limit: { limit: 'TIER_UNLIMITED', scope: 'number' },
  });
});

const node = (fields: Partial<Node>): Node => ({ id: '1', ...fields }) as Node;

test('a node: a changed name is told apart from the one that is shown', () => {
  expect(newsOfNode(node({}), 'Bush')).toEqual({});
  expect(newsOfNode(node({ verified_name: 'Shrub', name_status: 'APPROVED' }), 'Shrub').name).toEqual({
    status: 'APPROVED',
    name: 'Shrub',
    requestedName: 'Shrub',
    reason: null,
  });
  const changed = { verified_name: 'Shrub', name_status: 'APPROVED', new_name_status: 'DECLINED' };
  expect(newsOfNode(node(changed), 'Bush').name).toEqual({
    status: 'DECLINED',
    name: 'Shrub',
    requestedName: 'Bush',
    reason: expect.stringMatching(/^Meta declined/),
  });
  // The change was not asked for, or is not known to Meta: nothing is said of it.
  expect(newsOfNode(node({ ...changed, new_name_status: 'NONE' }), 'Bush').name).toMatchObject({
    status: 'APPROVED',
    requestedName: 'Shrub',
  });
  expect(
    newsOfNode(node({ verified_name: 'Shrub', name_status: 'PENDING_REVIEW' }), 'Shrub').name,
  ).not.toHaveProperty('name');
});

test.each<[string, Partial<Node>, string | null, object]>([
  [
    'refused, asked for again, reviewed',
    { name_status: 'DECLINED', new_name_status: 'PENDING_REVIEW' },
    'Shrub',
    { status: 'PENDING_REVIEW', requestedName: 'Shrub' },
  ],
  [
    'and told by name',
    { name_status: 'DECLINED', new_display_name: 'Shrub', new_name_status: 'APPROVED' },
    'Shrub',
    { status: 'APPROVED', requestedName: 'Shrub' },
  ],
  [
    'refused, and another approved',
    { name_status: 'DECLINED', new_display_name: 'Bush', new_name_status: 'APPROVED' },
    'Bush',
    { status: 'APPROVED', requestedName: 'Bush' },
  ],
  [
    'approved, and another approved',
    { name_status: 'APPROVED', new_name_status: 'APPROVED' },
    'Bush',
    { status: 'APPROVED', name: 'Shrub', requestedName: 'Bush' },
  ],
  [
    'shown, and an old change of it',
    { name_status: 'APPROVED', new_name_status: 'PENDING_REVIEW' },
    'Shrub',
    { status: 'APPROVED', name: 'Shrub', requestedName: 'Shrub' },
  ],
  [
    'without a change',
    { name_status: 'DECLINED', new_name_status: 'NON_EXISTS' },
    'Shrub',
    { status: 'DECLINED', requestedName: 'Shrub' },
  ],
])('a node: a name that was %s', (_, fields, lastAsked, expected) => {
  const { name } = newsOfNode(node({ verified_name: 'Shrub', ...fields }), lastAsked);
  expect({ ...name, reason: undefined }).toEqual({ reason: undefined, ...expected });
});

test("a node: the portfolio's limit comes before the number's own", () => {
  const limits = { whatsapp_business_manager_messaging_limit: 'TIER_2K', messaging_limit_tier: 'TIER_1K' };
  expect(newsOfNode(node(limits), null)).toEqual({ limit: { limit: 'TIER_2K', scope: 'portfolio' } });
  expect(newsOfNode(node({ messaging_limit_tier: 'TIER_1K' }), null)).toEqual({
    limit: { limit: 'TIER_1K', scope: 'number' },
  });
  expect(newsOfNode(node({ status: 'HIBERNATING', quality_rating: 'NA' }), null)).toEqual({
    quality: { connectionStatus: 'HIBERNATING', color: 'UNKNOWN' },
  });
});
