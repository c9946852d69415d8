/** Bodies about accounts and the people in them, each field with its rule and the sentence that says what to do. */
import { z } from 'zod';
import { object, orRequired, text } from './fields.ts';
import { emailAddress, nameField, newPassword, password } from './people.ts';

/** What a key or a session may be used for: `admin` manages keys, members and the account. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export const MEMBER_ROLES = ['admin', 'member'] as const;

const personName = nameField('What the person is called.', 'Wanda Widget');
const accountName = nameField('What the account is called, as support and emails show it.', 'Widgets Inc.');

const notificationEmails = z
  .array(emailAddress, { error: orRequired('Send a list of email addresses.') })
  .min(1, 'Send at least one address.')
  .max(10, 'Send at most 10 addresses.')
  .transform((addresses) => [...new Set(addresses)])
  .meta({
    description: 'Where notices go when no person can get them: 1 to 10 addresses.',
    examples: [['numbers@example.com']],
  });

const role = z
  .enum(MEMBER_ROLES, { error: orRequired('Send "admin" or "member".') })
  .meta({ description: 'An admin also manages keys, members and the account.', examples: ['member'] });

/** Body of a new API key. */
export const newApiKey = z.strictObject(
  {
    name: nameField('What the key is for.', 'Shop system'),
    scopes: z
      .array(z.enum(SCOPES, { error: `Send scopes out of ${SCOPES.join(', ')}.` }), {
        error: 'Send a list of scopes.',
      })
      .min(1, 'Send at least one scope.')
      .max(SCOPES.length, 'Name each scope once.')
      .refine((scopes) => new Set(scopes).size === scopes.length, { error: 'Name each scope once.' })
      .default(['read', 'write'])
      .meta({
        description:
          'What the key may do; none that the caller may not. `admin` manages keys, members and the account.',
        examples: [['read', 'write']],
      }),
    expiresAt: z.iso
      .datetime({ offset: true, error: 'Send a time like 2031-01-31T12:00:00Z.' })
      .transform((time) => new Date(time))
      .refine((time) => time.getTime() > Date.now(), { error: 'Send a time that is still to come.' })
      .nullish()
      .meta({ description: 'When the key stops; never when left out.', examples: ['2031-01-31T12:00:00Z'] }),
    personId: z
      .string({ error: 'Send the id of a staff person.' })
      .max(100, 'Send the id of a staff person.')
      .optional()
      .meta({
        description: 'For operators: the staff person whose key it is.',
        examples: ['usr_0199c0de000070008000000000000001'],
      }),
  },
  { error: object },
);

/** Body of a change of an account. */
export const accountChanges = z
  .strictObject({ name: accountName, notificationEmails }, { error: object })
  .partial();

/** Body of a new account; its first admin is invited. */
export const newAccount = z.strictObject(
  {
    name: accountName,
    notificationEmails,
    admin: z
      .strictObject(
        { name: personName.optional(), email: emailAddress },
        { error: orRequired('Send { "email": … }.') },
      )
      .meta({ description: 'Who is invited as the first admin.' }),
  },
  { error: object },
);

/** Body of the closing of any account, by an operator. */
export const accountClosure = z.strictObject(
  {
    reason: text({
      min: 3,
      max: 1000,
      lineBreaks: true,
      about: { description: 'Why, for the audit log.', example: 'The contract has ended.' },
    }),
  },
  { error: object },
);

/** Body of the closing of an account by one of its admins. */
export const ownAccountClosure = z.strictObject(
  {
    name: z
      .string({ error: orRequired("Send the account's name.") })
      .max(1000, "Send the account's name.")
      .meta({ description: "The account's name, typed again to confirm.", examples: ['Widgets Inc.'] }),
  },
  { error: object },
);

/** Body of a change of a member. */
export const memberChanges = z.strictObject({ role }, { error: object });

/** Body of an invitation. */
export const newInvitation = z.strictObject(
  {
    email: emailAddress,
    role: role.default('member'),
    accountId: z
      .string({ error: 'Send the id of an account.' })
      .max(100, 'Send the id of an account.')
      .optional()
      .meta({
        description: 'For operators: the account to invite to.',
        examples: ['org_0199c0de000070008000000000000001'],
      }),
  },
  { error: object },
);

/**
 * Body of the acceptance of an invitation. Whether a name is needed, and how long the password has to be, depends on
 * whether somebody has the address already.
 */
export const acceptance = z.strictObject(
  {
    name: personName.optional().describe('What you are called; needed where nobody has this address yet.'),
    password: password.describe('The password to sign in with: yours, or the one to have from now on.'),
  },
  { error: object },
);
export type Acceptance = z.output<typeof acceptance>;

/** The same where nobody has the address yet. */
export const firstAcceptance = z.object({ name: personName, password: newPassword });
