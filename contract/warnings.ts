/**
 * What a reviewer should look at before deciding. A warning refuses nothing, and each says what to look at. Those
 * about the name and the number are also told to the customer who asks before sending; the others are for staff.
 */
import freeMailDomains from 'email-providers';
import { getDomain } from 'tldts';
import { z } from 'zod';
import { META_NAME_REASONS, NAME_WARNING_CODES, nameWarnings } from './display-name.ts';
import { FIELD_NAMES } from './number.ts';
import { isValidMobileNumber } from './phone.ts';
import { about, time } from './views.ts';

const WARNING_CODES = [
  'number_not_valid',
  'contact_free_mail',
  'website_other_domain',
  ...NAME_WARNING_CODES,
  'earlier_decision',
] as const;

export const FIELDS_IN_COMMON = ['mobileNumber', 'displayName', 'website'] as const;
export type FieldInCommon = (typeof FIELDS_IN_COMMON)[number];

export const warningView = z
  .object({
    code: z.enum(WARNING_CODES).meta(about('What kind of warning. The list may grow.', 'name_all_caps')),
    field: z.enum(FIELD_NAMES).describe('The field to look at.'),
    detail: z
      .string()
      .meta(about('What to look at.', 'Capital letters only. Check that the brand is written so.')),
    metaReason: z
      .enum(META_NAME_REASONS)
      .nullable()
      .describe('For a display name: the reason that Meta would give.'),
  })
  .meta({ id: 'Warning', description: 'Something to look at twice; nothing that refuses the number.' });
export type Warning = z.output<typeof warningView>;

const earlierDecisionView = z
  .object({
    numberId: z.string().meta(about('The other number.', 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
    account: z
      .object({
        id: z.string().meta(about('The account.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
        name: z.string().meta(about('What it is called.', 'Widgets Inc.')),
      })
      .describe('Whose it was.'),
    same: z.array(z.enum(FIELDS_IN_COMMON)).describe('What it has in common with this one.'),
    outcome: z.enum(['approved', 'rejected', 'withdrawn', 'released']).describe('How it ended.'),
    reason: z
      .string()
      .nullable()
      .meta(about('Why it was rejected; null where it was not.', 'The address belongs to another company.')),
    at: time.describe('When it was decided.'),
  })
  .meta({ id: 'EarlierDecision', description: 'How another submission ended, in whatever account.' });
export type EarlierDecision = z.output<typeof earlierDecisionView>;

export const staffWarningView = warningView
  .extend({
    earlier: earlierDecisionView.nullable().describe('For `earlier_decision`: which; null for any other.'),
  })
  .meta({ id: 'StaffWarning', description: 'A warning as reviewers see it.' });
export type StaffWarning = z.output<typeof staffWarningView>;

/** What the warnings are about. A customer who asks may not have filled in all of it. */
interface Given {
  mobileNumber?: string | undefined;
  displayName?: string | undefined;
  contactEmail?: string | null | undefined;
  website?: string | null | undefined;
}

const FREE_MAIL = new Set(freeMailDomains);

/** About the number and the name: what also the customer is told. */
export function submissionWarnings({ mobileNumber, displayName, website = null }: Given): Warning[] {
  const warnings: Warning[] = [];
  if (mobileNumber !== undefined && !isValidMobileNumber(mobileNumber)) {
    const detail = "Does not fit its country's numbering plan. Check that no digit is wrong or missing.";
    warnings.push({ code: 'number_not_valid', field: 'mobileNumber', detail, metaReason: null });
  }
  if (displayName === undefined) return warnings;
  const aboutName = nameWarnings(displayName, website).map(
    ({ code, metaReason, detail }): Warning => ({ code, field: 'displayName', detail, metaReason }),
  );
  return [...warnings, ...aboutName];
}

/** All that a reviewer is told. */
export function staffWarnings(number: Given, earlier: EarlierDecision[]): StaffWarning[] {
  return [
    ...[...submissionWarnings(number), ...contactWarnings(number)].map((warning) => ({
      ...warning,
      earlier: null,
    })),
    ...earlier.map(earlierWarning),
  ];
}

function contactWarnings({ contactEmail, website }: Given): Warning[] {
  const contactDomain = contactEmail?.split('@')[1]?.toLowerCase();
  if (contactDomain === undefined) return [];
  if (FREE_MAIL.has(contactDomain)) {
    const detail = `${contactDomain} gives addresses to anybody. Check that it is the business that writes.`;
    return [{ code: 'contact_free_mail', field: 'contactEmail', detail, metaReason: null }];
  }
  const ofWebsite = website ? getDomain(website) : null;
  if (ofWebsite === null || getDomain(contactDomain) === ofWebsite) return [];
  const detail = `The website is at ${ofWebsite}, the contact email at ${contactDomain}. Check that both are of the business.`;
  return [{ code: 'website_other_domain', field: 'website', detail, metaReason: null }];
}

const SAID: Record<FieldInCommon, string> = {
  mobileNumber: 'the same mobile number',
  displayName: 'the same name',
  website: 'the same website',
};

function earlierWarning(earlier: EarlierDecision): StaffWarning {
  const { same, outcome, account, at, reason } = earlier;
  const common = same.map((field) => SAID[field]).join(' and ');
  const why = reason === null ? '' : ` Reason: ${reason}`;
  return {
    code: 'earlier_decision',
    field: same[0] ?? 'displayName',
    detail: `A submission of ${account.name} with ${common} was ${outcome} on ${at.slice(0, 10)}. Look at whether that bears on this one.${why}`,
    metaReason: null,
    earlier,
  };
}
