import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { emailAttempts, emails, memberships, numberEvents, organizations, people } from '../../db/schema.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startSmtp, type TakenMail, type TestSmtp } from '../support/smtp.ts';
import {
  createAccount,
  createNumber,
  emailStates,
  ledger,
  openWorker,
  submission,
  type TestWorker,
  writeEmails,
} from './fixtures.ts';

let database: TestDatabase;
let smtp: TestSmtp;
let worker: TestWorker;
const opened: TestWorker[] = [];
/** Holds the server back between taking a mail and answering. */
let beforeAnswer: ((mail: TakenMail) => Promise<void>) | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  smtp = await startSmtp({ beforeAnswer: async (mail) => beforeAnswer?.(mail) });
});
beforeEach(() => {
  worker = open();
});
afterEach(async () => {
  for (const fault of Object.keys(smtp.faults)) delete smtp.faults[fault as keyof typeof smtp.faults];
  smtp.mails.length = 0;
  beforeAnswer = undefined;
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await smtp.stop();
  await database.drop();
});

function open(options?: Parameters<typeof openWorker>[2]): TestWorker {
  const one = openWorker(database, smtp.url, options);
  opened.push(one);
  return one;
}

/** For what happens soon, also on a busy machine. */
const WAIT = { timeout: 10_000 };
const messageIds = () => smtp.mails.map(({ parsed }) => parsed.messageId);
const idsOf = (rows: { messageId: string }[]) => rows.map(({ messageId }) => `<${messageId}>`);
const deferredWith = (message: string | RegExp) =>
  expect.objectContaining({
    type: 'email_deferred',
    nonRetryable: false,
    message: expect.stringMatching(message),
  });

async function timeline(numberId: string) {
  return database.db.select().from(numberEvents).where(eq(numberEvents.numberId, numberId));
}

describe('a lane', () => {
  test('goes out in order, over all attempts, once', async () => {
    const { number, person, ...first } = await submission(database, ['submitted', 'rejected']);
    const second = await writeEmails(database.db, { ...number, attempt: 2 }, [
      'submitted',
      'verified',
      'approved',
    ]);
    const all = [...first.emails, ...second];

    expect(await worker.activities.sendEmails({ lane: number.id })).toEqual({ sent: 5, refused: [] });
    expect(messageIds()).toEqual(idsOf(all));
    expect(smtp.mails.map(({ to }) => to)).toEqual(all.map(() => [person.email]));
    expect(await emailStates(database.db, number.id)).toEqual(all.map(() => 'sent'));
    expect(await ledger(database.db, all[0]?.id ?? '')).toEqual([
      { outcome: 'sent', recipients: [person.email], detail: expect.stringContaining('250') },
    ]);

    expect(await worker.activities.sendEmails({ lane: number.id })).toEqual({ sent: 0, refused: [] });
    expect(smtp.mails).toHaveLength(5);
  });

  test('waits behind an email that is deferred, and says why in the words of the server', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified']);
    smtp.faults.rcpt = () => 451;
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(worker.activities.sendEmails({ lane: number.id })).rejects.toEqual(
        deferredWith('451 Switched on by the test'),
      );
    }
    expect(await emailStates(database.db, number.id)).toEqual(['unsent', 'unsent']);
    expect(await ledger(database.db, rows[1]?.id ?? '')).toEqual([]);

    delete smtp.faults.rcpt;
    expect(await worker.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 2 });
    expect(messageIds()).toEqual(idsOf(rows));
    const tries = await ledger(database.db, rows[0]?.id ?? '');
    expect(tries.map(({ outcome }) => outcome)).toEqual(['deferred', 'deferred', 'sent']);
  });

  test('goes out in order after the mail server was down', async () => {
    const { number, emails: rows } = await submission(database, ['submitted']);
    await smtp.stop();
    const tryIt = () => worker.activities.sendEmails({ lane: number.id });
    await expect(tryIt()).rejects.toEqual(deferredWith('ECONNREFUSED'));
    rows.push(...(await writeEmails(database.db, number, ['rejected'])));
    rows.push(
      ...(await writeEmails(database.db, { ...number, attempt: 2 }, ['submitted', 'verified', 'approved'])),
    );
    await expect(tryIt()).rejects.toEqual(deferredWith('ECONNREFUSED'));
    await smtp.start();
    expect(await tryIt()).toMatchObject({ sent: 5 });
    expect(messageIds()).toEqual(idsOf(rows));
  });

  test('is sent again with the same Message-ID where the answer was lost', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified']);
    smtp.faults.cutAfterData = true;
    await expect(worker.activities.sendEmails({ lane: number.id })).rejects.toEqual(deferredWith('closed'));
    smtp.faults.cutAfterData = false;
    await worker.activities.sendEmails({ lane: number.id });
    expect(messageIds()).toEqual(idsOf([rows[0], rows[0], rows[1]].filter((row) => row !== undefined)));
    const tries = await ledger(database.db, rows[0]?.id ?? '');
    expect(tries.map(({ outcome }) => outcome)).toEqual(['ambiguous', 'sent']);
  });

  test('is not doubled for ever where no answer comes back: given up, shown, and the lane goes on', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified']);
    const [first, second] = rows;
    if (!first || !second) throw new Error('no emails');
    smtp.faults.cutAfterData = true;
    const one = open({ limits: { ambiguousPause: 0, ambiguousTries: 3, ambiguousGivenUp: 0 } });
    // The third is the last of the first email, and after it comes the first of the second.
    for (let tries = 1; tries <= 3; tries++) {
      await expect(one.activities.sendEmails({ lane: number.id })).rejects.toMatchObject({
        type: 'email_deferred',
      });
    }
    expect(messageIds()).toEqual(idsOf([first, first, first, second]));
    expect(await emailStates(database.db, number.id)).toEqual(['refused', 'unsent']);
    const [event] = await timeline(number.id);
    expect(event).toMatchObject({
      type: 'email.refused',
      data: { kind: 'submitted', detail: expect.stringContaining('may have arrived') },
    });
    delete smtp.faults.cutAfterData;
    expect(await one.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 1 });
  });

  test('is tried again at once where no answer came, then after a pause, and not given up in a day', async () => {
    const { number, emails: rows } = await submission(database, ['submitted']);
    const lane = number.id;
    const [email] = rows;
    if (!email) throw new Error('no email');
    const age = (minutes: number) =>
      database.db
        .update(emailAttempts)
        .set({ startedAt: sql`${emailAttempts.startedAt} - make_interval(mins => ${minutes})` })
        .where(eq(emailAttempts.emailId, email.id));
    const tryIt = () => expect(worker.activities.sendEmails({ lane })).rejects;
    smtp.faults.cutAfterData = true;
    await tryIt().toMatchObject({ type: 'email_deferred' });
    await tryIt().toMatchObject({ type: 'email_deferred' });
    expect(smtp.mails).toHaveLength(2);
    await tryIt().toEqual(deferredWith('It may have arrived; tried again in 5 min'));
    expect(smtp.mails).toHaveLength(2);
    await age(6);
    await tryIt().toMatchObject({ type: 'email_deferred' });
    await tryIt().toEqual(deferredWith('tried again in 10 min'));
    for (let tries = 4; tries <= 9; tries++) {
      await age(130);
      await tryIt().toMatchObject({ type: 'email_deferred' });
    }
    expect(await emailStates(database.db, lane)).toEqual(['unsent']);
    await age(24 * 60);
    expect(await worker.activities.sendEmails({ lane })).toMatchObject({ sent: 0, refused: [{}] });
  });

  test('gives up an email that nobody takes in days, counted from its first try', async () => {
    const { number, person, emails: rows } = await submission(database, ['submitted']);
    const lane = number.id;
    smtp.faults.rcpt = (address) => (address === person.email ? '452 4.2.2 Mailbox full' : undefined);
    // Written long ago, and not tried: the mail server was away.
    await database.db
      .update(emails)
      .set({ createdAt: new Date(Date.now() - 30 * 86_400_000) })
      .where(eq(emails.lane, lane));
    const firstTry = (days: number) =>
      database.db
        .update(emailAttempts)
        .set({ startedAt: new Date(Date.now() - days * 86_400_000) })
        .where(eq(emailAttempts.emailId, rows[0]?.id ?? ''));
    await expect(worker.activities.sendEmails({ lane })).rejects.toEqual(deferredWith('Mailbox full'));
    await firstTry(4.9);
    await expect(worker.activities.sendEmails({ lane })).rejects.toEqual(deferredWith('Mailbox full'));
    await firstTry(5.1);
    expect(await worker.activities.sendEmails({ lane })).toMatchObject({
      sent: 0,
      refused: [{ detail: expect.stringMatching(/Not taken in 5 days: .*Mailbox full/) }],
    });
    const [event] = await timeline(lane);
    expect(event).toMatchObject({ data: { recipients: [person.email] } });
  });

  test('begins no email once the worker is asked to stop', async () => {
    const stopping = new AbortController();
    const { number } = await submission(database, ['submitted']);
    const one = open({ stopping: stopping.signal, limits: { leftoverSeconds: 0 } });
    stopping.abort();
    await expect(one.activities.sendEmails({ lane: number.id })).rejects.toEqual(deferredWith('stops'));
    expect(await one.activities.sendLeftoverEmails()).toMatchObject({ sent: 0, deferred: 0 });
    expect(smtp.mails).toHaveLength(0);
    // The next worker goes on.
    expect(await worker.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 1 });
  });

  test('that takes long is carried on by the next run', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified', 'approved']);
    const slow = open({ limits: { laneTime: 0 } });
    for (const _ of rows.slice(1)) {
      await expect(slow.activities.sendEmails({ lane: number.id })).rejects.toEqual(
        deferredWith('more to send'),
      );
    }
    expect(await slow.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 1 });
    expect(messageIds()).toEqual(idsOf(rows));
  });

  test('with an email that cannot be written goes on after it', async () => {
    const { number } = await submission(database, ['submitted']);
    await database.db.update(emails).set({ kind: 'rejected' }).where(eq(emails.lane, number.id));
    await writeEmails(database.db, number, ['verified']);
    const result = await worker.activities.sendEmails({ lane: number.id });
    expect(result).toEqual({
      sent: 1,
      refused: [{ kind: 'rejected', detail: expect.stringContaining('cannot be written') }],
    });
  });
});

describe('a refused address', () => {
  test('is recorded, shown in the timeline once, and does not stop the lane', async () => {
    const { number, person, emails: rows } = await submission(database, ['submitted', 'verified']);
    smtp.faults.rcpt = () => (smtp.mails.length === 0 && refusals++ === 0 ? 550 : undefined);
    let refusals = 0;
    const result = await worker.activities.sendEmails({ lane: number.id });
    expect(result).toEqual({
      sent: 1,
      refused: [{ kind: 'submitted', detail: expect.stringContaining('550') }],
    });
    expect(await emailStates(database.db, number.id)).toEqual(['refused', 'sent']);
    expect(await ledger(database.db, rows[0]?.id ?? '')).toMatchObject([{ outcome: 'refused' }]);
    expect(await timeline(number.id)).toMatchObject([
      {
        type: 'email.refused',
        revision: null,
        attempt: 1,
        actor: { type: 'system', id: null },
        visibility: 'everyone',
        operationId: rows[0]?.id,
        data: { kind: 'submitted', recipients: [person.email], detail: expect.stringContaining('550') },
      },
    ]);
  });

  test('beside one that is taken is shown too, and the email counts as sent', async () => {
    const accountId = await createAccount(database.db, ['gone@customer.test', 'ada@customer.test']);
    const number = await createNumber(database.db, accountId);
    await writeEmails(database.db, number, ['submitted']);
    smtp.faults.rcpt = (address) => (address.startsWith('gone') ? 550 : undefined);
    expect(await worker.activities.sendEmails({ lane: number.id })).toEqual({ sent: 1, refused: [] });
    expect(smtp.mails.map(({ to }) => to)).toEqual([['ada@customer.test']]);
    expect(await timeline(number.id)).toMatchObject([
      { type: 'email.refused', data: { recipients: ['gone@customer.test'] } },
    ]);
  });
});

describe('recipients are who is to know when it is sent', () => {
  async function recipientsAfter(change: (ids: { accountId: string; personId: string }) => Promise<unknown>) {
    const { number, accountId, person } = await submission(database, ['submitted']);
    await change({ accountId, personId: person.id });
    const result = await worker.activities.sendEmails({ lane: number.id });
    return { to: smtp.mails.flatMap((mail) => mail.to), person, result };
  }

  test('the person, at the address of now', async () => {
    const { to } = await recipientsAfter(({ personId }) =>
      database.db.update(people).set({ email: 'new@customer.test' }).where(eq(people.id, personId)),
    );
    expect(to).toEqual(['new@customer.test']);
  });

  test('the account, when the person has left', async () => {
    const { to } = await recipientsAfter(({ personId }) =>
      database.db.delete(memberships).where(eq(memberships.personId, personId)),
    );
    expect(to).toEqual(['notices@customer.test']);
  });

  test('the account, when the person is banned', async () => {
    const { to } = await recipientsAfter(({ personId }) =>
      database.db.update(people).set({ banned: true }).where(eq(people.id, personId)),
    );
    expect(to).toEqual(['notices@customer.test']);
  });

  test('the person, when the ban is over', async () => {
    const { to, person } = await recipientsAfter(({ personId }) =>
      database.db
        .update(people)
        .set({ banned: true, banExpires: sql`now() - interval '1 minute'` })
        .where(eq(people.id, personId)),
    );
    expect(to).toEqual([person.email]);
  });

  test('the account, for a submission by API key', async () => {
    const accountId = await createAccount(database.db, ['one@customer.test', 'two@customer.test']);
    const number = await createNumber(database.db, accountId);
    await writeEmails(database.db, number, ['submitted']);
    await worker.activities.sendEmails({ lane: number.id });
    expect(smtp.mails.map(({ to }) => to)).toEqual([['one@customer.test', 'two@customer.test']]);
  });

  test('nobody: refused, and shown', async () => {
    const { to, result } = await recipientsAfter(async ({ accountId, personId }) => {
      await database.db.delete(memberships).where(eq(memberships.personId, personId));
      await database.db
        .update(organizations)
        .set({ notificationEmails: [] })
        .where(eq(organizations.id, accountId));
    });
    expect(to).toEqual([]);
    expect(result).toEqual({ sent: 0, refused: [{ kind: 'submitted', detail: 'no recipient' }] });
  });

  test('our own people, as configured', async () => {
    const staff = open({ config: { SUPPORT_EMAIL: 'help@example.com,desk@example.com' } });
    await writeReview('support');
    await writeReview('escalation');
    expect(await staff.activities.sendEmails({ lane: 'support' })).toMatchObject({ sent: 1 });
    expect(smtp.mails.map(({ to }) => to)).toEqual([['help@example.com', 'desk@example.com']]);
    expect(await staff.activities.sendEmails({ lane: 'escalation' })).toMatchObject({
      refused: [{ detail: 'no recipient' }],
    });
  });

  test('our own people, for each number that customers comment on, past one that is not taken', async () => {
    const staff = open({ config: { SUPPORT_EMAIL: 'help@example.com' }, limits: { leftoverSeconds: 0 } });
    await writeComment('num_1', 'One');
    await writeComment('num_2', 'Two');
    await writeReview('support');
    await writeComment('num_2', 'Three');
    smtp.faults.data = 451;
    await expect(staff.activities.sendEmails({ lane: 'support:num_1' })).rejects.toEqual(deferredWith('451'));
    delete smtp.faults.data;
    expect(await staff.activities.sendEmails({ lane: 'support:num_2' })).toEqual({ sent: 2, refused: [] });
    expect(await staff.activities.sendEmails({ lane: 'support' })).toEqual({ sent: 1, refused: [] });
    expect(await emailStates(database.db, 'support:num_1')).toEqual(['unsent']);
    expect(await staff.activities.sendLeftoverEmails()).toMatchObject({ lanes: 1, sent: 1 });
    expect(smtp.mails.map(({ to }) => to)).toEqual(Array(4).fill(['help@example.com']));
    const said = smtp.mails.map(({ parsed }) => /^> (.*)$/m.exec(parsed.text ?? '')?.[1]);
    expect(said).toEqual(['Two', 'Three', undefined, 'One']);
  });
});

async function writeComment(numberId: string, text: string): Promise<void> {
  const about = { numberId, attempt: 1, displayName: 'Acme Ltd', lastFour: '…0123', accountName: 'Acme' };
  await database.db.insert(emails).values({
    id: newId('eml'),
    lane: `support:${numberId}`,
    kind: 'customer-comment',
    messageId: `${newId('eml')}@example.com`,
    data: { ...about, status: 'APPROVED', text },
  });
}

async function writeReview(lane: string): Promise<void> {
  const day = newId('eml');
  await database.db.insert(emails).values({
    id: newId('eml'),
    lane,
    kind: 'review-digest',
    messageId: `review-digest.${day}@example.com`,
    data: {
      day,
      at: new Date().toISOString(),
      counts: { verification: { due: 0, overdue: 1 }, facebook: { due: 0, overdue: 0 } },
      lines: [],
      more: 1,
    },
  });
}

describe('two workers at one lane', () => {
  test('send each email once, in order', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified', 'approved']);
    const second = open({ name: 'second' });
    const gate = Promise.withResolvers<void>();
    beforeAnswer = () => gate.promise;
    const results = [worker, second].map((one) => one.activities.sendEmails({ lane: number.id }));
    await vi.waitFor(async () => expect(await waitingForLocks()).toBe(1), WAIT);
    gate.resolve();
    const sent = (await Promise.all(results)).map((result) => result.sent);
    expect(sent.sort()).toEqual([0, 3]);
    expect(messageIds()).toEqual(idsOf(rows));
  });

  test('the second gives up after a while, and leaves the lane alone', async () => {
    const { number, emails: rows } = await submission(database, ['submitted']);
    const second = open({ limits: { laneWait: 200, leftoverWait: 200, leftoverSeconds: 0 } });
    const gate = Promise.withResolvers<void>();
    beforeAnswer = () => gate.promise;
    const first = worker.activities.sendEmails({ lane: number.id });
    await vi.waitFor(() => expect(smtp.mails).toHaveLength(1), WAIT);
    await expect(second.activities.sendEmails({ lane: number.id })).rejects.toEqual(
      deferredWith('being sent by another worker'),
    );
    expect(await second.activities.sendLeftoverEmails()).toEqual({
      lanes: 1,
      sent: 0,
      refused: 0,
      deferred: 0,
    });
    gate.resolve();
    expect(await first).toMatchObject({ sent: 1 });
    expect(messageIds()).toEqual(idsOf(rows));
  });

  test('a worker without a free connection for its lock gives up too', async () => {
    const lanes = await Promise.all(Array.from({ length: 5 }, () => submission(database, ['submitted'])));
    const narrow = open({ limits: { laneWait: 200 } });
    const gate = Promise.withResolvers<void>();
    beforeAnswer = () => gate.promise;
    // As many lanes as its pool of locks has connections.
    const busy = lanes.slice(0, 4).map(({ number }) => narrow.activities.sendEmails({ lane: number.id }));
    await vi.waitFor(() => expect(smtp.mails).toHaveLength(4), WAIT);
    const last = lanes[4]?.number.id ?? '';
    await expect(narrow.activities.sendEmails({ lane: last })).rejects.toEqual(
      deferredWith('another worker'),
    );
    gate.resolve();
    await Promise.all(busy);
    expect(await emailStates(database.db, last)).toEqual(['unsent']);
    expect(await narrow.activities.sendEmails({ lane: last })).toMatchObject({ sent: 1 });
  });

  test('one that lost its lock stops before the next email', async () => {
    const { number, emails: rows } = await submission(database, ['submitted', 'verified']);
    const unlucky = open({ name: 'unlucky' });
    const gate = Promise.withResolvers<void>();
    beforeAnswer = () => gate.promise;
    const failed = expect(unlucky.activities.sendEmails({ lane: number.id })).rejects.toThrow();
    await vi.waitFor(() => expect(smtp.mails).toHaveLength(1), WAIT);
    await database.db.execute(
      sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'unlucky-locks'`,
    );
    gate.resolve();
    await failed;
    await vi.waitFor(
      async () => expect(await emailStates(database.db, number.id)).toEqual(['sent', 'unsent']),
      WAIT,
    );
    expect(await worker.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 1 });
    expect(messageIds()).toEqual(idsOf(rows));
  });

  async function waitingForLocks(): Promise<number> {
    const [row] = await database.db
      .select({ count: sql<number>`count(*)::int` })
      .from(sql`pg_locks`)
      .where(sql`locktype = 'advisory' and not granted and database = (
        select oid from pg_database where datname = current_database())`);
    return row?.count ?? 0;
  }
});

test('killed between the 250 and its record: sent again with the same Message-ID, the first try ambiguous', async () => {
  const { number, emails: rows } = await submission(database, ['submitted', 'verified']);
  const script = fileURLToPath(new URL('./interrupted-worker.ts', import.meta.url));
  const child = spawn(process.execPath, [script, database.url, smtp.url, number.id], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await once(child.stdout, 'data');
  expect(String(said)).toBe('sent\n');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(await emailStates(database.db, number.id)).toEqual(['unsent', 'unsent']);

  expect(await worker.activities.sendEmails({ lane: number.id })).toMatchObject({ sent: 2 });
  expect(messageIds()).toEqual(idsOf([rows[0], ...rows].filter((row) => row !== undefined)));
  expect(await ledger(database.db, rows[0]?.id ?? '')).toMatchObject([
    { outcome: 'ambiguous', detail: 'The process ended during this try.' },
    { outcome: 'sent' },
  ]);
});

describe('leftovers', () => {
  beforeEach(async () => {
    await database.db.update(emails).set({ state: 'sent' });
  });

  test('are sent lane by lane; one lane in trouble delays no other', async () => {
    const lanes = await Promise.all(
      Array.from({ length: 6 }, () => submission(database, ['submitted', 'verified'])),
    );
    const dead = lanes[0]?.person.email;
    const gone = lanes[1]?.person.email;
    smtp.faults.rcpt = (address) => (address === dead ? 451 : address === gone ? 550 : undefined);
    const one = open({ limits: { leftoverSeconds: 0 } });
    expect(await one.activities.sendLeftoverEmails()).toEqual({ lanes: 6, sent: 8, refused: 2, deferred: 1 });
    delete smtp.faults.rcpt;
    expect(await one.activities.sendLeftoverEmails()).toEqual({ lanes: 1, sent: 2, refused: 0, deferred: 0 });
    expect(await one.activities.sendLeftoverEmails()).toEqual({ lanes: 0, sent: 0, refused: 0, deferred: 0 });
  });

  test('are only what its workflow should have sent by now', async () => {
    const { number } = await submission(database, ['submitted']);
    expect(await worker.activities.sendLeftoverEmails()).toMatchObject({ lanes: 0 });
    await database.db
      .update(emails)
      .set({ createdAt: sql`now() - interval '10 minutes'` })
      .where(eq(emails.lane, number.id));
    expect(await worker.activities.sendLeftoverEmails()).toMatchObject({ lanes: 1, sent: 1 });
  });

  test('stop for this round when the mail server is down, and begin with others in the next', async () => {
    const lanes = await Promise.all(Array.from({ length: 6 }, () => submission(database, ['submitted'])));
    const one = open({ limits: { leftoverSeconds: 0, leftoversAtOnce: 1, leftoverFailures: 3 } });
    await smtp.stop();
    expect(await one.activities.sendLeftoverEmails()).toMatchObject({ lanes: 6, deferred: 3 });
    expect(await one.activities.sendLeftoverEmails()).toMatchObject({ lanes: 6, deferred: 3 });
    await smtp.start();
    const tried = await Promise.all(lanes.map((lane) => ledger(database.db, lane.emails[0]?.id ?? '')));
    expect(tried.map((tries) => tries.length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(await one.activities.sendLeftoverEmails()).toMatchObject({ sent: 6 });
  });
});

test('a name and a reason from hostile hands arrive as text, and add no header', async () => {
  const accountId = await createAccount(database.db);
  const displayName = 'Acme\r\nBcc: evil@example.org\r\nX-Evil: 1 <script>alert(1)</script>';
  const number = await createNumber(database.db, accountId, { displayName });
  const reason = 'First <b>line</b>\n.\nThird & last: <script>alert(2)</script> \u{1F642}';
  await writeEmails(database.db, number, ['submitted', 'rejected'], {
    by: 'facebook',
    reason,
    code: 'NAME',
    fields: ['displayName'],
  });
  await worker.activities.sendEmails({ lane: number.id });
  for (const { parsed, to, raw } of smtp.mails) {
    expect(to).toEqual(['notices@customer.test']);
    expect(parsed.headers.has('bcc')).toBe(false);
    expect(parsed.headers.has('x-evil')).toBe(false);
    expect(parsed.subject).toContain('Acme Bcc: evil@example.org X-Evil: 1 <script>');
    expect(parsed.html).not.toContain('<script');
    expect(raw.split('\r\n\r\n')[0]).not.toMatch(/^(bcc|x-evil):/im);
  }
  const rejected = smtp.mails[1]?.parsed ?? expect.fail('no mail');
  expect(rejected.text).toContain(reason);
  expect(rejected.text).toContain('Display Name');
  expect(rejected.html).toContain(
    'First &lt;b&gt;line&lt;/b&gt;<br>\n.<br>\nThird &amp; last: &lt;script&gt;',
  );
});
