/**
 * The fields of a number as people send them, each with its rule and the sentence that says what to do.
 * A character is a Unicode code point after NFC.
 */
import { z } from 'zod';
import { BUSINESS_CATEGORIES, type BusinessCategory } from './categories.ts';
import { COMPARED_FIELDS, SIDES } from './facebook.ts';
import type { IdPrefix } from './ids.ts';
import { COMMENT_MAX, FIELD_NAMES, OUTCOMES } from './number.ts';
import { parseMobileNumber } from './phone.ts';
import { CONTROL, DIRECTION } from './text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: as CONTROL, but a line break or a tab may stay
const CONTROL_EXCEPT_LINE_BREAKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

const characters = (text: string) => [...text].length;
const count = (number: number) => (number === 1 ? '1 character' : `${number} characters`);

/** Formatting characters, all kinds of space, fillers and variation selectors: nobody sees them. */
const INVISIBLE = /[\p{Cf}\p{Z}\s\u115f\u1160\u2800\u3164\uffa0]|\p{Variation_Selector}/gu;

/** `Required.` before what to send, where nothing was sent. */
export const orRequired = (what: string) => (issue: { input?: unknown }) =>
  issue.input === undefined ? `Required. ${what}` : what;
/** For bodies: what to send instead of a list, a text or null. */
export const object = (issue: { code?: string }) =>
  issue.code === 'invalid_type' ? 'Send a JSON object.' : undefined;

interface About {
  description?: string;
  example?: string;
}

/** Text of a bounded number of characters, trimmed and in NFC. */
export function text(options: { min?: number; max: number; lineBreaks?: boolean; about?: About }) {
  const { min = 0, max, about: { description, example } = {} } = options;
  const forbidden = options.lineBreaks ? CONTROL_EXCEPT_LINE_BREAKS : CONTROL;
  return z
    .string({ error: orRequired('Send a text.') })
    .meta({
      ...(min > 0 && { minLength: min }),
      maxLength: max,
      ...(description && { description }),
      ...(example && { examples: [example] }),
    })
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
    .refine((value) => characters(value.replace(INVISIBLE, '')) >= Math.min(min, 2), {
      error: `Must have at least ${count(min)} that can be seen.`,
      abort: true,
    })
    .refine((value) => characters(value) >= min, { error: `Must have at least ${count(min)}.` })
    .refine((value) => characters(value) <= max, { error: `Must have at most ${max} characters.` });
}

/**
 * A full URL with one of the protocols and no user or password. Only what every reader understands in one way:
 * browsers read a backslash as a slash, and take any number of slashes before the host.
 */
function url(options: { protocols: string[]; max: number; name: string; about: About }) {
  return text({ max: options.max, about: options.about }).refine(
    (value) => {
      const parsed = URL.parse(value);
      return (
        value === '' ||
        (parsed !== null &&
          options.protocols.includes(parsed.protocol) &&
          /^[a-z]+:\/\/[^/?#@]+([/?#]|$)/i.test(value) &&
          !/[\s\\]/.test(value))
      );
    },
    { error: `Send a full ${options.name} URL without a user name or password in it.` },
  );
}

/** A URL that we call for a customer. Whether it is safe to call is judged apart (`targets/target-url.ts`): that asks DNS. */
export function targetUrl({ allowHttp, ...about }: About & { allowHttp: boolean }) {
  return url({
    protocols: allowHttp ? ['https:', 'http:'] : ['https:'],
    max: 2048,
    name: allowHttp ? 'https (or http, in development)' : 'https',
    about,
  });
}

/** The id of something else of the account. Whether there is such a thing is judged apart. */
function reference(prefix: IdPrefix, what: string, description: string) {
  return z
    .string({ error: `Send ${what}.` })
    .regex(new RegExp(`^(${prefix}_[0-9a-f]{32})?$`), `Send ${what}.`)
    .meta({
      description: `${description} Takes ${what}; \`null\` for none.`,
      examples: [`${prefix}_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d`],
    });
}

/** `null`, `""` and a missing field all mean "none"; what is stored is null. */
function optional<T extends z.ZodType<string, string>>(schema: T) {
  return schema
    .nullable()
    .transform((value) => (value === '' ? null : value))
    .optional();
}

const displayName = text({
  min: 2,
  max: 75,
  about: {
    description: 'The name to identify the number: 2 to 75 characters, on one line.',
    example: 'Widgets number',
  },
}).refine((value) => !DIRECTION.test(value), {
  error: 'Remove the invisible characters that turn the direction of writing.',
});
const businessCategory = z
  .enum(Object.keys(BUSINESS_CATEGORIES) as [BusinessCategory, ...BusinessCategory[]], {
    error: orRequired('Send one of the ids of GET /v1/business-categories.'),
  })
  .meta({ description: 'An id of GET /v1/business-categories.', examples: ['RETAIL'] });
const email = text({
  max: 128,
  about: {
    description: 'One address, part of the public profile; notices never go there. `null` for none.',
    example: 'hello@example.com',
  },
}).refine((value) => value === '' || z.email().safeParse(value).success, {
  error: 'Send one email address, like name@example.com.',
});

const mobileNumber = z
  .string({ error: orRequired('Send a text in international form, like "+1 555 555 0123".') })
  .max(64, 'A phone number has at most 15 digits.')
  .meta({
    description:
      'A business number, not a personal WhatsApp number, in international form. Spaces, dashes, dots and brackets are removed.',
    examples: ['+1 415 555 0123'],
  })
  .transform((value, context) => {
    const e164 = parseMobileNumber(value.trim());
    if (e164 === null) {
      context.addIssue({
        code: 'custom',
        message:
          'Not a possible phone number. Send it in international form, like "+1 555 555 0123": the country code, then what is dialled from abroad.',
      });
      return z.NEVER;
    }
    return e164;
  });

/** The schemas of one deployment. `http` Incoming URLs are for development only. */
export function numberFields(options: { allowHttp: boolean }) {
  const profile = {
    displayName,
    incomingUrl: optional(
      targetUrl({
        ...options,
        description: 'Where incoming messages are forwarded to: a public https address. `null` for none.',
        example: 'https://example.com/whatsapp',
      }),
    ),
    callbackProfileId: optional(
      reference('cbp', 'an id of GET /v1/callback-profiles', 'Where delivery statuses are forwarded to.'),
    ),
    imageId: optional(reference('img', 'the id that POST /v1/images answered', 'The company logo.')),
    address: optional(
      text({
        max: 256,
        lineBreaks: true,
        about: {
          description: 'The address of the business. `null` for none.',
          example: '1 Long Street, Springfield',
        },
      }),
    ),
    businessDescription: optional(
      text({
        max: 256,
        lineBreaks: true,
        about: { description: 'What the business does. `null` for none.', example: 'Sells widgets.' },
      }),
    ),
    businessCategory,
    contactEmail: optional(email),
    website: optional(
      url({
        protocols: ['https:', 'http:'],
        max: 256,
        name: 'http or https',
        about: {
          description: 'The website of the business. `null` for none.',
          example: 'https://example.com',
        },
      }),
    ),
  };
  return {
    /** Body of a submission. */
    submission: z.strictObject({ mobileNumber, ...profile }, { error: object }),
    /** Body of an edit or a resubmission: the fields to change; `null` or `""` clears an optional one. */
    changes: z
      .strictObject(
        {
          ...profile,
          mobileNumber: z
            .never({ error: 'The number itself cannot be changed; submit the other number anew.' })
            .describe('Never: the number itself cannot be changed.'),
        },
        { error: object },
      )
      .partial()
      .transform(({ mobileNumber: _, ...changes }) => changes as Changes),
  };
}

type Fields = ReturnType<typeof numberFields>;
export type Submission = z.output<Fields['submission']>;

/** The profile as stored: required fields set, optional ones null when there is none. */
export interface Profile {
  displayName: string;
  incomingUrl: string | null;
  callbackProfileId: string | null;
  imageId: string | null;
  address: string | null;
  businessDescription: string | null;
  businessCategory: BusinessCategory;
  contactEmail: string | null;
  website: string | null;
}

/** Fields to change, with their new values. */
export type Changes = Partial<Profile>;

/** What people see on screen and in emails. */
export const FIELD_LABELS: Record<(typeof FIELD_NAMES)[number], string> = {
  displayName: 'Display Name',
  mobileNumber: 'Mobile Number',
  incomingUrl: 'Incoming URL',
  callbackProfileId: 'Callback Profile ID',
  imageId: 'Upload Image',
  address: 'Address',
  businessDescription: 'Business Description',
  businessCategory: 'Business Category',
  contactEmail: 'Contact Email',
  website: 'Website',
};

/** The label of a field; of one that has none, its name. */
export function labelOf(field: string): string {
  return Object.hasOwn(FIELD_LABELS, field) ? FIELD_LABELS[field as keyof typeof FIELD_LABELS] : field;
}

const fieldNames = (description: string, example: (typeof FIELD_NAMES)[number]) =>
  z
    .array(z.enum(FIELD_NAMES, { error: `Send names out of ${FIELD_NAMES.join(', ')}.` }), {
      error: 'Send a list of field names.',
    })
    .refine((fields) => new Set(fields).size === fields.length, { error: 'Name each field once.' })
    .meta({ description, maxItems: FIELD_NAMES.length, examples: [[example]] })
    .optional();

/** Body of a choice between what is here and what WhatsApp shows. */
export const sideBody = z.strictObject(
  {
    keep: z.enum(SIDES, { error: orRequired('Send "ours" or "theirs".') }).meta({
      description:
        '`ours`: WhatsApp is to show what is here. `theirs`: the number takes over what WhatsApp shows.',
      examples: ['ours'],
    }),
    fields: z
      .array(z.enum(COMPARED_FIELDS, { error: `Send names out of ${COMPARED_FIELDS.join(', ')}.` }), {
        error: 'Send a list of field names.',
      })
      .min(1, 'Name a field, or leave it out for all that differ.')
      .refine((fields) => new Set(fields).size === fields.length, { error: 'Name each field once.' })
      .meta({
        description: 'The fields that this is for, out of `sync.differences`; all that differ when left out.',
        maxItems: COMPARED_FIELDS.length,
        examples: [['website']],
      })
      .optional(),
  },
  { error: object },
);
export type SideBody = z.output<typeof sideBody>;

/** Body of a request that has nothing to say. */
export const emptyBody = z.strictObject({}, { error: object });

/** Body of a support or Facebook decision. */
export const decisionBody = z
  .strictObject(
    {
      outcome: z
        .enum(OUTCOMES, { error: orRequired('Send "approved" or "rejected".') })
        .meta({ description: 'How you decide.', examples: ['rejected'] }),
      reason: text({
        min: 3,
        max: 1000,
        lineBreaks: true,
        about: {
          description:
            'Required to reject. The submitter reads it, in the email and in the timeline, also where it comes with an approval; where two have to approve, with the second.',
          example: 'The address belongs to another company.',
        },
      }).nullish(),
      code: z
        .string({ error: 'Send a short word.' })
        .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'A short word of letters, digits, "_", "." or "-".')
        .meta({ description: 'A short machine word for the reason.', examples: ['address_mismatch'] })
        .nullish(),
      fields: fieldNames('The fields at fault.', 'address'),
      attempt: z
        .int({ error: 'Send a whole number.' })
        .min(1, 'Attempts count from 1.')
        .meta({
          description: 'The attempt that the decision is for; the current one when left out.',
          examples: [1],
        })
        .optional(),
    },
    { error: object },
  )
  .refine((body) => body.outcome === 'approved' || (body.reason ?? null) !== null, {
    path: ['reason'],
    error: 'A rejection needs a reason of 3 to 1,000 characters; the submitter reads it.',
  });
export type DecisionBody = z.output<typeof decisionBody>;

/** Body of a comment. Who may send what of it is judged apart. */
export const commentBody = z
  .strictObject(
    {
      text: text({
        min: 1,
        max: COMMENT_MAX,
        lineBreaks: true,
        about: {
          description: 'What to say: 1 to 2,000 characters; line breaks stay.',
          example: 'Which of your shops does the address belong to?',
        },
      }),
      internal: z
        .boolean({ error: 'Send true or false.' })
        .meta({
          description: 'For staff only: customers do not see it, and nobody is emailed.',
          examples: [false],
        })
        .optional(),
      awaitReply: z
        .boolean({ error: 'Send true or false.' })
        .meta({
          description:
            "For support, about a pending number: the customer has to answer, and the stage's own time stands still until then.",
          examples: [true],
        })
        .optional(),
      fields: fieldNames('With `awaitReply`: the fields that the question is about.', 'website'),
      dueHours: z
        .number({ error: 'Send a number of hours.' })
        .min(1, 'Give the customer an hour or more.')
        .max(8_760, 'At most a year of 8,760 hours.')
        .meta({
          description:
            'With `awaitReply`: hours, by the clock, in which to answer; a setting says how many when left out.',
          examples: [48],
        })
        .optional(),
    },
    { error: object },
  )
  .refine((body) => !(body.internal && body.awaitReply), {
    path: ['awaitReply'],
    error: 'The customer cannot answer what is internal; send one of both.',
  })
  .refine((body) => body.awaitReply || body.fields === undefined, {
    path: ['fields'],
    error: 'Only a question names fields; send "awaitReply": true with them.',
  })
  .refine((body) => body.awaitReply || body.dueHours === undefined, {
    path: ['dueHours'],
    error: 'Only a question has a due time; send "awaitReply": true with it.',
  });
export type CommentBody = z.output<typeof commentBody>;
