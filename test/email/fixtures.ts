/** Accounts, people, numbers and emails as the rest of the product writes them. */
import { eq } from 'drizzle-orm';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createEmailActivities, EMAIL_LIMITS } from '../../activities/emails.ts';
import { type Config, configSchema } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import type { Actor, EmailKind, NumberStatus, RejectionNotice } from '../../contract/number.ts';
import { type Database, openDatabase } from '../../db/client.ts';
import { numberEmail } from '../../db/email-rows.ts';
import { stateOf } from '../../db/number-row.ts';
import { emailAttempts, emails, memberships, numbers, organizations, people } from '../../db/schema.ts';
import { createMailer, type MailTimeouts } from '../../email/transport.ts';
import type { TestDatabase } from '../support/database.ts';

export const FROM = 'WhatsApp Numbers <numbers@example.com>';
/** For tests in which the server keeps quiet. */
export const SHORT: MailTimeouts = { dns: 1_000, connect: 1_000, answer: 1_500, total: 3_000 };
const REJECTION: RejectionNotice = {
  by: 'support',
  reason: 'The website is of another business.',
  code: null,
  fields: ['website'],
};

export function testConfig(url: string, more: Record<string, string> = {}): Config {
  return configSchema.parse({ DATABASE_URL: url, MAIL_FROM: FROM, ...more });
}

export interface TestWorker {
  activities: ReturnType<typeof createEmailActivities>;
  deps: Omit<ActivityDeps, 'workflows' | 'meta'>;
  close(): Promise<void>;
}

/** The email activities of one worker process, with pools of its own. */
export function openWorker(
  database: { url: string },
  smtpUrl: string,
  options: {
    limits?: Partial<typeof EMAIL_LIMITS>;
    config?: Record<string, string>;
    name?: string;
    stopping?: AbortSignal;
  } = {},
): TestWorker {
  const config = testConfig(database.url, options.config);
  const name = options.name ?? 'worker';
  const db = openDatabase(config, { name, max: 8 });
  const lockDb = openDatabase(config, { name: `${name}-locks`, max: 4 });
  const mailer = createMailer({ smtpUrl, from: FROM });
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const stopping = options.stopping ?? new AbortController().signal;
  const deps = { db, lockDb, mailer, config, logger, stopping };
  return {
    deps,
    activities: createEmailActivities(deps, { ...EMAIL_LIMITS, ...options.limits }),
    async close() {
      mailer.close();
      await Promise.all([db.close(), lockDb.close()]);
    },
  };
}

export async function createAccount(db: Database, notificationEmails: string[] = ['notices@customer.test']) {
  const id = newId('org');
  await db.insert(organizations).values({ id, name: 'Customer', slug: id, notificationEmails });
  return id;
}

async function createMember(db: Database, accountId: string) {
  const id = newId('usr');
  const email = `${id}@customer.test`;
  await db.insert(people).values({ id, name: 'Ada', email });
  await db.insert(memberships).values({ id: newId('mem'), organizationId: accountId, personId: id });
  return { id, email };
}

let digits = 5_550_000;

export async function createNumber(
  db: Database,
  accountId: string,
  more: Partial<typeof numbers.$inferInsert> = {},
) {
  const now = new Date().toISOString();
  const submittedBy: Actor = { type: 'customer', id: newId('key') };
  const status: NumberStatus = 'PENDING_VERIFICATION';
  digits += 1;
  const [row] = await db
    .insert(numbers)
    .values({
      id: newId('num'),
      accountId,
      mobileNumber: `+1555${digits}`,
      displayName: 'Acme Ltd',
      businessCategory: 'RETAIL',
      status,
      attempt: 1,
      revision: 1,
      waitingSince: now,
      dueAt: new Date(Date.now() + 24 * 3_600_000).toISOString(),
      submittedBy,
      submittedAt: now,
      updatedAt: now,
      ...more,
    })
    .returning();
  if (!row) throw new Error('no row');
  return row;
}

/** Writes emails about a number, in this order. */
export async function writeEmails(
  db: Database,
  number: typeof numbers.$inferSelect,
  kinds: EmailKind[],
  rejection: RejectionNotice = REJECTION,
) {
  const rows = kinds.map((kind) =>
    numberEmail(number, stateOf(number), kind, {
      mailDomain: 'example.com',
      rejection: kind === 'rejected' ? rejection : null,
    }),
  );
  return db.insert(emails).values(rows).returning();
}

export async function ledger(db: Database, emailId: string) {
  const rows = await db
    .select()
    .from(emailAttempts)
    .where(eq(emailAttempts.emailId, emailId))
    .orderBy(emailAttempts.seq);
  return rows.map(({ outcome, recipients, detail }) => ({ outcome, recipients, detail }));
}

export async function emailStates(db: Database, lane: string) {
  const rows = await db.select().from(emails).where(eq(emails.lane, lane)).orderBy(emails.seq);
  return rows.map((row) => row.state);
}

/** An account with a member who submitted a number, and emails about it. */
export async function submission(database: TestDatabase, kinds: EmailKind[] = []) {
  const accountId = await createAccount(database.db);
  const person = await createMember(database.db, accountId);
  const number = await createNumber(database.db, accountId, {
    submittedBy: { type: 'customer', id: person.id },
  });
  return { accountId, person, number, emails: await writeEmails(database.db, number, kinds) };
}
