/**
 * The tables. PostgreSQL decides what was accepted and who holds a number; everything listed is read from
 * here. `organizations` are the product's accounts: better-auth uses the word account for credentials.
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { BusinessCategory } from '../contract/categories.ts';
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
} from '../contract/number.ts';

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });
const createdAt = at('created_at').notNull().defaultNow();

const oneOf = (statuses: readonly string[]) => sql.raw(statuses.map((status) => `'${status}'`).join(', '));
/** A number that holds its phone number. Without the table's name, as `on conflict` wants it. */
export const isLiveSql = sql`status in (${oneOf(LIVE_STATUSES)})`;

export const organizations = pgTable('organizations', {
  id: text().primaryKey(),
  name: text().notNull(),
  slug: text().notNull().unique(),
  logo: text(),
  metadata: text(),
  /** Where notices go when no person can get them: a submission by API key, a person who left. */
  notificationEmails: text('notification_emails').array().notNull().default([]),
  createdAt,
});

export const people = pgTable('people', {
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
  createdAt,
  updatedAt: at('updated_at').notNull().defaultNow(),
});

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
    scopes: text().array().$type<('read' | 'write')[]>().notNull(),
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
    address: text(),
    businessDescription: text('business_description'),
    businessCategory: text('business_category').$type<BusinessCategory>().notNull(),
    contactEmail: text('contact_email'),
    website: text(),

    status: text().$type<NumberStatus>().notNull(),
    attempt: integer().notNull(),
    revision: integer().notNull(),
    waitingSince: at('waiting_since'),
    dueAt: at('due_at'),
    verification: jsonb().$type<Decision>(),
    facebookDecision: jsonb('facebook_decision').$type<Decision>(),
    ending: jsonb().$type<Ending>(),

    submittedBy: jsonb('submitted_by').$type<Actor>().notNull(),
    submittedAt: at('submitted_at').notNull(),
    decidedAt: at('decided_at'),
    createdAt,
    updatedAt: at('updated_at').notNull(),
    /** The latest attempt whose workflow is known to have started; the sweeper starts the others. */
    startedAttempt: integer('started_attempt').notNull().default(0),
  },
  (t) => [
    uniqueIndex('numbers_live_mobile_number')
      .on(t.mobileNumber)
      .where(sql`${t.status} in (${oneOf(LIVE_STATUSES)})`),
    index('numbers_account').on(t.accountId, t.id.desc()),
    index('numbers_account_status').on(t.accountId, t.status, t.id.desc()),
    index('numbers_status').on(t.status, t.id.desc()),
    index('numbers_mobile_number').on(t.mobileNumber),
    index('numbers_account_updated').on(t.accountId, t.updatedAt),
    index('numbers_updated').on(t.updatedAt),
    index('numbers_review')
      .on(t.status, t.waitingSince, t.id)
      .where(sql`${t.status} in (${oneOf(PENDING_STATUSES)})`),
    index('numbers_unstarted')
      .on(t.id)
      .where(sql`${t.startedAttempt} < ${t.attempt} and ${t.status} in (${oneOf(LIVE_STATUSES)})`),
    check('numbers_status', sql`${t.status} in (${oneOf(NUMBER_STATUSES)})`),
    index('numbers_search').using(
      'gin',
      sql`${t.displayName} gin_trgm_ops`,
      sql`${t.mobileNumber} gin_trgm_ops`,
    ),
  ],
);

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

/** Emails to send and sent. Written with the change they tell of. */
export const emails = pgTable(
  'emails',
  {
    /** Order within a lane. */
    seq: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    id: text().notNull().unique(),
    /** Emails of one lane go out in order: a number's id, or `support`, `escalation`. */
    lane: text().notNull(),
    numberId: text('number_id').references(() => numbers.id, { onDelete: 'cascade' }),
    attempt: integer(),
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
