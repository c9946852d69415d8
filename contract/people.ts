/** People and their sessions: what they send and what they are told. Times are RFC 3339, UTC. */
import { z } from 'zod';
import { object, orRequired, text } from './fields.ts';
import { pageQuery } from './queries.ts';
import { DIRECTION } from './text.ts';
import { page } from './views.ts';

/** Length of a password, in UTF-16 units as better-auth counts. */
export const PASSWORD = { min: 12, max: 128 };

const time = z.string().meta({ format: 'date-time' });

export const emailAddress = z
  .string({ error: orRequired('Send an email address.') })
  .trim()
  .max(254, 'An email address has at most 254 characters.')
  .pipe(z.email('Send one email address, like name@example.com.'))
  .transform((value) => value.toLowerCase())
  .meta({ description: 'An email address; capitals do not count.', examples: ['wanda@widgets.example'] });

/** A password that is chosen. */
export const newPassword = z
  .string({ error: orRequired('Send a text.') })
  .min(PASSWORD.min, `Must have at least ${PASSWORD.min} characters.`)
  .max(PASSWORD.max, `Must have at most ${PASSWORD.max} characters.`)
  .meta({
    description: `The new password, ${PASSWORD.min} to ${PASSWORD.max} characters.`,
    examples: ['correct horse battery staple'],
  });

/** A password that is asked for. */
export const password = z
  .string({ error: orRequired('Send a text.') })
  .min(1, 'Required. Send a text.')
  .max(PASSWORD.max, `Must have at most ${PASSWORD.max} characters.`)
  .meta({ description: 'The password.', examples: ['correct horse battery staple'] });

/** A name of a person or an account, on one line. */
export function nameField(description: string, example: string) {
  return text({ min: 1, max: 100, about: { description, example } }).refine(
    (value) => !DIRECTION.test(value),
    { error: 'Remove the invisible characters that turn the direction of writing.' },
  );
}

const personName = nameField('What the person is called.', 'Wanda Widget');

export const signInBody = z.strictObject({ email: emailAddress, password }, { error: object });

export const twoFactorBody = z
  .strictObject(
    {
      code: z
        .string()
        .regex(/^\d{6}$/, 'Send the six digits that the authenticator app shows.')
        .meta({ description: 'The six digits that the authenticator app shows.', examples: ['492039'] })
        .optional(),
      backupCode: z
        .string()
        .regex(/^[\w-]{1,64}$/, 'Send one of the backup codes.')
        .meta({
          description: 'In place of a code: a backup code, which works once.',
          examples: ['k3Xd9-bQ27a'],
        })
        .optional(),
    },
    { error: object },
  )
  .refine((body) => (body.code === undefined) !== (body.backupCode === undefined), {
    error: 'Send either a code or a backupCode.',
  });

export const confirmationBody = z.strictObject(
  {
    code: twoFactorBody.shape.code
      .unwrap()
      .meta({ description: 'The six digits that the app shows.', examples: ['492039'] }),
  },
  { error: object },
);

export const passwordBody = z.strictObject({ password }, { error: object });
export const addressBody = z.strictObject({ email: emailAddress }, { error: object });
export const newPasswordBody = z.strictObject({ password: newPassword }, { error: object });

export const signUpBody = z.strictObject(
  {
    name: personName,
    email: emailAddress,
    password: newPassword,
    accountName: nameField('What the new account is called.', 'Widgets Inc.'),
  },
  { error: object },
);

export const sessionChange = z.strictObject(
  {
    activeAccountId: z
      .string({ error: orRequired('Send the id of an account of yours.') })
      .max(64)
      .meta({ description: 'The account to act for.', examples: ['org_0199a1b2c3d4e5f60718293a4b5c6d7e'] }),
  },
  { error: object },
);

export const ownChange = z
  .strictObject(
    {
      name: personName.optional(),
      decisionEmails: z
        .boolean({ error: 'Send true or false.' })
        .meta({ description: 'Staff: an email with a decision link for each submission.', examples: [true] })
        .optional(),
      currentPassword: password
        .meta({ description: 'Needed to set a new one.', examples: ['correct horse battery staple'] })
        .optional(),
      newPassword: newPassword.optional(),
    },
    { error: object },
  )
  .refine((body) => (body.currentPassword === undefined) === (body.newPassword === undefined), {
    path: ['currentPassword'],
    error: 'Send both currentPassword and newPassword to change the password.',
  });

const PERSON_ROLES = ['customer', 'support', 'operator'] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];
const STAFF_ROLES = ['support', 'operator'] as const;

export const personQuery = z.strictObject({
  role: z
    .enum(PERSON_ROLES)
    .optional()
    .meta({ description: 'Only people of this role.', examples: ['support'] }),
  email: emailAddress.optional().meta({
    description: 'Whose address this is, whatever their role.',
    examples: ['sam@numbers.example'],
  }),
  ...pageQuery,
});

const staffRole = z
  .enum(STAFF_ROLES, { error: 'Staff is "support" or "operator".' })
  .meta({ description: '`support` decides on numbers; `operator` runs the product.', examples: ['support'] });

export const newStaff = z.strictObject(
  { name: personName, email: emailAddress, role: staffRole },
  { error: object },
);

export const personChange = z
  .strictObject(
    {
      name: personName.optional(),
      role: staffRole.optional(),
      disabled: z
        .boolean({ error: 'Send true or false.' })
        .meta({ description: 'A disabled person cannot sign in; sessions end at once.', examples: [true] })
        .optional(),
      reason: text({
        min: 1,
        max: 500,
        about: {
          description: 'Why the person is disabled; for operators only.',
          example: 'Left the company.',
        },
      }).optional(),
    },
    { error: object },
  )
  .refine((body) => (body.disabled === true) === (body.reason !== undefined), {
    path: ['reason'],
    error: 'Send a reason with "disabled": true, and only then.',
  });
export type PersonChange = z.output<typeof personChange>;

const personFields = {
  id: z.string().meta({ description: 'The person.', examples: ['usr_0199a1b2c3d4e5f60718293a4b5c6d7e'] }),
  name: z.string().meta({ description: 'What the person is called.', examples: ['Wanda Widget'] }),
  email: z
    .string()
    .meta({ description: 'The address to sign in with.', examples: ['wanda@widgets.example'] }),
  role: z
    .enum(PERSON_ROLES)
    .meta({ description: '`customer`: a member of accounts; the others are staff.', examples: ['customer'] }),
  twoFactorEnabled: z
    .boolean()
    .meta({ description: 'Whether signing in takes a code as well.', examples: [true] }),
};

export const sessionView = z
  .object({
    person: z
      .object({
        ...personFields,
        decisionEmails: z.boolean().meta({
          description: 'Staff: wants an email with a decision link for each submission.',
          examples: [false],
        }),
      })
      .describe('Who is signed in.'),
    accounts: z
      .array(
        z.object({
          id: z
            .string()
            .meta({ description: 'The account.', examples: ['org_0199a1b2c3d4e5f60718293a4b5c6d7e'] }),
          name: z.string().meta({ description: 'What the account is called.', examples: ['Widgets Inc.'] }),
          role: z
            .enum(['admin', 'member'])
            .meta({ description: 'An admin manages keys, members and the account.', examples: ['admin'] }),
        }),
      )
      .describe('The accounts that the person belongs to.'),
    activeAccountId: z
      .string()
      .nullable()
      .meta({
        description: 'The account that calls of this session act for.',
        examples: ['org_0199a1b2c3d4e5f60718293a4b5c6d7e'],
      }),
    twoFactorNeeded: z.boolean().meta({
      description: 'Nothing else can be done before two-factor authentication is set up.',
      examples: [false],
    }),
    expiresAt: time.meta({
      description: 'When the session ends unless it is used.',
      examples: ['2026-05-08T09:30:00.000Z'],
    }),
  })
  .meta({ id: 'Session', description: 'Who is signed in, and for which account.' });
export type SessionView = z.output<typeof sessionView>;

export const personView = z
  .object({
    ...personFields,
    disabled: z
      .boolean()
      .meta({ description: 'Whether the person is kept from signing in.', examples: [false] }),
    disabledReason: z
      .string()
      .nullable()
      .meta({ description: 'Why they are; null where they are not.', examples: ['Left the company.'] }),
    lastActiveAt: time.nullable().meta({
      description: 'The latest call, to the minute; of staff only.',
      examples: ['2026-05-01T09:30:00.000Z'],
    }),
    createdAt: time.meta({ description: 'Since when.', examples: ['2026-04-01T08:00:00.000Z'] }),
  })
  .meta({ id: 'Person', description: 'A person as operators see them.' });
export type PersonView = z.output<typeof personView>;

export const personPage = page(personView, 'PersonPage', 'People, the newest first.');
