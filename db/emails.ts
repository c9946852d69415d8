/** Sending what was written: the unsent rows of a lane, the ledger of tries, and settling. */
import { and, asc, eq, lte, max, min, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import type { EmailRow } from './email-rows.ts';
import { prepared } from './prepared.ts';
import {
  emailAttempts,
  emails,
  memberships,
  numberEvents,
  numbers,
  organizations,
  people,
} from './schema.ts';
import { notBanned } from './sessions.ts';

export interface UnsentEmail extends EmailRow {
  tries: {
    /** One is open in the ledger: the process that made it ended before it could say what came of it. */
    interrupted: boolean;
    /** How many may have been taken: no answer came, or they were interrupted. */
    ambiguous: number;
    /** When the last of those began, and the first of all. Milliseconds since 1970, null for none. */
    lastAmbiguousAt: number | null;
    firstAt: number | null;
  };
}

/** The unsent emails of a lane, in the order they were written. */
export async function unsentEmails(db: Database, lane: string, limit: number): Promise<UnsentEmail[]> {
  const rows = await unsentOfLane(db).execute({ lane, limit });
  return rows.map(({ email, tries }) => ({ ...email, tries }));
}

const unsentOfLane = prepared((db) => {
  const { emailId, outcome, startedAt } = emailAttempts;
  const ambiguous = sql`filter (where ${outcome} in ('ambiguous', 'sending'))`;
  const milliseconds = (time: SQL) => sql`floor(extract(epoch from ${time}) * 1000)`;
  return db
    .select({
      email: emails,
      tries: sql<UnsentEmail['tries']>`(select jsonb_build_object(
        'interrupted', coalesce(bool_or(${outcome} = 'sending'), false),
        'ambiguous', count(*) ${ambiguous},
        'lastAmbiguousAt', ${milliseconds(sql`max(${startedAt}) ${ambiguous}`)},
        'firstAt', ${milliseconds(sql`min(${startedAt})`)}
      ) from ${emailAttempts} where ${emailId} = ${emails.id})`,
    })
    .from(emails)
    .where(and(eq(emails.lane, sql.placeholder('lane')), sql`${emails.state} = 'unsent'`))
    .orderBy(asc(emails.seq))
    .limit(sql.placeholder('limit'))
    .prepare('unsent_emails');
});

/**
 * Lanes whose first unsent email was written at least `olderThanSeconds` ago. Those not tried for longest come
 * first, so that a few bad mailboxes cannot use up every round.
 */
export async function unsentLanes(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<string[]> {
  const rows = await db
    .select({ lane: emails.lane })
    .from(emails)
    .leftJoin(emailAttempts, eq(emailAttempts.emailId, emails.id))
    .where(eq(emails.state, 'unsent'))
    .groupBy(emails.lane)
    .having(lte(min(emails.createdAt), sql`now() - make_interval(secs => ${options.olderThanSeconds})`))
    .orderBy(sql`${max(emailAttempts.startedAt)} nulls first`, min(emails.seq))
    .limit(options.limit);
  return rows.map((row) => row.lane);
}

/** A try to send, opened in the ledger before anything is sent. */
export interface EmailAttempt {
  seq: number;
  recipients: string[];
}

/**
 * Opens a try; one that was interrupted is closed as `ambiguous` first.
 * Recipients of an email about a number are who is to know of it now: the person who submitted it, if still a
 * member of the account and not banned, otherwise the account's notification addresses.
 * An email with a recipient of its own goes there. Pass `to` for the lanes of staff. No recipients: an empty list.
 */
export async function openAttempt(db: Database, email: UnsentEmail, to?: string[]): Promise<EmailAttempt> {
  if (email.tries.interrupted) {
    await db
      .update(emailAttempts)
      .set({ outcome: 'ambiguous', detail: 'The process ended during this try.', finishedAt: sql`now()` })
      .where(and(eq(emailAttempts.emailId, email.id), eq(emailAttempts.outcome, 'sending')));
  }
  const { id: emailId, numberId, recipient } = email;
  const known = recipient === null ? to : [recipient];
  const [attempt] = known
    ? await insertAttempt(db, emailId, known)
    : await attemptAboutNumber(db).execute({ emailId, numberId });
  if (!attempt) throw new Error('The ledger row was not written.');
  return attempt;
}

const insertAttempt = (
  db: Database | Transaction,
  emailId: string | Placeholder,
  recipients: string[] | SQL,
) =>
  db
    .insert(emailAttempts)
    .values({ emailId, recipients })
    .returning({ seq: emailAttempts.seq, recipients: emailAttempts.recipients });

const attemptAboutNumber = prepared((db) =>
  insertAttempt(db, sql.placeholder('emailId'), recipientsOf(sql.placeholder('numberId'))).prepare(
    'attempt_about_number',
  ),
);

function recipientsOf(numberId: Placeholder): SQL {
  return sql`coalesce((
    select case when ${people.id} is null then ${organizations.notificationEmails} else array[${people.email}] end
    from ${numbers}
    join ${organizations} on ${organizations.id} = ${numbers.accountId}
    left join ${memberships} on ${memberships.organizationId} = ${numbers.accountId}
      and ${memberships.personId} = ${numbers.submittedBy} ->> 'id'
    left join ${people} on ${people.id} = ${memberships.personId}
      and ${notBanned}
    where ${numbers.id} = ${numberId}
  ), '{}')`;
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
 * Closes a try and settles its email. Addresses that were not taken are told in the number's timeline, once.
 * Settling an email that is settled already changes only the ledger.
 */
export async function settleEmail(
  db: Database,
  email: EmailRow,
  attempt: EmailAttempt,
  result: { outcome: 'sent' | 'refused'; detail: string; rejected: string[] },
): Promise<void> {
  const { numberId } = email;
  const values = { emailId: email.id, seq: attempt.seq, outcome: result.outcome, detail: result.detail };
  const tell = result.outcome === 'refused' || result.rejected.length > 0;
  if (!tell || numberId === null) {
    await settled(db).execute(values);
    return;
  }
  await db.transaction(async (tx) => {
    if ((await settle(tx).execute(values)).length === 0) return;
    await tx.insert(numberEvents).values({
      id: newId('evt'),
      numberId,
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

/** Closes the try and settles its email, in one statement. It returns the email's id if that was unsent. */
function settle(db: Database | Transaction) {
  const { placeholder } = sql;
  const closed = db.$with('closed').as(
    db
      .update(emailAttempts)
      .set({
        outcome: sql`${placeholder('outcome')}`,
        detail: sql`${placeholder('detail')}`,
        finishedAt: sql`now()`,
      })
      .where(eq(emailAttempts.seq, placeholder('seq')))
      .returning({ seq: emailAttempts.seq }),
  );
  return db
    .with(closed)
    .update(emails)
    .set({
      state: sql`${placeholder('outcome')}`,
      settledAt: sql`now()`,
      // Whoever reads the database later must not find a link that still works. What is not about one number
      // could not be found again to erase names in it, and nobody needs it any more.
      data: sql`case when ${emails.numberId} is null then '{}' else ${emails.data} - 'link' end`,
    })
    .where(and(eq(emails.id, placeholder('emailId')), eq(emails.state, 'unsent')))
    .returning({ id: emails.id })
    .prepare('settle_email');
}

const settled = prepared(settle);
