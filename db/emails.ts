/** Sending what was written: the unsent rows of a lane, the ledger of tries, and settling. */
import { and, asc, eq, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { Database } from './client.ts';
import type { EmailRow } from './email-rows.ts';
import {
  emailAttempts,
  emails,
  memberships,
  numberEvents,
  numbers,
  organizations,
  people,
} from './schema.ts';

/** The unsent emails of a lane, in the order they were written. */
export async function unsentEmails(db: Database, lane: string, limit: number): Promise<EmailRow[]> {
  return db
    .select()
    .from(emails)
    .where(and(eq(emails.lane, lane), eq(emails.state, 'unsent')))
    .orderBy(asc(emails.seq))
    .limit(limit);
}

/**
 * Lanes whose first unsent email was written at least `olderThanSeconds` ago. Those not tried for longest come
 * first, so that a few bad mailboxes cannot use up every round.
 */
export async function unsentLanes(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<string[]> {
  const rows = await db.execute<{ lane: string }>(sql`
    select ${emails.lane} as lane
    from ${emails}
    left join lateral (
      select max(${emailAttempts.startedAt}) as at from ${emailAttempts} where ${emailAttempts.emailId} = ${emails.id}
    ) tried on true
    where ${emails.state} = 'unsent'
    group by ${emails.lane}
    having min(${emails.createdAt}) <= now() - make_interval(secs => ${options.olderThanSeconds})
    order by max(tried.at) nulls first, min(${emails.seq})
    limit ${options.limit}`);
  return rows.map((row) => row.lane);
}

/** A try to send, opened in the ledger before anything is sent. */
export interface EmailAttempt {
  seq: number;
  recipients: string[];
}

/**
 * Opens a try. A try that is still open then was cut short by the end of its process: it becomes `ambiguous`.
 * Recipients of an email about a number are who is to know of it now: the person who submitted it, if still a
 * member of the account and not banned, otherwise the account's notification addresses.
 * Pass `to` for the other lanes. No recipients: an empty list.
 */
export async function openAttempt(db: Database, email: EmailRow, to?: string[]): Promise<EmailAttempt> {
  const recipients = to === undefined ? recipientsOf(email) : sql`${sql.param(to)}::text[]`;
  const [row] = await db.execute<{ seq: string; recipients: string[] }>(sql`
    with interrupted as (
      update ${emailAttempts}
      set outcome = 'ambiguous', finished_at = now(), detail = 'The process ended during this try.'
      where ${emailAttempts.emailId} = ${email.id} and ${emailAttempts.outcome} = 'sending'
    )
    insert into ${emailAttempts} (email_id, recipients)
    values (${email.id}, coalesce((${recipients}), '{}'))
    returning seq, recipients`);
  if (!row) throw new Error('The ledger row was not written.');
  return { seq: Number(row.seq), recipients: row.recipients };
}

function recipientsOf(email: EmailRow) {
  return sql`
    select case when ${people.id} is null then ${organizations.notificationEmails} else array[${people.email}] end
    from ${numbers}
    join ${organizations} on ${organizations.id} = ${numbers.accountId}
    left join ${memberships} on ${memberships.organizationId} = ${numbers.accountId}
      and ${memberships.personId} = ${numbers.submittedBy} ->> 'id'
    left join ${people} on ${people.id} = ${memberships.personId}
      and not (${people.banned} and coalesce(${people.banExpires} > now(), true))
    where ${numbers.id} = ${email.numberId}`;
}

/** Closes a try after which the email stays unsent. */
export async function closeAttempt(
  db: Database,
  attempt: EmailAttempt,
  result: { outcome: 'deferred' | 'ambiguous'; detail: string },
): Promise<void> {
  await db
    .update(emailAttempts)
    .set({ outcome: result.outcome, detail: result.detail, finishedAt: sql`now()` })
    .where(eq(emailAttempts.seq, attempt.seq));
}

/**
 * Closes a try and settles its email. Addresses refused for good are told in the number's timeline, once.
 * Settling an email that is settled already changes only the ledger.
 */
export async function settleEmail(
  db: Database,
  email: EmailRow,
  attempt: EmailAttempt,
  result: { outcome: 'sent' | 'refused'; detail: string; rejected: string[] },
): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(emailAttempts)
      .set({ outcome: result.outcome, detail: result.detail, finishedAt: sql`now()` })
      .where(eq(emailAttempts.seq, attempt.seq));
    const settled = await tx
      .update(emails)
      .set({ state: result.outcome, settledAt: sql`now()` })
      .where(and(eq(emails.id, email.id), eq(emails.state, 'unsent')))
      .returning({ id: emails.id });
    const tell = result.outcome === 'refused' || result.rejected.length > 0;
    if (!tell || settled.length === 0 || email.numberId === null) return;
    await tx.insert(numberEvents).values({
      id: newId('evt'),
      numberId: email.numberId,
      attempt: email.attempt ?? 1,
      revision: null,
      type: 'email.refused',
      at: new Date(),
      actor: { type: 'system', id: null },
      data: { kind: email.kind, recipients: result.rejected, detail: result.detail },
      operationId: email.id,
    });
  });
}
