/** What the API answers about accounts and the people in them. Times are RFC 3339, UTC. */
import { z } from 'zod';
import { MEMBER_ROLES, SCOPES } from './account-fields.ts';
import { AUDIT_TYPES, type AuditType } from './audit.ts';
import type { Actor } from './number.ts';
import { actorView, page, time, type Viewer, viewActor } from './views.ts';

const id = (prefix: string, description: string) =>
  z.string().meta({ description, examples: [`${prefix}_0199c0de000070008000000000000001`] });
const at = (description: string) => time.meta({ description, examples: ['2026-11-23T08:00:00.000Z'] });
const iso = (date: Date | null) => date?.toISOString() ?? null;

const keyFields = {
  id: id('key', 'The id of the key, by which it is revoked.'),
  name: z.string().meta({ description: 'What the key is for.', examples: ['Shop system'] }),
  prefix: z
    .string()
    .meta({ description: 'How the key begins, to recognise it.', examples: ['wna_0123456789ab'] }),
  scopes: z
    .array(z.enum(SCOPES))
    .meta({ description: 'What the key may do.', examples: [['read', 'write']] }),
  personId: id('usr', 'The staff person whose key it is; null for a key of an account.').nullable(),
  createdAt: at('When the key was created.'),
  createdBy: actorView
    .nullable()
    .meta({ description: 'Who created the key; null where it was made on the server.' }),
  lastUsedAt: at('When the key was last used, to the minute; null for never.').nullable(),
  expiresAt: at('When the key stops; null for never.').nullable(),
  revokedAt: at('When the key was revoked; null while it was not.').nullable(),
};
const apiKeyView = z.object(keyFields).meta({ id: 'ApiKey', description: 'An API key, without its secret.' });
export type ApiKeyView = z.output<typeof apiKeyView>;
export const apiKeyPage = page(apiKeyView, 'ApiKeyPage', 'API keys, newest first.');

export const newApiKeyView = z
  .object({
    ...keyFields,
    key: z
      .string()
      .nullable()
      .meta({
        description:
          'The key itself: shown only here and now. Null in the answer to a repeat with the same Idempotency-Key: if the first answer was lost, revoke this key and create another.',
        examples: [`wna_0123456789ab_${'A'.repeat(43)}`],
      }),
  })
  .meta({ id: 'NewApiKey', description: 'A new API key, with its secret.' });

export const accountView = z
  .object({
    id: id('org', 'The id of the account.'),
    name: z.string().meta({ description: 'What the account is called.', examples: ['Widgets Inc.'] }),
    notificationEmails: z.array(z.string()).meta({
      description: 'Where notices go when no person can get them.',
      examples: [['numbers@example.com']],
    }),
    createdAt: at('When the account was created.'),
    closedAt: at('When the account was closed; null while it is open.').nullable(),
    eraseAt: at('From when on its personal fields are erased; null while it is open.').nullable(),
    erasedAt: at('When its personal fields were erased; null before.').nullable(),
  })
  .meta({ id: 'Account', description: 'A business that uses the product.' });
export type AccountView = z.output<typeof accountView>;
export const accountPage = page(accountView, 'AccountPage', 'Accounts, newest first.');

export const memberView = z
  .object({
    personId: id('usr', 'The id of the person.'),
    name: z.string().meta({ description: 'What the person is called.', examples: ['Wanda Widget'] }),
    email: z
      .string()
      .meta({ description: 'The address they sign in with.', examples: ['wanda@example.com'] }),
    role: z.enum(MEMBER_ROLES).meta({ description: 'What they may do.', examples: ['member'] }),
    joinedAt: at('Since when they belong to the account.'),
  })
  .meta({ id: 'Member', description: 'A person who belongs to the account.' });
export const memberPage = page(memberView, 'MemberPage', 'Members, in the order they joined.');

export const invitationView = z
  .object({
    id: id('inv', 'The id of the invitation.'),
    accountId: id('org', 'The account to join.'),
    email: z.string().meta({ description: 'Who is invited.', examples: ['wanda@example.com'] }),
    role: z.enum(MEMBER_ROLES).meta({ description: 'What they will be.', examples: ['member'] }),
    createdAt: at('When it was sent.'),
    expiresAt: at('Until when it can be accepted.'),
  })
  .meta({ id: 'Invitation', description: 'Somebody has been asked to join an account.' });
export const invitationPage = page(invitationView, 'InvitationPage', 'Open invitations, newest first.');

export const newAccountView = accountView
  .extend({ invitation: invitationView.meta({ description: 'How the first admin was invited.' }) })
  .meta({ id: 'NewAccount', description: 'A new account, with the invitation of its first admin.' });

export const acceptedView = z
  .object({
    account: z
      .object({
        id: id('org', 'The id of the account.'),
        name: z.string().meta({ description: 'What the account is called.', examples: ['Widgets Inc.'] }),
      })
      .meta({ description: 'The account that was joined.' }),
    personId: id('usr', 'Who joined.'),
    email: z.string().meta({ description: 'The address to sign in with.', examples: ['wanda@example.com'] }),
    role: z.enum(MEMBER_ROLES).meta({ description: 'What they are there.', examples: ['member'] }),
  })
  .meta({ id: 'AcceptedInvitation', description: 'Who joined which account.' });

export const auditView = z
  .object({
    id: id('aud', 'The id of the entry.'),
    at: at('When it happened.'),
    type: z.enum(AUDIT_TYPES).meta({ description: 'What happened.', examples: ['key.created'] }),
    actor: actorView
      .extend({
        name: z
          .string()
          .optional()
          .meta({
            description:
              'What a staff person was called then, and what a person of an account is called now; left out where nobody knows, and of people of an account that was erased.',
            examples: ['Sam Support'],
          }),
      })
      .nullable()
      .meta({
        id: 'AuditActor',
        description: 'Who did it; null where nobody is known, as at a failed sign-in.',
      }),
    accountId: id('org', 'The account that it is about.').nullable(),
    targetId: z
      .string()
      .nullable()
      .meta({
        description: 'What it was done to: a person, a key, an invitation, an account.',
        examples: ['key_0199c0de000070008000000000000001'],
      }),
    ipAddress: z
      .string()
      .nullable()
      .meta({ description: 'Where the request came from.', examples: ['192.0.2.7'] }),
    userAgent: z
      .string()
      .nullable()
      .meta({ description: 'What sent it.', examples: ['curl/8.5.0'] }),
    requestId: z
      .string()
      .nullable()
      .meta({ description: 'The request, as in the logs.', examples: ['3f0c'] }),
    data: z
      .record(z.string(), z.unknown())
      .meta({ description: 'More, by type.', examples: [{ role: 'admin' }] }),
  })
  .meta({ id: 'AuditEntry', description: 'One thing that was done, or tried.' });
export const auditPage = page(auditView, 'AuditPage', 'Entries of the audit log, newest first.');

export function viewApiKey(
  key: {
    id: string;
    name: string;
    lookup: string;
    scopes: ApiKeyView['scopes'];
    personId: string | null;
    createdBy: Actor | null;
    createdAt: Date;
    lastUsedAt: Date | null;
    expiresAt: Date | null;
    revokedAt: Date | null;
  },
  viewer: Viewer,
): ApiKeyView {
  return {
    id: key.id,
    name: key.name,
    prefix: `wna_${key.lookup}`,
    scopes: key.scopes,
    personId: key.personId,
    createdAt: key.createdAt.toISOString(),
    createdBy: key.createdBy && viewActor(key.createdBy, viewer),
    lastUsedAt: iso(key.lastUsedAt),
    expiresAt: iso(key.expiresAt),
    revokedAt: iso(key.revokedAt),
  };
}

export function viewAccount(
  account: {
    id: string;
    name: string;
    notificationEmails: string[];
    createdAt: Date;
    closedAt: Date | null;
    erasedAt: Date | null;
  },
  erasureDays: number,
): AccountView {
  const { id, name, notificationEmails, createdAt, closedAt, erasedAt } = account;
  return {
    id,
    name,
    notificationEmails,
    createdAt: createdAt.toISOString(),
    closedAt: iso(closedAt),
    eraseAt: closedAt && erasureTime(closedAt, erasureDays).toISOString(),
    erasedAt: iso(erasedAt),
  };
}

/** From when on the personal fields of an account that was closed are erased. */
export function erasureTime(closedAt: Date, erasureDays: number): Date {
  return new Date(closedAt.getTime() + erasureDays * 24 * 3_600_000);
}

export function viewMember(member: {
  personId: string;
  name: string;
  email: string;
  role: z.output<typeof memberView>['role'];
  joinedAt: Date;
}): z.output<typeof memberView> {
  return { ...member, joinedAt: member.joinedAt.toISOString() };
}

export function viewInvitation(invitation: {
  id: string;
  organizationId: string;
  email: string;
  role: z.output<typeof memberView>['role'];
  createdAt: Date;
  expiresAt: Date;
}): z.output<typeof invitationView> {
  const { id, organizationId, email, role, createdAt, expiresAt } = invitation;
  return {
    id,
    accountId: organizationId,
    email,
    role,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}

/** `names`: what people are called now, by their ids, as far as the entry may tell it. */
export function viewAudit(
  entry: {
    id: string;
    at: Date;
    type: AuditType;
    actor: Actor | null;
    accountId: string | null;
    targetId: string | null;
    ipAddress: string | null;
    userAgent: string | null;
    requestId: string | null;
    data: Record<string, unknown>;
  },
  names: ReadonlyMap<string, string>,
): z.output<typeof auditView> {
  const { id, at, type, actor, accountId, targetId, ipAddress, userAgent, requestId, data } = entry;
  const name = actor?.name ?? names.get(actor?.id ?? '');
  return {
    id,
    at: at.toISOString(),
    type,
    actor: actor && { ...actor, ...(name !== undefined && { name }) },
    accountId,
    targetId,
    ipAddress,
    userAgent,
    requestId,
    data,
  };
}
