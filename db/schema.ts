/**
 * The tables. PostgreSQL decides what was accepted and who holds a number; everything listed is read from
 * here. `organizations` are the product's accounts: better-auth uses the word account for credentials.
 */
import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  customType,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { AuditType } from '../contract/audit.ts';
import type { MessageStatus } from '../contract/callback-profiles.ts';
import type { BusinessCategory } from '../contract/categories.ts';
import {
  DELIVERY_STATES,
  type DeliveryAttempt,
  type DeliveryState,
  type OffReason,
  type StoredType,
  type TargetKind,
} from '../contract/deliveries.ts';
import type {
  ConnectionState,
  FacebookProblem,
  FacebookProgress,
  LimitScope,
  MessagingLimit,
  QualityColor,
  QualityRating,
  Source,
  Sync,
  WhatsappName,
} from '../contract/facebook.ts';
import {
  type Actor,
  type Decision,
  type EmailKind,
  type Ending,
  type EventType,
  LIVE_STATUSES,
  NUMBER_STATUSES,
  type NumberStatus,
  PENDING_STATUSES,
  type Question,
  type Stage,
} from '../contract/number.ts';
import { rfc3339 } from './time.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });
const createdAt = at('created_at').notNull().defaultNow();
const updatedAt = at('updated_at').notNull().defaultNow();
/** As answers and workflows have times: text of RFC 3339, UTC. Lists are full of them, and making a date of each is slow. */
const time = customType<{ data: string; driverData: string }>({
  dataType: () => 'timestamp (3) with time zone',
  fromDriver: rfc3339,
});
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
/** A transaction's id, which never comes again. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

const oneOf = (statuses: readonly string[]) => sql.raw(statuses.map((status) => `'${status}'`).join(', '));
/** A number that holds its phone number. Without the table's name, as `on conflict` wants it. */
export const isLiveSql = sql`status in (${oneOf(LIVE_STATUSES)})`;

export const organizations = pgTable(
  'organizations',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    slug: text().notNull().unique(),
    logo: text(),
    metadata: text(),
    /** Where notices go when no person can get them: a submission by API key, a person who left. */
    notificationEmails: text('notification_emails').array().notNull().default([]),
    createdAt,
    /** Since when nobody can use the account any more. */
    closedAt: at('closed_at'),
    /** Who closed it: its numbers are ended in their name. */
    closedBy: jsonb('closed_by').$type<Actor>(),
    /** When its personal fields were erased. */
    erasedAt: at('erased_at'),
  },
  (t) => [
    index('organizations_closing')
      .on(t.closedAt)
      .where(sql`${t.closedAt} is not null and ${t.erasedAt} is null`),
  ],
);

export const people = pgTable(
  'people',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    email: text().notNull().unique(),
    emailVerified: boolean('email_verified').notNull().default(false),
    image: text(),
    /** `user` for members of accounts; `support` and `operator` for staff. */
    role: text().$type<'user' | 'support' | 'operator'>().notNull().default('user'),
    banned: boolean().notNull().default(false),
    banReason: text('ban_reason'),
    banExpires: at('ban_expires'),
    twoFactorEnabled: boolean('two_factor_enabled').notNull().default(false),
    /** Staff: wants an email with a decision link for each submission. */
    decisionEmails: boolean('decision_emails').notNull().default(false),
    /** The latest call, to the minute: tells who is at work. */
    lastActiveAt: at('last_active_at'),
    createdAt,
    updatedAt,
  },
  (t) => [index('people_staff').on(t.role).where(sql`${t.role} <> 'user'`)],
);

/** Better-auth's `session`: a signed-in browser. The cookie carries the token. */
export const sessions = pgTable(
  'sessions',
  {
    id: text().primaryKey(),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    token: text().notNull().unique(),
    expiresAt: at('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    /** The account that a member acts for. */
    activeOrganizationId: text('active_organization_id'),
    impersonatedBy: text('impersonated_by'),
    /** How the person showed who they are: a second factor of `oidc` is the provider's matter. */
    signedInBy: text('signed_in_by').$type<'password' | 'oidc'>().notNull().default('password'),
    createdAt,
    updatedAt,
  },
  (t) => [index('sessions_person').on(t.personId), index('sessions_expires').on(t.expiresAt)],
);

/** Better-auth's `account`: how a person signs in: a password's hash, or an identity at an OIDC provider. */
export const credentials = pgTable(
  'credentials',
  {
    id: text().primaryKey(),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    providerId: text('provider_id').notNull(),
    /** The person's id at the provider. */
    accountId: text('account_id').notNull(),
    password: text(),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: at('access_token_expires_at'),
    refreshTokenExpiresAt: at('refresh_token_expires_at'),
    scope: text(),
    createdAt,
    updatedAt,
  },
  (t) => [
    index('credentials_person').on(t.personId),
    uniqueIndex('credentials_identity').on(t.providerId, t.accountId),
  ],
);

/** Better-auth's `verification`: tokens of emails and sign-ins under way. */
export const verifications = pgTable(
  'verifications',
  {
    id: text().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: at('expires_at').notNull(),
    createdAt,
    updatedAt,
  },
  (t) => [index('verifications_identifier').on(t.identifier), index('verifications_expires').on(t.expiresAt)],
);

/** Better-auth's `twoFactor`: the secret is encrypted, backup codes too. */
export const twoFactors = pgTable(
  'two_factors',
  {
    id: text().primaryKey(),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    secret: text().notNull(),
    backupCodes: text('backup_codes').notNull(),
    verified: boolean().notNull().default(true),
    failedVerificationCount: integer('failed_verification_count').notNull().default(0),
    lockedUntil: at('locked_until'),
    /** That of the latest code that was accepted: no other of it, or of an earlier one, is (RFC 6238, section 5.2). */
    lastTimeStep: integer('last_time_step'),
  },
  (t) => [uniqueIndex('two_factors_per_person').on(t.personId)],
);

export const memberships = pgTable(
  'memberships',
  {
    id: text().primaryKey(),
    organizationId: text('organization_id')
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    role: text().$type<'admin' | 'member'>().notNull().default('member'),
    createdAt,
  },
  (t) => [
    uniqueIndex('memberships_organization_person').on(t.organizationId, t.personId),
    index('memberships_person').on(t.personId),
  ],
);

/** Who has been asked to join an account. */
export const invitations = pgTable(
  'invitations',
  {
    id: text().primaryKey(),
    organizationId: text('organization_id')
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    email: text().notNull(),
    role: text().$type<'admin' | 'member'>().notNull().default('member'),
    status: text().notNull().default('pending'),
    expiresAt: at('expires_at').notNull(),
    /** Null where an operator or a key of the account invited. */
    inviterId: text('inviter_id').references(() => people.id, { onDelete: 'set null' }),
    /** SHA-256 of the token in the email, hex. */
    tokenHash: text('token_hash').unique(),
    createdAt,
  },
  (t) => [index('invitations_organization').on(t.organizationId), index('invitations_email').on(t.email)],
);

/** Sign-ins, keys and permissions: what operators read to see who did what. Added to, and deleted when old. */
export const auditEvents = pgTable(
  'audit_events',
  {
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    id: text().notNull().unique(),
    at: at('at').notNull().defaultNow(),
    type: text().$type<AuditType>().notNull(),
    /** Who did it; null where nobody is known, e.g. a failed sign-in. */
    actor: jsonb().$type<Actor>(),
    accountId: text('account_id'),
    /** What it was done to: a person, a key, an account. */
    targetId: text('target_id'),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    requestId: text('request_id'),
    data: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    // Pages of one type each, newest first: see `pageOfAudit`. One of times alone would tempt PostgreSQL to walk along it,
    // past everything that is not wanted.
    index('audit_events_by_type').on(t.type, t.at, t.seq),
    index('audit_events_by_account').on(t.accountId, t.type, t.at, t.seq),
    index('audit_events_by_target').on(t.targetId, t.type, t.at, t.seq),
    index('audit_events_by_actor').on(sql`(${t.actor} ->> 'id')`, t.type, t.at, t.seq),
    // By these the erasure of an account finds what its people did, and who tried to sign in as one of them.
    index('audit_events_email')
      .on(sql`(${t.data} ->> 'email')`)
      .where(sql`${t.data} ->> 'email' is not null`),
  ],
);

/** A key of an account (`organizationId`) or of a staff person (`personId`). Only a hash is kept. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: text().primaryKey(),
    organizationId: text('organization_id').references(() => organizations.id, { onDelete: 'cascade' }),
    personId: text('person_id').references(() => people.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    /** The public part of the key, by which it is found. */
    lookup: text().notNull().unique(),
    /** SHA-256 of the whole key, hex. */
    hash: text().notNull(),
    /** `admin` manages keys, members and the account. */
    scopes: text().array().$type<('read' | 'write' | 'admin')[]>().notNull(),
    createdBy: jsonb('created_by').$type<Actor>(),
    lastUsedAt: at('last_used_at'),
    expiresAt: at('expires_at'),
    revokedAt: at('revoked_at'),
    createdAt,
  },
  (t) => [
    index('api_keys_organization').on(t.organizationId),
    index('api_keys_person').on(t.personId),
    check('api_keys_one_owner', sql`num_nonnulls(${t.organizationId}, ${t.personId}) = 1`),
  ],
);

/** Re-encoded pictures. The content is in `image_contents` or in an S3-compatible store. */
export const images = pgTable(
  'images',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    contentType: text('content_type').$type<'image/jpeg' | 'image/png'>().notNull(),
    width: integer().notNull(),
    height: integer().notNull(),
    bytes: integer().notNull(),
    store: text().$type<'database' | 's3'>().notNull(),
    createdBy: jsonb('created_by').$type<Actor>().notNull(),
    createdAt,
    /** When a number was last given it; nobody's for a day is cleaned up. */
    usedAt: at('used_at'),
  },
  (t) => [index('images_account').on(t.accountId), index('images_created').on(t.createdAt)],
);

export const imageContents = pgTable('image_contents', {
  imageId: text('image_id')
    .primaryKey()
    .references(() => images.id, { onDelete: 'cascade' }),
  content: bytes().notNull(),
});

/** Where delivery statuses go. A deleted one stays, for the timelines that name it. */
export const callbackProfiles = pgTable(
  'callback_profiles',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    url: text().notNull(),
    statuses: text().array().$type<MessageStatus[]>().notNull(),
    active: boolean().notNull().default(true),
    createdAt,
    updatedAt,
    deletedAt: at('deleted_at'),
  },
  (t) => [index('callback_profiles_account').on(t.accountId, t.id.desc())],
);

export const numbers = pgTable(
  'numbers',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => organizations.id),
    /** E.164. Never changes. */
    mobileNumber: text('mobile_number').notNull(),
    displayName: text('display_name').notNull(),
    incomingUrl: text('incoming_url'),
    // No foreign keys: a save must never fail for what an operator sent by hand.
    callbackProfileId: text('callback_profile_id'),
    imageId: text('image_id'),
    address: text(),
    businessDescription: text('business_description'),
    businessCategory: text('business_category').$type<BusinessCategory>().notNull(),
    contactEmail: text('contact_email'),
    website: text(),

    status: text().$type<NumberStatus>().notNull(),
    attempt: integer().notNull(),
    revision: integer().notNull(),
    waitingSince: time('waiting_since'),
    dueAt: time('due_at'),
    verification: jsonb().$type<Decision>(),
    facebookDecision: jsonb('facebook_decision').$type<Decision>(),
    ending: jsonb().$type<Ending>(),
    /** How many supporters have to approve the details: as the settings were when the attempt was submitted. */
    approvalsNeeded: integer('approvals_needed').notNull().default(1),
    /** Given so far where a verification needs more than one. */
    approvals: jsonb().$type<Decision[]>().notNull().default([]),
    /** Asked of the customer, and not answered yet. */
    question: jsonb().$type<Question>(),
    /** Where the number stands with Meta; null where Meta is not configured for it. */
    facebook: jsonb().$type<FacebookProgress>(),
    whatsappName: jsonb('whatsapp_name').$type<WhatsappName>(),
    sync: jsonb().$type<Sync>(),
    qualityRating: text('quality_rating').$type<QualityRating>(),
    qualityColor: text('quality_color').$type<QualityColor>(),
    connectionStatus: text('connection_status'),
    qualityAt: time('quality_at'),
    qualitySource: text('quality_source').$type<Source>(),
    messagingLimit: text('messaging_limit').$type<MessagingLimit>(),
    limitScope: text('limit_scope').$type<LimitScope>(),
    limitAt: time('limit_at'),
    limitSource: text('limit_source').$type<Source>(),
    /** Who verified the attempt before: the new one goes to the same person where they are at work. */
    previousReviewerId: text('previous_reviewer_id'),

    submittedBy: jsonb('submitted_by').$type<Actor>().notNull(),
    submittedAt: time('submitted_at').notNull(),
    decidedAt: time('decided_at'),
    createdAt: time('created_at').notNull().default(sql`now()`),
    updatedAt: time('updated_at').notNull(),
    /** The latest attempt whose workflow is known to have started; the sweeper starts the others. */
    startedAttempt: integer('started_attempt').notNull().default(0),
  },
  (t) => [
    uniqueIndex('numbers_live_mobile_number')
      .on(t.mobileNumber)
      .where(sql`${t.status} in (${oneOf(LIVE_STATUSES)})`),
    // Pages, newest first: see db/list-plans.ts. An index that is read backwards needs no `desc` of its own, which
    // would put nulls where `order by … desc` does not want them, and then be of no use.
    // With what a search looks at: it walks past thousands of rows without reading them.
    index('numbers_by_account').on(t.accountId, t.id, t.displayName, t.mobileNumber),
    index('numbers_by_account_status').on(t.accountId, t.status, t.id),
    index('numbers_by_status').on(t.status, t.id),
    index('numbers_by_account_change').on(t.accountId, t.updatedAt, t.id),
    index('numbers_by_change').on(t.updatedAt, t.id),
    index('numbers_by_text').using(
      'gin',
      t.accountId,
      t.status,
      sql`lower(${t.displayName}) gin_trgm_ops`,
      sql`${t.mobileNumber} gin_trgm_ops`,
    ),
    index('numbers_mobile_number').on(t.mobileNumber),
    index('numbers_review')
      .on(t.status, t.waitingSince, t.id)
      .where(sql`${t.status} in (${oneOf(PENDING_STATUSES)})`),
    // Asked by in the release before Meta came; to be dropped in the one after.
    index('numbers_queue')
      .on(t.status, sql`(${t.attempt} = 1)`, t.waitingSince, t.id)
      .where(sql`${t.status} in (${oneOf(PENDING_STATUSES)})`),
    // Resubmissions first, then the longest waiting. See db/turns.ts.
    index('numbers_reviewable')
      .on(t.status, sql`(${t.attempt} = 1)`, t.waitingSince, t.id)
      .where(
        sql`${t.status} in (${oneOf(PENDING_STATUSES)}) and (${t.facebook} is null or ${t.facebook} ->> 'turn' = 'support')`,
      ),
    index('numbers_turn')
      .on(sql`coalesce(${t.facebook} ->> 'turn', 'facebook')`, t.id)
      .where(sql`${t.status} = 'PENDING_FACEBOOK_APPROVAL'`),
    index('numbers_by_account_turn')
      .on(t.accountId, sql`coalesce(${t.facebook} ->> 'turn', 'facebook')`, t.id)
      .where(sql`${t.status} = 'PENDING_FACEBOOK_APPROVAL'`),
    // What waits for the customer, beside what was rejected.
    index('numbers_question').on(t.accountId, t.id).where(sql`${t.question} is not null`),
    index('numbers_by_account_quality')
      .on(t.accountId, t.qualityRating, t.id)
      .where(sql`${t.qualityRating} is not null`),
    index('numbers_by_quality').on(t.qualityRating, t.id).where(sql`${t.qualityRating} is not null`),
    index('numbers_image').on(t.imageId).where(sql`${t.imageId} is not null`),
    index('numbers_callback_profile').on(t.callbackProfileId).where(sql`${t.callbackProfileId} is not null`),
    index('numbers_due')
      .on(t.status, t.dueAt)
      .where(sql`${t.status} in (${oneOf(PENDING_STATUSES)})`),
    index('numbers_asked').on(t.status).where(sql`${t.question} is not null`),
    // Resubmissions for whoever judged them the time before.
    index('numbers_reviewer')
      .on(t.previousReviewerId, t.status)
      .where(sql`${t.attempt} > 1 and ${t.status} in (${oneOf(PENDING_STATUSES)})`),
    // Of earlier decisions on the same name or website, the latest of each kind first.
    index('numbers_name_decided')
      .on(sql`lower(${t.displayName})`, t.status, t.decidedAt)
      .where(sql`${t.decidedAt} is not null`),
    index('numbers_website_decided')
      .on(t.website, t.status, t.decidedAt)
      .where(sql`${t.decidedAt} is not null`),
    index('numbers_unstarted')
      .on(t.id)
      .where(sql`${t.startedAttempt} < ${t.attempt} and ${t.status} in (${oneOf(LIVE_STATUSES)})`),
    check('numbers_status', sql`${t.status} in (${oneOf(NUMBER_STATUSES)})`),
  ],
);

/** WhatsApp Business Accounts that numbers are added to: an account's own, or the one of ours. */
export const metaConnections = pgTable(
  'meta_connections',
  {
    id: text().primaryKey(),
    /** Null: ours, for accounts without their own. Its token comes from the environment. */
    accountId: text('account_id').references(() => organizations.id, { onDelete: 'cascade' }),
    /** Meta's id of the WhatsApp Business Account. */
    wabaId: text('waba_id').notNull().unique(),
    /** What Meta calls it. */
    name: text(),
    /** Encrypted; null for ours. */
    token: text(),
    /** SHA-256 of the token, hex: a new one of ours is tried again. */
    tokenHash: text('token_hash').notNull(),
    /** No call is made with a token that is not `active`. */
    state: text().$type<ConnectionState>().notNull().default('active'),
    problem: jsonb().$type<FacebookProblem>(),
    checkedAt: at('checked_at'),
    /** Until which change of the connection the numbers that waited were told to go on. */
    resumedAt: at('resumed_at'),
    createdAt,
    updatedAt,
  },
  (t) => [unique('meta_connections_account').on(t.accountId).nullsNotDistinct()],
);

/** The digits of a number as Meta writes them, which for some countries are others than those that were submitted. */
const digitsShownBy = (lastRead: AnyPgColumn) =>
  sql`regexp_replace(${lastRead} #>> '{node,display_phone_number}', '[^0-9]', '', 'g')`;

/** A number at Meta: what activities need and what histories must not hold. */
export const metaNumbers = pgTable(
  'meta_numbers',
  {
    numberId: text('number_id')
      .primaryKey()
      .references(() => numbers.id, { onDelete: 'cascade' }),
    connectionId: text('connection_id')
      .notNull()
      .references(() => metaConnections.id),
    /** The number without "+": by this and the WABA webhooks name it. */
    digits: text().notNull(),
    /** Meta's id of it; null until it is added. A number that was released and submitted anew has its old one. */
    phoneNumberId: text('phone_number_id'),
    /** The name that Meta was last asked for: a decision on another one does not count. */
    requestedName: text('requested_name'),
    /** Of two-step verification, encrypted. */
    pin: text(),
    /** What the customer entered and Meta was not asked about yet, encrypted. */
    code: text(),
    /** The request that entered it, and what came of it. */
    codeOperationId: text('code_operation_id'),
    codeOutcome: text('code_outcome').$type<'right' | 'wrong' | 'expired'>(),
    codeSentAt: at('code_sent_at'),
    verifiedAt: at('verified_at'),
    registeredAt: at('registered_at'),
    deregisteredAt: at('deregistered_at'),
    /** Revision of the profile that Meta has. */
    pushedRevision: integer('pushed_revision'),
    /** Our picture that Meta has: it is not sent again. */
    pushedImageId: text('pushed_image_id'),
    /** When the node is read next; null for never. */
    readAt: at('read_at'),
    /** The node and profile as last read, for the operators who look. */
    lastRead: jsonb('last_read').$type<Record<string, unknown>>(),
    createdAt,
    updatedAt,
  },
  (t) => [
    index('meta_numbers_connection').on(t.connectionId, t.digits),
    index('meta_numbers_shown').on(t.connectionId, digitsShownBy(t.lastRead)),
    index('meta_numbers_phone_number_id').on(t.phoneNumberId),
    index('meta_numbers_due').on(t.connectionId, t.readAt).where(sql`${t.readAt} is not null`),
  ],
);

export const digitsShown = digitsShownBy(metaNumbers.lastRead);

/** Each registration and deregistration that Meta was, or is about to be, asked for: it takes 10 of a number in 72 hours. */
export const metaRegistrations = pgTable(
  'meta_registrations',
  {
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    /** E.164: Meta counts by the number, whoever has it. */
    mobileNumber: text('mobile_number').notNull(),
    kind: text().$type<'register' | 'deregister'>().notNull(),
    at: at('at').notNull().defaultNow(),
    /** Meta's error code; null where it was taken, or nobody knows. */
    refused: integer(),
  },
  (t) => [index('meta_registrations_number').on(t.mobileNumber, t.at)],
);

/**
 * What Meta told, one row for each message, status and other change, and what we tell customers ourselves. Never changed,
 * but for `workedOffAt`. Partitioned by `day`; a partition is dropped when it is old, rows are deleted where an account
 * is erased. An id is `evt_…` outside.
 */
export const events = pgTable(
  'events',
  {
    /** In the order of one webhook. */
    id: uuid().notNull(),
    /** Of Meta's own time for it, so that a repeat is looked for, and found, in one partition. UTC. */
    day: date({ mode: 'string' }).notNull(),
    /** By which a repeat is recognised: half a SHA-256 of what names it at Meta. */
    key: uuid().notNull(),
    /** Events are read in the order of `(txid, id)` and below the oldest transaction under way, like the change feed. */
    txid: xid8().notNull().default(sql`pg_current_xact_id()`),
    type: text().$type<StoredType>().notNull(),
    /** Meta's time for it; ours where Meta has none. */
    at: at('at').notNull(),
    createdAt,
    /** Null: nobody of ours has that WhatsApp Business Account, or that number in it. Then messages are without content, too. */
    accountId: text('account_id'),
    numberId: text('number_id'),
    /** Meta's id of the WhatsApp Business Account, and its word for what changed; null for what we tell ourselves. */
    wabaId: text('waba_id'),
    field: text(),
    /** JSON as it is sent on: Meta's `value` cut to this, or the further members of `data`. Text, as `jsonb` refuses \u0000. */
    content: text().notNull(),
    /** When it was done what a change asks for. */
    workedOffAt: at('worked_off_at'),
  },
  (t) => [
    primaryKey({ columns: [t.id, t.day] }),
    unique('events_key').on(t.key, t.day),
    index('events_account').on(t.accountId, t.txid, t.id).where(sql`${t.accountId} is not null`),
  ],
);

/** That an event is to reach a target. Partitioned by week of `day`: looking for what is due opens each. `dlv_…` outside. */
export const deliveries = pgTable(
  'deliveries',
  {
    /** The event's. */
    id: uuid().notNull(),
    day: date({ mode: 'string' }).notNull(),
    targetId: text('target_id').notNull(),
    numberId: text('number_id').notNull(),
    /** Of number and end user: deliveries of one conversation go one after another. */
    conversation: bigint({ mode: 'bigint' }).notNull(),
    /** `pending` until the target took it, or the last try has failed. */
    state: text().$type<DeliveryState>().notNull().default('pending'),
    /** Since it was made or replayed. */
    tries: integer().notNull().default(0),
    nextAt: at('next_at').notNull().defaultNow(),
    attempts: jsonb().$type<DeliveryAttempt[]>().notNull().default([]),
    createdAt,
    /** When it was taken, or given up. */
    settledAt: at('settled_at'),
  },
  (t) => [
    primaryKey({ columns: [t.id, t.day] }),
    index('deliveries_due').on(t.targetId, t.nextAt, t.id).where(sql`${t.state} = 'pending'`),
    index('deliveries_number').on(t.numberId, t.id),
    // What was not taken, among so much that was. Written so that settling, by `not in`, cannot use it: see decision 0033.
    index('deliveries_open').on(t.numberId, t.id).where(sql`${t.state} in ('pending', 'failed')`),
    check('deliveries_state', sql`${t.state} in (${oneOf(DELIVERY_STATES)})`),
  ],
);

/** Where deliveries go: the Incoming URL of a number, or a callback profile. Made when there is something for it. */
export const targets = pgTable('targets', {
  /** The number's or the profile's. */
  id: text().primaryKey(),
  accountId: text('account_id')
    .notNull()
    .references(() => organizations.id, { onDelete: 'cascade' }),
  kind: text().$type<TargetKind>().notNull(),
  /** `whsec_…`, encrypted; null until something was signed with it, or somebody asked for it. */
  secret: text(),
  /** Signs along until then. */
  previousSecret: text('previous_secret'),
  previousValidUntil: at('previous_valid_until'),
  /** Since when and why nothing is sent; null while it is. */
  offAt: at('off_at'),
  offReason: text('off_reason').$type<OffReason>(),
  /** The first failure since the last success. */
  failingSince: at('failing_since'),
  /** Failures since the last success. */
  failures: integer().notNull().default(0),
  /** What the failures are of: another URL begins anew. */
  failingUrl: text('failing_url'),
  /** Before this nothing is sent: it has failed too often, or asked for time. Otherwise when it last failed. */
  openUntil: at('open_until'),
  lastSuccessAt: at('last_success_at'),
  createdAt,
});

/** What an account has asked to be sent within an hour: replays and tests, counted over all processes. */
export const requestedSends = pgTable('requested_sends', {
  accountId: text('account_id')
    .primaryKey()
    .references(() => organizations.id, { onDelete: 'cascade' }),
  /** When the hour began. */
  since: at('since').notNull().defaultNow(),
  count: integer().notNull().default(0),
});

/** The timeline: what happened to a number, over all attempts. */
export const numberEvents = pgTable(
  'number_events',
  {
    /** Order of the timeline. */
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    id: text().notNull().unique(),
    numberId: text('number_id')
      .notNull()
      .references(() => numbers.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    /** The revision this event made; null for what changes nothing visible (a refused email address). */
    revision: integer(),
    type: text().$type<EventType>().notNull(),
    at: at('at').notNull(),
    actor: jsonb().$type<Actor>().notNull(),
    data: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    visibility: text().$type<'everyone' | 'staff'>().notNull().default('everyone'),
    /** The decision, edit or request that made it: recognises a repeat. */
    operationId: text('operation_id').notNull(),
  },
  (t) => [
    uniqueIndex('number_events_revision').on(t.numberId, t.revision),
    index('number_events_timeline').on(t.numberId, t.seq),
    index('number_events_operation').on(t.numberId, t.operationId),
  ],
);

/** Reviews that a supporter has taken. One that has run out, or is of an earlier stage or attempt, counts for nothing. */
export const claims = pgTable(
  'claims',
  {
    numberId: text('number_id')
      .primaryKey()
      .references(() => numbers.id, { onDelete: 'cascade' }),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    stage: text().$type<Stage>().notNull(),
    claimedAt: at('claimed_at').notNull().defaultNow(),
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('claims_person').on(t.personId), index('claims_expires').on(t.expiresAt)],
);

/** Decision links sent by email; each decides at most once. */
export const decisionLinks = pgTable(
  'decision_links',
  {
    id: text().primaryKey(),
    numberId: text('number_id')
      .notNull()
      .references(() => numbers.id, { onDelete: 'cascade' }),
    attempt: integer().notNull(),
    stage: text().$type<Stage>().notNull(),
    personId: text('person_id')
      .notNull()
      .references(() => people.id, { onDelete: 'cascade' }),
    expiresAt: at('expires_at').notNull(),
    usedAt: at('used_at'),
    createdAt,
  },
  (t) => [index('decision_links_number').on(t.numberId), index('decision_links_expires').on(t.expiresAt)],
);

/**
 * What lists have to hear of, for a day; written by triggers on `numbers`, `number_events` and `claims`. Read in the
 * order of `(txid, seq)` and below the oldest transaction under way, so that none is passed over that commits late.
 */
export const changeFeed = pgTable(
  'change_feed',
  {
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    txid: xid8().notNull().default(sql`pg_current_xact_id()`),
    at: at('at').notNull().defaultNow(),
    numberId: text('number_id').notNull(),
    accountId: text('account_id').notNull(),
    /** `claim`: for staff only. `comment`: for whoever is shown the event. */
    kind: text().$type<'number' | 'claim' | 'comment'>().notNull(),
    /** What was said, in the timeline; null for the other kinds. */
    eventId: text('event_id'),
  },
  (t) => [
    index('change_feed_order').on(t.txid, t.seq),
    index('change_feed_account').on(t.accountId, t.txid, t.seq),
    index('change_feed_at').on(t.at),
  ],
);

/** Emails to send and sent. Written with the change they tell of. */
export const emails = pgTable(
  'emails',
  {
    /** Order within a lane. */
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    id: text().notNull().unique(),
    /**
     * Emails of one lane go out in order: a number's id, a person's id or address, or to our own people `support`,
     * `escalation` and, for what customers comment on a number, `support:` with its id.
     */
    lane: text().notNull(),
    numberId: text('number_id').references(() => numbers.id, { onDelete: 'cascade' }),
    attempt: integer(),
    /** The account that an email tells of which is not about a number: invitations, its closing. */
    accountId: text('account_id'),
    /** Null: whoever the lane's rules find when it is sent. */
    recipient: text(),
    kind: text().$type<EmailKind>().notNull(),
    /** Stable over every try: a double is recognisable. Without angle brackets. */
    messageId: text('message_id').notNull().unique(),
    /** What the template needs, as it was when the email was written. */
    data: jsonb().$type<Record<string, unknown>>().notNull(),
    /** `unsent` until the server took it (`sent`) or refused it for good (`refused`). */
    state: text().$type<'unsent' | 'sent' | 'refused'>().notNull().default('unsent'),
    createdAt,
    settledAt: at('settled_at'),
  },
  (t) => [
    index('emails_unsent').on(t.lane, t.seq).where(sql`${t.state} = 'unsent'`),
    index('emails_number').on(t.numberId, t.seq),
    // By these the erasure of an account finds what was written to its people.
    index('emails_account').on(t.accountId).where(sql`${t.accountId} is not null`),
    index('emails_recipient').on(t.recipient).where(sql`${t.recipient} is not null`),
  ],
);

/** The ledger: each try to send an email, with what came of it. */
export const emailAttempts = pgTable(
  'email_attempts',
  {
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    emailId: text('email_id')
      .notNull()
      .references(() => emails.id, { onDelete: 'cascade' }),
    startedAt: at('started_at').notNull().defaultNow(),
    finishedAt: at('finished_at'),
    recipients: text().array().notNull(),
    /** `sending` while under way; where the process died meanwhile, the next try makes it `ambiguous`. */
    outcome: text()
      .$type<'sending' | 'sent' | 'deferred' | 'refused' | 'ambiguous'>()
      .notNull()
      .default('sending'),
    /** The server's words, or the error. */
    detail: text(),
  },
  (t) => [index('email_attempts_email').on(t.emailId, t.seq)],
);

/** What was answered to a request with an Idempotency-Key, for 24 hours. */
export const idempotencyRecords = pgTable(
  'idempotency_records',
  {
    /** The account or staff person. */
    scope: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body. */
    fingerprint: text().notNull(),
    /** Drawn with the record: a retry of an unanswered request carries on the same operation. */
    operationId: text('operation_id').notNull(),
    /** What the first try saw of the number: a repeat means that, whatever the number has become meanwhile. */
    seen: jsonb().$type<unknown>(),
    /** Null while there is no answer yet. */
    status: integer(),
    headers: jsonb().$type<Record<string, string>>(),
    body: jsonb().$type<unknown>(),
    /** Until when the first request may be taken to be running. */
    lockedUntil: at('locked_until'),
    createdAt,
  },
  (t) => [primaryKey({ columns: [t.scope, t.key] }), index('idempotency_records_created').on(t.createdAt)],
);
