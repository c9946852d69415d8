/** What Meta told of is worked off: signals for the workflows of the numbers that it is about, emails for people. */
import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import { emails } from '../../db/schema.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { type StoredChange, workOff } from '../../meta/work-off.ts';
import { TEMPORAL_DOWN } from '../api/harness.ts';
import { readEvents, readState } from '../support/accepted.ts';
import { type AtBoth, type StackAtMeta, signalsTo, startStackAtMeta } from '../support/at-meta.ts';
import { connectWaba } from '../support/forwarding.ts';
import { readMeta } from '../support/meta.ts';
import { createUser } from '../support/people.ts';
import { createAccount } from '../support/stack.ts';

let at: StackAtMeta;
const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000, interval: 50 });

beforeAll(async () => {
  at = await startStackAtMeta();
});
afterAll(() => at.close());

const stateOf = ({ row }: AtBoth) => readState(at.stack.db, row.id);

function change(field: string, value: unknown, changes: Partial<StoredChange> = {}): StoredChange {
  const receivedAt = new Date();
  const wholeSecond = new Date(Math.floor(receivedAt.getTime() / 1000) * 1000);
  return {
    id: randomUUID(),
    wabaId: OUR_ACCOUNT.wabaId,
    field,
    value,
    at: wholeSecond,
    receivedAt,
    ...changes,
  };
}

const work = (told: StoredChange, workflows = at.stack.workflows) => {
  const { db, config } = at.stack;
  return workOff({ db, config, workflows, logger }, told);
};

const named = (
  { theirs }: AtBoth,
  decision: string,
  changes: Partial<StoredChange> = {},
  name = theirs.verifiedName,
) =>
  change(
    'phone_number_name_update',
    {
      display_phone_number: `+${theirs.digits}`,
      decision,
      requested_verified_name: name,
      rejection_reason: decision === 'REJECTED' ? 'NAME_FORMAT_UNACCEPTABLE' : null,
    },
    changes,
  );
const limited = ({ theirs }: AtBoth, limit: string, changes: Partial<StoredChange> = {}) =>
  change(
    'phone_number_quality_update',
    { display_phone_number: theirs.digits, event: 'UPGRADE', current_limit: limit },
    changes,
  );

test('a decision on the name is the decision on the number, with a reason in words', async () => {
  const [good, bad] = [await at.registered(), await at.registered()];
  const approval = named(good, 'APPROVED');
  await work(named(good, 'PENDING'));
  await work(approval);
  await work(named(bad, 'REJECTED'));
  await poll(() => stateOf(good)).toMatchObject({ status: 'APPROVED', facebook: null });
  await poll(async () => (await stateOf(bad)).status).toBe('REJECTED');
  expect((await stateOf(bad)).facebookDecision).toMatchObject({
    by: { type: 'facebook' },
    reason: expect.stringContaining('how it is written'),
    code: 'name_format_unacceptable',
    fields: ['displayName'],
  });
  // Again, as after a crash, and of a number that has ended.
  const { revision } = await stateOf(good);
  await work(approval);
  await work(named(bad, 'APPROVED'));
  await work(limited(good, 'TIER_100K'));
  await poll(async () => (await stateOf(good)).quality.messagingLimit).toBe('TIER_100K');
  expect((await stateOf(good)).revision).toBe(revision + 1);
  expect((await stateOf(bad)).status).toBe('REJECTED');
});

test('a change counts only where WABA and digits belong to the same connection', async () => {
  const number = await at.registered();
  const stranger = await connectWaba(at.stack.db, (await createAccount(at.stack.db)).id);
  const before = await signalsTo(at.stack, number.row);
  await work(named(number, 'APPROVED', { wabaId: stranger.wabaId }));
  await work(named(number, 'APPROVED', { wabaId: '999' }));
  await work(
    change('phone_number_name_update', { display_phone_number: '15550000000', decision: 'APPROVED' }),
  );
  await work(change('phone_number_name_update', { decision: 'APPROVED' }));
  expect(await signalsTo(at.stack, number.row)).toBe(before);
});

test('what was told earlier and comes later is left out; within a second the later one counts', async () => {
  const number = await at.connected();
  const now = Math.floor(Date.now() / 1000) * 1000;
  const told = (limit: string, seconds: number) => {
    const time = new Date(now + seconds * 1000);
    return limited(number, limit, { at: time, receivedAt: new Date(time.getTime() + 5_000) });
  };
  await work(told('TIER_10K', 60));
  await work(told('TIER_1K', 30));
  await work(told('TIER_100K', 60));
  await poll(async () => (await stateOf(number)).quality.messagingLimit).toBe('TIER_100K');
  const limits = (await readEvents(at.stack.db, number.row.id)).filter(
    ({ type }) => type === 'limit.changed',
  );
  expect(limits.map(({ data }) => data['to'])).not.toContain('TIER_1K');
});

test('a limit of the portfolio is that of all its live numbers', async () => {
  const [one, other] = [await at.connected(), await at.registered()];
  const released = await at.connected();
  await at.stack.workflows.release(released.row, {
    operationId: 'op_release',
    attempt: 1,
    by: { type: 'customer', id: null },
  });
  await poll(async () => (await stateOf(released)).status).toBe('RELEASED');
  const told = change('business_capability_update', {
    max_daily_conversations_per_business: 2000,
    max_phone_numbers_per_business: 20,
  });
  await work(told);
  for (const number of [one, other]) {
    await poll(async () => (await stateOf(number)).quality).toMatchObject({
      messagingLimit: 'TIER_2K',
      limitScope: 'portfolio',
      limitSource: 'webhook',
    });
  }
  expect((await stateOf(released)).quality.messagingLimit).not.toBe('TIER_2K');
  const lengths = () => Promise.all([one, other].map(({ row }) => signalsTo(at.stack, row)));
  const before = await lengths();
  await work({ ...told, id: randomUUID() });
  expect(await lengths()).toEqual(before);
});

test('the colour, which no webhook carries, is read soon', async () => {
  const number = await at.connected();
  const { id } = number.row;
  await changeMetaNumber(at.stack.db, id, { readAt: new Date(Date.now() + 3_600_000) });
  await work(
    change('phone_number_quality_update', { display_phone_number: number.theirs.digits, event: 'FLAGGED' }),
  );
  expect((await readMeta(at.stack.db, id)).readAt?.getTime()).toBeLessThanOrEqual(Date.now() + 1_000);
  await poll(async () => (await stateOf(number)).quality.qualityRating).toBe('FLAGGED');
});

test('while Temporal is away it throws, and does it when it is tried again', async () => {
  const number = await at.registered();
  const told = named(number, 'APPROVED');
  await expect(work(told, TEMPORAL_DOWN)).rejects.toThrow('no Temporal');
  expect((await stateOf(number)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  await work(told);
  await poll(async () => (await stateOf(number)).status).toBe('APPROVED');
});

test('of an account in trouble people hear, once, and its numbers are read', async () => {
  const { db } = at.stack;
  const account = await createAccount(db, 'Acme');
  const waba = await connectWaba(db, account.id);
  const admin = await createUser(db, 'user', { [account.id]: 'admin' });
  await createUser(db, 'user', { [account.id]: 'member' });
  const told = change(
    'account_update',
    {
      event: 'ACCOUNT_RESTRICTION',
      restriction_info: [{ restriction_type: 'RESTRICTED_ADD_PHONE_NUMBER_ACTION' }],
    },
    { wabaId: waba.wabaId },
  );
  await work(told);
  await work(told);
  const written = await db
    .select()
    .from(emails)
    .where(and(eq(emails.kind, 'meta-notice'), eq(emails.accountId, account.id)))
    .orderBy(emails.seq);
  expect(written).toMatchObject([
    { lane: 'escalation', recipient: null, data: { toStaff: true, accountName: 'Acme' } },
    { recipient: admin.email, data: { toStaff: false, details: ['RESTRICTED_ADD_PHONE_NUMBER_ACTION'] } },
  ]);
  expect(logger.warn).toHaveBeenCalledWith(
    expect.objectContaining({ connectionId: waba.id, field: 'account_update', told: 2 }),
    expect.stringContaining('restricted'),
  );

  const number = await at.connected();
  await changeMetaNumber(db, number.row.id, { readAt: new Date(Date.now() + 24 * 3_600_000) });
  await work(change('account_update', { event: 'ACCOUNT_RECONNECTED' }));
  const { readAt } = await readMeta(db, number.row.id);
  expect(readAt?.getTime()).toBeLessThan(Date.now() + 11 * 60_000);
});

test('that a PIN was changed is told, but not where we have just set it', async () => {
  const number = await at.connected();
  const told = (changes: Partial<StoredChange> = {}) =>
    change('security', { display_phone_number: number.theirs.digits, event: 'PIN_CHANGED' }, changes);
  const notices = async () =>
    (await at.stack.db.select().from(emails).where(eq(emails.kind, 'meta-notice'))).filter(
      ({ data }) => data['number'] === `…${number.theirs.digits.slice(-4)}`,
    ).length;
  await work(told());
  expect(await notices()).toBe(0);
  const later = new Date(Date.now() + 3_600_000);
  await work(told({ at: later, receivedAt: later }));
  expect(await notices()).toBe(1);
});

test('what is not known here is left as it is', async () => {
  const number = await at.connected();
  const before = await signalsTo(at.stack, number.row);
  const digits = { display_phone_number: number.theirs.digits };
  for (const [field, value] of [
    ['a_new_field', digits],
    ['phone_number_name_update', 'a text'],
    ['phone_number_name_update', null],
    ['phone_number_quality_update', { ...digits, event: 'A_NEW_EVENT' }],
    ['account_update', { event: 'A_NEW_EVENT' }],
  ] as const) {
    await work(change(field, value));
  }
  expect(await signalsTo(at.stack, number.row)).toBe(before);
});
