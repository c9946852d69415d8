/** What lists can be asked for. */
import { z } from 'zod';
import { QUALITY_RATINGS } from './facebook.ts';
import { NUMBER_STATUSES, WAITING_FOR } from './number.ts';
import { parseMobileNumber } from './phone.ts';
import { about } from './views.ts';

/** An id in a path or a query. One that is none of ours names nothing. */
export const anyId = z.string().max(100);

export const pageQuery = {
  limit: z.coerce
    .number<number>('Send a number from 1 to 100.')
    .int('Send a whole number.')
    .min(1, 'At least 1.')
    .max(100, 'At most 100.')
    .default(50)
    .meta(about('How many items a page has at most.', 20)),
  cursor: z
    .string()
    .max(512)
    .optional()
    .meta(about('`nextCursor` of the page before; none for the first.', 'Im51bV8wMTli')),
};

/** PostgreSQL knows no year 0, and nothing here is older than 1970. */
export function storableDate(text: string): Date {
  return new Date(Math.min(Math.max(Date.parse(text), 0), Date.UTC(9999, 0)));
}

export const numberQuery = z.strictObject({
  status: z
    .union([z.enum(NUMBER_STATUSES), z.array(z.enum(NUMBER_STATUSES)).max(NUMBER_STATUSES.length)], {
      error: `Send one of ${NUMBER_STATUSES.join(', ')}; repeat the parameter for more.`,
    })
    .transform((value) => [...new Set([value].flat())])
    .optional()
    .meta(about('Only numbers in this status; repeat it for more.', 'APPROVED')),
  waitingFor: z.enum(WAITING_FOR).optional().describe('Only numbers that wait for this party.'),
  mobileNumber: z
    .string()
    .max(64, 'A phone number has at most 15 digits.')
    .transform((value, context) => {
      // In a query string a bare "+" means a space.
      const e164 = parseMobileNumber(value.trim().replace(/^(?!\+)/, '+'));
      if (e164 !== null) return e164;
      context.addIssue({ code: 'custom', message: 'Send a number in international form.' });
      return z.NEVER;
    })
    .optional()
    .meta(about('Only this phone number, over all its attempts and accounts that you see.', '+14155550123')),
  qualityRating: z.enum(QUALITY_RATINGS).optional().describe('Only numbers that Meta rates so.'),
  updatedSince: z.iso
    .datetime({ offset: true, error: 'Send a time like 2026-01-31T12:00:00Z.' })
    .transform(storableDate)
    .optional()
    .meta(about('Only what changed then or later.', '2026-01-31T12:00:00Z')),
  accountId: anyId
    .optional()
    .meta(about('Only numbers of this account; for staff only.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
  q: z
    .string()
    .max(100, 'Send at most 100 characters.')
    .transform((value) => value.normalize('NFC').trim())
    .refine((value) => [...value].length >= 3, 'Send 3 characters or more.')
    .optional()
    .meta(about('Part of a display name or of a number; 3 characters or more.', 'widg')),
  ...pageQuery,
});
