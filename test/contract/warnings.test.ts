import { describe, expect, it } from 'vitest';
import { type EarlierDecision, staffWarnings, submissionWarnings } from '../../contract/warnings.ts';

const GOOD = { mobileNumber: '+14155550123', displayName: 'Acme' };
const codes = (changes: Parameters<typeof staffWarnings>[0]) =>
  staffWarnings({ ...GOOD, ...changes }, []).map(({ code }) => code);

describe('a reviewer', () => {
  it.each([
    [{}, []],
    [{ mobileNumber: '+15555550123' }, ['number_not_valid']],
    [{ contactEmail: 'acme@gmail.com' }, ['contact_free_mail']],
    [{ contactEmail: 'acme@GMX.de', website: 'https://acme.com' }, ['contact_free_mail']],
    [{ contactEmail: 'hello@acme.com', website: 'https://acme.com' }, []],
    [{ contactEmail: 'hello@mail.acme.co.uk', website: 'https://www.acme.co.uk/shop' }, []],
    [{ contactEmail: 'hello@other.co.uk', website: 'https://acme.co.uk' }, ['website_other_domain']],
    [
      { contactEmail: 'hello@acme.com', website: 'https://acme.com.other.com/acme' },
      ['website_other_domain'],
    ],
    [{ contactEmail: 'hello@acme.com', website: null }, []],
    [{ contactEmail: null, website: 'https://acme.com' }, []],
  ])('of %j is warned of %j', (changes, expected) => {
    expect(codes(changes)).toEqual(expected);
  });

  it('learns how others ended', () => {
    const earlier: EarlierDecision = {
      numberId: 'num_1',
      account: { id: 'org_1', name: 'Other' },
      same: ['mobileNumber', 'website'],
      outcome: 'rejected',
      reason: 'Not yours.',
      at: '2026-11-03T10:00:00.000Z',
    };
    expect(staffWarnings(GOOD, [earlier])).toEqual([
      {
        code: 'earlier_decision',
        field: 'mobileNumber',
        detail: expect.stringMatching(
          /Other with the same mobile number and the same website was rejected on 2026-11-03.*Not yours\./,
        ),
        metaReason: null,
        earlier,
      },
    ]);
  });
});

describe('a customer', () => {
  it('is warned of the number and the name only', () => {
    const given = { ...GOOD, mobileNumber: '+15555550123', displayName: 'AB', contactEmail: 'ab@gmail.com' };
    expect(submissionWarnings(given).map(({ code, field }) => [code, field])).toEqual([
      ['number_not_valid', 'mobileNumber'],
      ['name_too_short', 'displayName'],
    ]);
  });

  it('is warned of what is filled in', () => {
    expect(submissionWarnings({})).toEqual([]);
    expect(submissionWarnings({ displayName: 'AB' })).toMatchObject([{ code: 'name_too_short' }]);
    expect(submissionWarnings({ mobileNumber: '+15555550123' })).toMatchObject([
      { code: 'number_not_valid' },
    ]);
  });
});
