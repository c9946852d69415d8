/**
 * The fields of a number as people send them, each with its rule and the sentence that says what to do.
 * A character is a Unicode code point after NFC.
 */
import { z } from 'zod';
import { BUSINESS_CATEGORIES, type BusinessCategory } from './categories.ts';
import { parseMobileNumber } from './phone.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above, but a line break or a tab may stay
const CONTROL_EXCEPT_LINE_BREAKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

const characters = (text: string) => [...text].length;

/** Text of a bounded number of characters, trimmed and in NFC. */
function text(options: { min?: number; max: number; lineBreaks?: boolean }) {
  const forbidden = options.lineBreaks ? CONTROL_EXCEPT_LINE_BREAKS : CONTROL;
  return z
    .string({ error: 'Send a text.' })
    .refine((value) => value.isWellFormed(), {
      error: 'Contains half a character (a lone surrogate); send whole Unicode characters.',
      abort: true,
    })
    .refine((value) => !forbidden.test(value.trim()), {
      error: options.lineBreaks
        ? 'Remove control characters; only line breaks and tabs are allowed.'
        : 'Remove line breaks and control characters.',
      abort: true,
    })
    .transform((value) => value.normalize('NFC').trim())
    .refine((value) => characters(value) >= (options.min ?? 0), {
      error: `Must have at least ${options.min} characters.`,
    })
    .refine((value) => characters(value) <= options.max, {
      error: `Must have at most ${options.max} characters.`,
    });
}

/** Parses a URL strictly: absolute, one of the protocols, no user or password in it. */
function url(options: { protocols: string[]; max: number; name: string }) {
  return text({ max: options.max }).refine(
    (value) => {
      const parsed = URL.parse(value);
      return (
        value === '' ||
        (parsed !== null &&
          options.protocols.includes(parsed.protocol) &&
          /^[a-z]+:\/\//i.test(value) &&
          !/\s/.test(value) &&
          parsed.hostname !== '' &&
          parsed.username === '' &&
          parsed.password === '')
      );
    },
    { error: `Send a full ${options.name} URL without a user name or password in it.` },
  );
}

/** `null`, `""` and a missing field all mean "none"; what is stored is null. */
function optional<T extends z.ZodType<string, string>>(schema: T) {
  return schema
    .nullable()
    .transform((value) => (value === '' ? null : value))
    .optional();
}

const displayName = text({ min: 2, max: 75 });
const businessCategory = z.enum(
  Object.keys(BUSINESS_CATEGORIES) as [BusinessCategory, ...BusinessCategory[]],
  { error: 'Send one of the ids of GET /v1/business-categories.' },
);
const email = text({ max: 128 }).refine((value) => value === '' || z.email().safeParse(value).success, {
  error: 'Send one email address, like name@example.com.',
});

const mobileNumber = z
  .string({ error: 'Send a text in international form, like "+1 555 555 0123".' })
  .max(64, 'A phone number has at most 15 digits.')
  .transform((value, context) => {
    const e164 = parseMobileNumber(value.trim());
    if (e164 === null) {
      context.addIssue({
        code: 'custom',
        message: 'Not a possible phone number; send it in international form, like "+1 555 555 0123".',
      });
      return z.NEVER;
    }
    return e164;
  });

/**
 * The schemas of one deployment. `http` Incoming URLs are for development only.
 * Whether an Incoming URL is safe to call is judged apart (`api/target-url.ts`), because that asks DNS.
 */
export function numberFields(options: { allowHttp: boolean }) {
  const profile = {
    displayName,
    incomingUrl: optional(
      url({
        protocols: options.allowHttp ? ['https:', 'http:'] : ['https:'],
        max: 2048,
        name: options.allowHttp ? 'https (or http, in development)' : 'https',
      }),
    ),
    address: optional(text({ max: 256, lineBreaks: true })),
    businessDescription: optional(text({ max: 256, lineBreaks: true })),
    businessCategory,
    contactEmail: optional(email),
    website: optional(url({ protocols: ['https:', 'http:'], max: 256, name: 'http or https' })),
  };
  const changes = z
    .strictObject(profile)
    .partial()
    .transform((body) => body as Changes);
  return {
    /** Body of a submission. */
    submission: z.strictObject({ mobileNumber, ...profile }),
    /** Body of an edit or a resubmission: the fields to change; `null` or `""` clears an optional one. */
    changes,
  };
}

type Fields = ReturnType<typeof numberFields>;
export type Submission = z.output<Fields['submission']>;

/** The profile as stored: required fields set, optional ones null when there is none. */
export interface Profile {
  displayName: string;
  incomingUrl: string | null;
  address: string | null;
  businessDescription: string | null;
  businessCategory: BusinessCategory;
  contactEmail: string | null;
  website: string | null;
}

/** Fields to change, with their new values. */
export type Changes = Partial<Profile>;

/** Fields that a rejection may name: all that a person fills in. */
export const FIELD_NAMES = [
  'displayName',
  'mobileNumber',
  'incomingUrl',
  'address',
  'businessDescription',
  'businessCategory',
  'contactEmail',
  'website',
] as const;

/** What people see on screen and in emails. */
export const FIELD_LABELS: Record<(typeof FIELD_NAMES)[number], string> = {
  displayName: 'Display Name',
  mobileNumber: 'Mobile Number',
  incomingUrl: 'Incoming URL',
  address: 'Address',
  businessDescription: 'Business Description',
  businessCategory: 'Business Category',
  contactEmail: 'Contact Email',
  website: 'Website',
};

/** Body of a support or Facebook decision. */
export const decisionBody = z
  .strictObject({
    outcome: z.enum(['approved', 'rejected'], { error: 'Send "approved" or "rejected".' }),
    reason: text({ min: 3, max: 1000, lineBreaks: true }).optional(),
    code: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'A short word of letters, digits, "_", "." or "-".')
      .optional(),
    fields: z.array(z.enum(FIELD_NAMES)).max(FIELD_NAMES.length).optional(),
    attempt: z.int().min(1).optional(),
  })
  .refine((body) => body.outcome === 'approved' || body.reason !== undefined, {
    path: ['reason'],
    error: 'A rejection needs a reason of 3 to 1,000 characters; the submitter reads it.',
  });
export type DecisionBody = z.output<typeof decisionBody>;
