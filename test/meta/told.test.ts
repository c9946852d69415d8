/** What Meta's webhooks mean, in the shapes that they have and have had. */
import { describe, expect, test } from 'vitest';
import { meaningOfChange } from '../../meta/told.ts';

const digits = { display_phone_number: '15550783881' };

describe('a name', () => {
  const told = (decision: unknown, reason: unknown = null) =>
    meaningOfChange('phone_number_name_update', {
      ...digits,
      decision,
      requested_verified_name: 'Lucky Shrub',
      rejection_reason: reason,
    }).news?.name;

  test('is approved, or looked at', () => {
    const requestedName = 'Lucky Shrub';
    const rest = { requestedName, reason: null, code: null };
    expect(told('APPROVED')).toEqual({ status: 'APPROVED', name: requestedName, ...rest });
    expect(told('PENDING')).toEqual({ status: 'PENDING_REVIEW', ...rest });
    expect(told('DEFERRED')).toEqual({ status: 'PENDING_REVIEW', ...rest });
    expect(told('A_NEW_WORD')).toEqual({ status: 'A_NEW_WORD', ...rest });
    expect(told(7)).toBeUndefined();
  });

  const reasons: [reason: string | null, words: RegExp, code: string | null][] = [
    ['NAME_EMPLOYEE_ISSUE', /person who works/, 'name_employee_issue'],
    ['NAME_ENDCLIENT_NOTRELATED', /belongs to your business/, 'name_endclient_notrelated'],
    ['NAME_FORMAT_UNACCEPTABLE', /how it is written/, 'name_format_unacceptable'],
    ['NAME_INDIVIDUAL_ISSUE', /private person/, 'name_individual_issue'],
    ['NAME_NOT_CONSISTENT', /your website/, 'name_not_consistent'],
    ['UNKNOWN', /did not say why/, 'unknown'],
    ['A_NEW_ONE', /did not say why/, 'a_new_one'],
    [null, /did not say why/, null],
  ];
  test.each(reasons)('is declined for %s', (reason, words, code) => {
    expect(told('REJECTED', reason)).toEqual({
      status: 'DECLINED',
      requestedName: 'Lucky Shrub',
      reason: expect.stringMatching(words),
      code,
    });
  });
});

describe('quality and limit of a number', () => {
  const portfolio = (limit: string) => ({ limit: { limit, scope: 'portfolio' } });
  const own = (limit: string) => ({ limit: { limit, scope: 'number' } });
  const shapes: [value: object, news: object][] = [
    [{ event: 'ONBOARDING', current_limit: 'TIER_250' }, own('TIER_250')],
    [{ event: 'THROUGHPUT_UPGRADE', current_limit: 'TIER_UNLIMITED' }, own('TIER_UNLIMITED')],
    [
      { event: 'THROUGHPUT_UPGRADE', max_daily_conversations_per_business: 'TIER_UNLIMITED' },
      portfolio('TIER_UNLIMITED'),
    ],
    [
      { event: 'ONBOARDING', current_limit: 'TIER_1K', max_daily_conversations_per_business: 'TIER_2K' },
      portfolio('TIER_2K'),
    ],
    [{ event: 'UPGRADE', old_limit: 'TIER_1K', current_limit: 'TIER_10K' }, own('TIER_10K')],
    [{ event: 'DOWNGRADE', old_limit: 'TIER_10K', current_limit: 'TIER_1K' }, own('TIER_1K')],
    [
      { event: 'FLAGGED', current_limit: 'TIER_10K' },
      { quality: { connectionStatus: 'FLAGGED' }, ...own('TIER_10K') },
    ],
    [{ event: 'UNFLAGGED' }, { quality: { connectionStatus: 'CONNECTED' } }],
    [{ event: 'ONBOARDING', current_limit: 'TIER_NOT_SET' }, {}],
    [{ event: 'SOMETHING_NEW', current_limit: 'TIER_1M' }, {}],
    [{}, {}],
  ];
  test.each(shapes)('%j', (value, news) => {
    expect(meaningOfChange('phone_number_quality_update', { ...digits, ...value })).toEqual({
      news,
      // The colour is in no webhook.
      read: 'number',
    });
  });

  const limits: [value: unknown, limit: string | null][] = [
    [250, 'TIER_250'],
    [2000, 'TIER_2K'],
    ['1000', 'TIER_1K'],
    ['100000', 'TIER_100K'],
    [-1, 'TIER_UNLIMITED'],
    ['-1', 'TIER_UNLIMITED'],
    ['TIER_2K', 'TIER_2K'],
    ['TIER_UNLIMITED', 'TIER_UNLIMITED'],
    [0, null],
    ['TIER_NOT_SET', null],
    [3000, null],
    [null, null],
    [{ value: 250 }, null],
  ];
  test.each(limits)('of the whole portfolio: %j', (value, limit) => {
    const told = meaningOfChange('business_capability_update', {
      max_daily_conversations_per_business: value,
      max_phone_numbers_per_business: 20,
    });
    expect(told).toEqual(limit === null ? {} : { shared: { limit, scope: 'portfolio' } });
  });

  test('of each number, as until February 2026', () => {
    expect(
      meaningOfChange('business_capability_update', { max_daily_conversation_per_phone: 10_000 }),
    ).toEqual({ shared: { limit: 'TIER_10K', scope: 'number' } });
  });
});

describe('an account', () => {
  const told = (value: object) => meaningOfChange('account_update', value);

  test('is restricted, for a time', () => {
    const { notice, read } = told({
      event: 'ACCOUNT_RESTRICTION',
      restriction_info: [
        { restriction_type: 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration: 1641330498 },
        { restriction_type: 'RESTRICTED_ADD_PHONE_NUMBER_ACTION', remediation: 'Wait' },
        'not an object',
        { expiration: 'soon' },
      ],
    });
    expect(read).toBe('account');
    expect(notice?.details).toEqual([
      'RESTRICTED_BIZ_INITIATED_MESSAGING, until 2022-01-04T21:08:18.000Z',
      'RESTRICTED_ADD_PHONE_NUMBER_ACTION, Wait',
    ]);
  });

  const events: [value: object, heading: RegExp, details: string[]][] = [
    [
      { event: 'ACCOUNT_VIOLATION', violation_info: { violation_type: 'ADULT' } },
      /violated its policy/,
      ['ADULT'],
    ],
    [
      {
        event: 'DISABLED_UPDATE',
        ban_info: { waba_ban_state: 'DISABLE', waba_ban_date: 'April 17, 2025' },
      },
      /has disabled/,
      ['April 17, 2025'],
    ],
    [{ event: 'DISABLED_UPDATE', ban_info: { waba_ban_state: 'SCHEDULE_FOR_DISABLE' } }, /will disable/, []],
    [
      {
        event: 'PARTNER_REMOVED',
        disconnection_info: { reason: 'ACCOUNT_DISCONNECTED', initiated_by: 'USER' },
      },
      /taken away/,
      ['ACCOUNT_DISCONNECTED', 'USER'],
    ],
    [{ event: 'PARTNER_REMOVED' }, /taken away/, []],
    [{ event: 'ACCOUNT_DELETED' }, /was deleted/, []],
    [{ event: 'ACCOUNT_OFFBOARDED' }, /taken off/, []],
  ];
  test.each(events)('%j: people are told, and its numbers are read', (value, heading, details) => {
    expect(told(value)).toEqual({
      notice: { heading: expect.stringMatching(heading), details, advice: expect.any(String) },
      read: 'account',
    });
  });

  test('is back: its numbers are read', () => {
    expect(told({ event: 'ACCOUNT_RECONNECTED' })).toEqual({ read: 'account' });
    expect(told({ event: 'DISABLED_UPDATE', ban_info: { waba_ban_state: 'REINSTATE' } })).toEqual({
      read: 'account',
    });
  });

  test.each([
    { event: 'PARTNER_ADDED' },
    { event: 'VOLUME_BASED_PRICING_TIER_UPDATE' },
    { event: 'constructor' },
    { event: 7 },
    {},
  ])('%j asks nothing of anybody', (value) => {
    expect(told(value)).toEqual({});
  });

  test('is rejected in its review', () => {
    expect(meaningOfChange('account_review_update', { decision: 'REJECTED' })).toMatchObject({
      notice: { heading: expect.stringMatching(/rejected/) },
    });
    expect(meaningOfChange('account_review_update', { decision: 'APPROVED' })).toEqual({});
  });

  test('has an alert, where that is more than information', () => {
    const alert = (info: object) =>
      meaningOfChange('account_alerts', { entity_type: 'WABA', entity_id: '1', alert_info: info });
    expect(
      alert({
        alert_severity: 'CRITICAL',
        alert_status: 'ACTIVE',
        alert_type: 'INCREASED_CAPABILITIES_ELIGIBILITY_FAILED',
        alert_description: 'Verify the business.',
      }),
    ).toMatchObject({
      notice: {
        details: ['CRITICAL', 'INCREASED_CAPABILITIES_ELIGIBILITY_FAILED', 'Verify the business.'],
      },
    });
    expect(alert({ alert_severity: 'INFORMATIONAL', alert_status: 'ACTIVE' })).toEqual({});
    expect(alert({ alert_severity: 'WARNING', alert_status: 'NONE' })).toEqual({});
  });
});

test('the PIN of a number was changed', () => {
  expect(meaningOfChange('security', { ...digits, event: 'constructor' })).toEqual({});
  const told = meaningOfChange('security', { ...digits, event: 'PIN_CHANGED', requester: '123' });
  expect(told).toMatchObject({ notice: { heading: expect.stringMatching(/PIN/), details: ['123'] } });
  expect(meaningOfChange('security', { ...digits, event: 'A_NEW_ONE' })).toEqual({});
});

test.each(['flows', 'message_template_status_update', 'a_new_field', 'constructor', ''])(
  'a field that is not known asks nothing of anybody: %s',
  (field) => {
    expect(meaningOfChange(field, { event: 'ANYTHING' })).toEqual({});
  },
);

test.each([null, 'text', 7, [], [{ event: 'ACCOUNT_DELETED' }]])(
  'nor does one that has another form: %j',
  (value) => {
    expect(meaningOfChange('account_update', value)).toEqual({});
  },
);
