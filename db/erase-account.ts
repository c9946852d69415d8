/**
 * Erasing the personal data of an account that was closed long enough ago: what people and their business are
 * called, how they are reached, what they wrote. Ids, times, outcomes and phone numbers stay.
 */
import { and, asc, eq, gt, inArray, isNotNull, isNull, notExists, or, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { LIVE_STATUSES } from '../contract/number.ts';
import { lockAccount } from './accounts.ts';
import { recordAudit } from './audit.ts';
import type { Database, Transaction } from './client.ts';
import { isRegistered } from './meta-numbers.ts';
import {
  apiKeys,
  auditEvents,
  callbackProfiles,
  deliveries,
  emailAttempts,
  emails,
  events,
  idempotencyRecords,
  images,
  invitations,
  memberships,
  metaConnections,
  metaNumbers,
  numberEvents,
  numbers,
  organizations,
  people,
  targets,
  verifications,
} from './schema.ts';

/** How much longer a deregistration that does not go through holds the erasure up. */
const DEREGISTRATION_DAYS = 7;
/** What stands in the place of a name that cannot be null. */
const ERASED = 'Erased';
/** What timeline and audit log keep: words of ours, never of people. */
const KEPT = ['outcome', 'code', 'fields', 'kind', 'role', 'before', 'scopes', 'by', 'why', 'accountClosed'];

/**
 * Accounts that were closed so many days ago, have no live number, and were not erased yet. While one of their numbers is
 * still to be deregistered, what that needs is kept: for so many days more.
 */
export async function accountsToErase(db: Database, days: number): Promise<string[]> {
  const live = db
    .select({ id: numbers.id })
    .from(numbers)
    .where(and(eq(numbers.accountId, organizations.id), inArray(numbers.status, [...LIVE_STATUSES])));
  const atMeta = db
    .select({ id: metaNumbers.numberId })
    .from(metaNumbers)
    .innerJoin(numbers, eq(numbers.id, metaNumbers.numberId))
    .innerJoin(metaConnections, eq(metaConnections.id, metaNumbers.connectionId))
    .where(and(eq(numbers.accountId, organizations.id), isRegistered, eq(metaConnections.state, 'active')));
  const rows = await db
    .select({ id: organizations.id })
    .from(organizations)
    .where(
      and(
        isNotNull(organizations.closedAt),
        isNull(organizations.erasedAt),
        sql`${organizations.closedAt} <= now() - make_interval(secs => ${days * 24 * 3_600})`,
        notExists(live),
        or(
          notExists(atMeta),
          sql`${organizations.closedAt} <= now() - make_interval(days => ${DEREGISTRATION_DAYS}, secs => ${days * 24 * 3_600})`,
        ),
      ),
    )
    .orderBy(asc(organizations.closedAt));
  return rows.map(({ id }) => id);
}

/**
 * Erases the next numbers of an account after the given one, with their timelines and emails. Returns the last of
 * them, null where there are no more. To be repeated from the start after a failure.
 */
export async function eraseNumbers(
  db: Database,
  accountId: string,
  after: string,
  batch: number,
): Promise<string | null> {
  return db.transaction(async (tx) => {
    const rows = await tx
      .select({ id: numbers.id })
      .from(numbers)
      .where(and(eq(numbers.accountId, accountId), gt(numbers.id, after)))
      .orderBy(asc(numbers.id))
      .limit(batch);
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return null;
    await tx
      .update(numbers)
      .set({
        displayName: ERASED,
        incomingUrl: null,
        callbackProfileId: null,
        imageId: null,
        address: null,
        businessDescription: null,
        contactEmail: null,
        website: null,
        verification: withoutReason(numbers.verification),
        facebookDecision: withoutReason(numbers.facebookDecision),
        approvals: sql`(select coalesce(jsonb_agg(${withoutReason(sql`one`)}), '[]')
          from jsonb_array_elements(${numbers.approvals}) one)`,
        question: null,
        facebook: null,
        whatsappName: null,
        sync: null,
        submittedBy: withoutName(numbers.submittedBy),
        ending: sql`jsonb_set(${numbers.ending}, '{by}', ${withoutName(sql`${numbers.ending} -> 'by'`)})`,
      })
      .where(inArray(numbers.id, ids));
    // The PIN stays: whoever submits the number next has it registered with that.
    await tx
      .update(metaNumbers)
      .set({ requestedName: null, code: null, lastRead: null })
      .where(inArray(metaNumbers.numberId, ids));
    await tx
      .update(numberEvents)
      .set({ data: onlyKept(numberEvents.data), actor: withoutName(numberEvents.actor) })
      .where(inArray(numberEvents.numberId, ids));
    await eraseEmails(tx, inArray(emails.numberId, ids));
    return rows.length < batch ? null : (ids.at(-1) ?? null);
  });
}

/**
 * Erases the next entries of the audit log about an account, or about people who belong to no other. Returns
 * whether there may be more.
 */
export async function eraseAudit(db: Database, accountId: string, batch: number): Promise<boolean> {
  const persons = await onlyHere(db, accountId);
  const ids = persons.map(({ id }) => id);
  const addresses = persons.map(({ email }) => email);
  const about = or(
    eq(auditEvents.accountId, accountId),
    anyOf(sql`${auditEvents.data} ->> 'email'`, addresses),
    anyOf(auditEvents.targetId, ids),
    anyOf(sql`${auditEvents.actor} ->> 'id'`, ids),
  );
  const personal = or(
    isNotNull(auditEvents.ipAddress),
    isNotNull(auditEvents.userAgent),
    sql`${auditEvents.data} <> ${onlyKept(auditEvents.data)}`,
    sql`${auditEvents.actor} <> ${withoutName(auditEvents.actor)}`,
  );
  const next = db.select({ seq: auditEvents.seq }).from(auditEvents).where(and(about, personal)).limit(batch);
  const erased = await db
    .update(auditEvents)
    .set({
      ipAddress: null,
      userAgent: null,
      data: onlyKept(auditEvents.data),
      actor: withoutName(auditEvents.actor),
    })
    .where(inArray(auditEvents.seq, next))
    .returning({ seq: auditEvents.seq });
  return erased.length === batch;
}

/**
 * Erases the next messages of an account, with whatever else Meta told of it, and what came of their delivery. Returns
 * whether there may be more.
 */
export async function eraseEvents(db: Database, accountId: string, batch: number): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with gone as (
      select id, day from ${events} where account_id = ${accountId} limit ${batch}
    ), undelivered as (
      delete from ${deliveries} d using gone where d.id = gone.id and d.day = gone.day
    )
    delete from ${events} e using gone where e.id = gone.id and e.day = gone.day returning 1`);
  return rows.length === batch;
}

/** The last step: the people who belong to no other account, what the account had beside numbers, its own name. */
export async function eraseAccount(db: Database, accountId: string): Promise<void> {
  await db.transaction(async (tx) => {
    const account = await lockAccount(tx, accountId);
    if (!account || account.erasedAt) return;
    const persons = await onlyHere(tx, accountId);
    const ids = persons.map(({ id }) => id);
    const addresses = persons.map(({ email }) => email);
    await eraseEmails(tx, or(eq(emails.accountId, accountId), anyOf(emails.recipient, addresses)));
    const links = ids.flatMap((id) => [`email:${id}`, `password:${id}`]);
    await tx
      .delete(verifications)
      .where(or(anyOf(verifications.identifier, links), anyOf(verifications.value, ids)));
    // With their sessions, passwords and memberships.
    await tx.delete(people).where(anyOf(people.id, ids));
    await tx.delete(memberships).where(eq(memberships.organizationId, accountId));
    await tx.delete(invitations).where(eq(invitations.organizationId, accountId));
    // With its token. No number is left to be told of; what was in it stays there, at Meta.
    const connection = tx
      .select({ id: metaConnections.id })
      .from(metaConnections)
      .where(eq(metaConnections.accountId, accountId));
    await tx.delete(metaNumbers).where(inArray(metaNumbers.connectionId, connection));
    await tx.delete(metaConnections).where(eq(metaConnections.accountId, accountId));
    await tx.delete(targets).where(eq(targets.accountId, accountId));
    await tx.delete(callbackProfiles).where(eq(callbackProfiles.accountId, accountId));
    // No number names its pictures any more: the clean-up of unused ones takes those that are in another store.
    await tx.delete(images).where(and(eq(images.accountId, accountId), eq(images.store, 'database')));
    await tx.delete(idempotencyRecords).where(eq(idempotencyRecords.scope, accountId));
    await tx
      .update(apiKeys)
      .set({ name: ERASED, createdBy: withoutName(apiKeys.createdBy) })
      .where(eq(apiKeys.organizationId, accountId));
    await tx
      .update(organizations)
      .set({
        name: ERASED,
        slug: accountId,
        logo: null,
        metadata: null,
        notificationEmails: [],
        closedBy: withoutName(organizations.closedBy),
        erasedAt: sql`now()`,
      })
      .where(eq(organizations.id, accountId));
    const actor = { type: 'system', id: null } as const;
    await recordAudit(tx, { type: 'account.erased', actor, accountId, targetId: accountId });
  });
}

/** Members who belong to no other account and are no staff. */
async function onlyHere(
  db: Database | Transaction,
  accountId: string,
): Promise<{ id: string; email: string }[]> {
  const elsewhere = alias(memberships, 'elsewhere');
  const others = db
    .select({ id: elsewhere.id })
    .from(elsewhere)
    .where(and(eq(elsewhere.personId, people.id), sql`${elsewhere.organizationId} <> ${accountId}`));
  return db
    .select({ id: people.id, email: people.email })
    .from(people)
    .innerJoin(memberships, eq(memberships.personId, people.id))
    .where(and(eq(memberships.organizationId, accountId), eq(people.role, 'user'), notExists(others)));
}

/** What emails said and to whom; one that was still to be sent is not sent any more. */
async function eraseEmails(tx: Transaction, which: SQL | undefined): Promise<void> {
  const erased = await tx
    .update(emails)
    .set({
      data: {},
      recipient: null,
      lane: sql`case when ${emails.numberId} is null then ${emails.id} else ${emails.lane} end`,
      state: sql`case when ${emails.state} = 'unsent' then 'refused' else ${emails.state} end`,
      settledAt: sql`coalesce(${emails.settledAt}, now())`,
    })
    .where(which)
    .returning({ id: emails.id });
  await tx
    .update(emailAttempts)
    .set({ recipients: [], detail: null })
    .where(
      anyOf(
        emailAttempts.emailId,
        erased.map(({ id }) => id),
      ),
    );
}

/** One parameter, however many. */
function anyOf(column: SQL | Parameters<typeof eq>[0], values: string[]): SQL {
  return sql`${column} = any(${sql.param(values)}::text[])`;
}

/** The reason of a decision is somebody's own words. */
function withoutReason(decision: SQL | Parameters<typeof eq>[0]): SQL {
  return sql`case when jsonb_typeof(${decision}) = 'object' then ${decision} || '{"reason": null}' end`;
}

/** What a customer was called; of our own staff it stays known who decided. */
function withoutName(actor: SQL | Parameters<typeof eq>[0]): SQL {
  return sql`case when (${actor}) ->> 'type' = 'customer' then (${actor}) - 'name' else (${actor}) end`;
}

function onlyKept(data: SQL | Parameters<typeof eq>[0]): SQL {
  return sql`(select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(${data})
    where key = any(${sql.param(KEPT)}::text[]))`;
}
