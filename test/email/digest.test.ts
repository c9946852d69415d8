import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDigestActivities } from '../../activities/digest.ts';
import type { ReviewEmailData } from '../../contract/emails.ts';
import type { NumberStatus } from '../../contract/number.ts';
import { emails, numbers } from '../../db/schema.ts';
import { render } from '../../email/render.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createAccount, createNumber, testConfig } from './fixtures.ts';

const HOUR = 3_600_000;
/** A Monday. */
const DAY = '2026-11-23';
const AT = `${DAY}T08:00:00Z`;
const logger = { info: () => {}, warn: () => {}, error: () => {} };
const BOTH = { SUPPORT_EMAIL: 'support@example.com', ESCALATION_EMAIL: 'boss@example.com' };

let database: TestDatabase;
let accountId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  accountId = await createAccount(database.db);
});
beforeEach(async () => {
  await database.db.delete(emails);
  await database.db.delete(numbers);
});
afterAll(() => database.drop());

function write(at = AT, more: Record<string, string> = BOTH) {
  const config = testConfig(database.url, more);
  return createDigestActivities({ db: database.db, config, logger }).writeReviewDigest({ at });
}

/** A number that has waited for some hours of those it may take. */
function waiting(status: NumberStatus, waitedHours: number, dueHours: number, displayName = 'Acme Ltd') {
  const since = Date.parse(AT) - waitedHours * HOUR;
  const [waitingSince, dueAt] = [since, since + dueHours * HOUR].map((at) => new Date(at).toISOString());
  return createNumber(database.db, accountId, { status, waitingSince, dueAt, displayName });
}

async function written(lane: string) {
  const rows = await database.db.select().from(emails).where(eq(emails.lane, lane));
  return rows.map((row) => ({ ...row, data: row.data as ReviewEmailData }));
}

describe('the digest', () => {
  test('counts due and overdue by stage, the longest waiting first, and escalates', async () => {
    await waiting('PENDING_VERIFICATION', 1, 24, 'Due');
    await waiting('PENDING_VERIFICATION', 30, 24, 'Overdue');
    await waiting('PENDING_VERIFICATION', 73, 24, 'Overdue by far');
    await waiting('PENDING_FACEBOOK_APPROVAL', 24, 168, 'Not due');
    await waiting('PENDING_FACEBOOK_APPROVAL', 150, 168, 'Due at Facebook');
    await waiting('PENDING_FACEBOOK_APPROVAL', 500, 168, 'Overdue at Facebook');
    await waiting('APPROVED', 1_000, 24, 'Approved');
    await waiting('REJECTED', 1_000, 24, 'Rejected');

    expect(await write()).toEqual({ due: 2, overdue: 3, escalated: 1 });
    const [digest, ...others] = await written('support');
    expect(others).toEqual([]);
    expect(digest).toMatchObject({ kind: 'review-digest', messageId: `review-digest.${DAY}@example.com` });
    expect(digest?.data.counts).toEqual({
      verification: { due: 1, overdue: 2 },
      facebook: { due: 1, overdue: 1 },
    });
    expect(digest?.data.lines.map((line) => line.displayName)).toEqual([
      'Overdue at Facebook',
      'Due at Facebook',
      'Overdue by far',
      'Overdue',
      'Due',
    ]);
    const [escalation] = await written('escalation');
    expect(escalation).toMatchObject({
      kind: 'review-escalation',
      messageId: `review-escalation.${DAY}@example.com`,
    });
    expect(escalation?.data.lines.map((line) => line.displayName)).toEqual(['Overdue by far']);
  });

  test('leaves out what the customer has time to answer, and tells what they did not', async () => {
    const question = { operationId: 'op_q', text: 'Which?', fields: [], at: AT, remainingMs: 1 };
    const asked = async (waitedHours: number) => {
      const { id } = await waiting('PENDING_VERIFICATION', waitedHours, 24);
      const by = { type: 'support', id: 'usr_1' } as const;
      await database.db
        .update(numbers)
        .set({ question: { ...question, by } })
        .where(eq(numbers.id, id));
    };
    await asked(23);
    expect(await write()).toEqual({ due: 0, overdue: 0, escalated: 0 });
    await asked(25);
    expect(await write()).toEqual({ due: 0, overdue: 1, escalated: 0 });
    const [digest] = await written('support');
    expect(render('review-digest', digest?.data ?? expect.fail('no digest')).text).toContain(
      'Verification, no answer from the customer, overdue since',
    );
  });

  test('is written once a day', async () => {
    await waiting('PENDING_VERIFICATION', 100, 24);
    await Promise.all([write(), write(), write()]);
    await write();
    expect(await written('support')).toHaveLength(1);
    expect(await written('escalation')).toHaveLength(1);
    await write('2026-11-24T08:00:00Z');
    expect(await written('support')).toHaveLength(2);
  });

  test('is not written when nothing is due', async () => {
    await waiting('PENDING_FACEBOOK_APPROVAL', 1, 168);
    expect(await write()).toEqual({ due: 0, overdue: 0, escalated: 0 });
    expect(await database.db.select().from(emails)).toEqual([]);
  });

  test('is not written where nobody is to get it', async () => {
    await waiting('PENDING_VERIFICATION', 100, 24);
    expect(await write(AT, {})).toEqual({ due: 0, overdue: 1, escalated: 1 });
    expect(await database.db.select().from(emails)).toEqual([]);
    await write(AT, { ESCALATION_EMAIL: 'boss@example.com' });
    expect(await written('support')).toEqual([]);
    expect(await written('escalation')).toHaveLength(1);
  });

  test('shows 50 and how many more, and the last four digits', async () => {
    for (let index = 0; index < 53; index += 1) await waiting('PENDING_VERIFICATION', 30, 24);
    await write();
    const [digest] = await written('support');
    expect(digest?.data).toMatchObject({ more: 3 });
    expect(digest?.data.lines).toHaveLength(50);
    const line = digest?.data.lines[0] ?? expect.fail('no line');
    expect(line.lastFour).toMatch(/^…\d{4}$/);
    const { text, html } = render('review-digest', digest?.data ?? expect.fail('no digest'));
    for (const body of [text, html]) {
      expect(body).toContain('and 3 more');
      expect(body).toContain(line.numberId);
      expect(body).not.toContain('+1555');
    }
  });

  test("tells what is due before the next working day's, on the day of the time zone", async () => {
    const rome = {
      ...BOTH,
      WORKING_TIME_ZONE: 'Europe/Rome',
      WORKING_DAYS: 'mon-fri',
      WORKING_HOURS: '09:00-17:00',
    };
    const due = (dueAt: string) =>
      createNumber(database.db, accountId, {
        waitingSince: '2026-11-27T06:00:00.000Z',
        dueAt,
      });
    // From Friday at 8 in Rome to Monday at 8.
    await due('2026-11-30T07:00:00Z');
    await due('2026-11-30T07:00:01Z');
    expect(await write('2026-11-27T07:00:00Z', rome)).toEqual({ due: 1, overdue: 0, escalated: 0 });
    await write('2026-11-29T23:30:00Z', rome);
    expect((await written('support')).map(({ data }) => data.day)).toEqual(['2026-11-27', '2026-11-30']);
  });

  test('refuses a time that is none', async () => {
    await expect(write('23.11.2026')).rejects.toMatchObject({ type: 'invalid_input', nonRetryable: true });
  });
});
