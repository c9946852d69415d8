/** The numbers of a closed account end, with Temporal up or down at its closing, and stay within it. */
import { eq, inArray } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CLOSING_LIMITS, createClosingActivities } from '../../activities/closing.ts';
import type { NumberStatus } from '../../contract/number.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { emails, numberEvents, numbers, organizations } from '../../db/schema.ts';
import { CLOSING_SCHEDULE, ensureSchedules } from '../../temporal/schedules.ts';
import { acceptNumber, readEvents, readNumber } from '../support/accepted.ts';
import { call, callOk, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole } from './checks.ts';

vi.setConfig({ testTimeout: 150_000 });

let stack: TestStack;
let api: ProductProcess;
let operatorKey: string;
let supportKey: string;
const approve = { outcome: 'approved' };

beforeAll(async () => {
  stack = await startStack();
  await ensureSchedules(stack.client, stack.config);
  const { id } = await createStaff(stack.db, 'operator');
  const scopes: ['read', 'write', 'admin'] = ['read', 'write', 'admin'];
  operatorKey = (await createApiKey(stack.db, { personId: id, name: 'admin', scopes })).key;
  supportKey = (await createStaff(stack.db, 'support')).key;
  api = await startApi(stack.env);
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

/** An account with a number in each status that can be left. */
async function busyAccount() {
  const account = await createAccount(stack.db);
  const submit = async () => (await callOk(api, account.key, 'POST /v1/numbers', submission())).id;
  const verified = async () => {
    const id = await submit();
    await callOk(api, supportKey, `POST /v1/numbers/${id}/verification`, approve);
    return id;
  };
  const ids = [await submit(), await verified(), await verified(), await submit()];
  await callOk(api, supportKey, `POST /v1/numbers/${ids[2]}/facebook-decision`, approve);
  await callOk(api, supportKey, `POST /v1/numbers/${ids[3]}/verification`, {
    outcome: 'rejected',
    reason: 'Not yours.',
  });
  return { ...account, ids };
}
const close = (accountId: string, through = api) =>
  insist(through, operatorKey, `POST /v1/accounts/${accountId}/closure`, {
    reason: 'The contract has ended.',
  });
const ENDED: NumberStatus[] = ['WITHDRAWN', 'WITHDRAWN', 'RELEASED', 'REJECTED'];
async function expectStatuses(ids: string[], wanted: NumberStatus[]) {
  const statuses = () => Promise.all(ids.map(async (id) => (await readNumber(stack.db, id)).status));
  await expect.poll(statuses, { timeout: 60_000, interval: 250 }).toEqual(wanted);
}
const trigger = () => stack.client.schedule.getHandle(CLOSING_SCHEDULE).trigger();

describe('closing an account', () => {
  test('ends its numbers at once, in the name of who closed it, without an email for each', async () => {
    const [account, other] = [await busyAccount(), await busyAccount()];
    expect((await close(account.id)).status).toBe(200);
    await expectStatuses(account.ids, ENDED);
    await expectWhole(stack, [...account.ids, ...other.ids]);
    const [withdrawn, released] = await Promise.all(
      [account.ids[1], account.ids[2]].map(async (id) => (await readEvents(stack.db, id ?? '')).at(-1)),
    );
    expect(withdrawn).toMatchObject({
      type: 'withdrawn',
      actor: { type: 'operator' },
      data: { accountClosed: true },
    });
    expect(released).toMatchObject({
      type: 'released',
      actor: { type: 'operator' },
      data: { accountClosed: true },
    });
    const kinds = await stack.db
      .select({ kind: emails.kind })
      .from(emails)
      .where(inArray(emails.numberId, account.ids));
    expect(kinds.map(({ kind }) => kind)).not.toContain('withdrawn');
    const sent = () =>
      stack.smtp.mails.filter(({ parsed }) => parsed.subject === 'The account Widgets Inc. is closed');
    await expect.poll(() => sent().length, { timeout: 30_000 }).toBe(1);
    expect(JSON.stringify(sent()[0]?.parsed.to)).toContain(account.email);
    // The other account goes on as it was.
    await expectStatuses(other.ids, [
      'PENDING_VERIFICATION',
      'PENDING_FACEBOOK_APPROVAL',
      'APPROVED',
      'REJECTED',
    ]);
    expect((await call(api, other.key, 'POST /v1/numbers', submission())).status).toBe(201);
  });

  test('with Temporal down it is closed all the same, and the Schedule ends its numbers later', async () => {
    const account = await busyAccount();
    const alone = await startApi({ ...stack.env, TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect((await close(account.id, alone)).status).toBe(200);
    expect((await call(alone, account.key, 'GET /v1/account')).status).toBe(401);
    await expect
      .poll(() => alone.log(), { timeout: 10_000 })
      .toContain('The numbers of a closed account are left to the Schedule');
    await alone.stop();
    expect((await readNumber(stack.db, account.ids[0] ?? '')).status).toBe('PENDING_VERIFICATION');
    await trigger();
    await expectStatuses(account.ids, ENDED);
    await expectWhole(stack, account.ids);
  });

  test('also ends what was accepted in the moment of closing and has no workflow', async () => {
    const account = await createAccount(stack.db);
    await close(account.id);
    const { id } = await acceptNumber(stack.db, account.id);
    await trigger();
    await expectStatuses([id], ['WITHDRAWN']);
    await expectWhole(stack, [id]);
  });

  test('goes page by page, may be repeated, and changes nothing then', async () => {
    const account = await createAccount(stack.db);
    const ids = [];
    for (let index = 0; index < 5; index += 1) ids.push((await acceptNumber(stack.db, account.id)).id);
    const closedAt = new Date();
    await stack.db.update(organizations).set({ closedAt }).where(eq(organizations.id, account.id));
    const run = activities({ page: 2 });
    const done = await Promise.all([run.endNumbersOfClosedAccounts(), run.endNumbersOfClosedAccounts()]);
    expect(done.every(({ ended }) => ended <= 5)).toBe(true);
    await expectStatuses(ids, Array(5).fill('WITHDRAWN'));
    expect(await run.endNumbersOfClosedAccounts()).toEqual({ ended: 0 });
    const events = await stack.db.select().from(numberEvents).where(inArray(numberEvents.numberId, ids));
    expect(events.filter(({ type }) => type === 'withdrawn')).toHaveLength(5);
  });

  test('goes on where Temporal refuses one number for good, and says so at the end', async () => {
    const accounts = [await createAccount(stack.db), await createAccount(stack.db)];
    const ids = [];
    for (const { id } of [...accounts, ...accounts]) ids.push((await acceptNumber(stack.db, id)).id);
    const [refused = '', ...others] = ids;
    // Its workflow's id is longer than Temporal takes.
    await stack.db
      .update(numbers)
      .set({ mobileNumber: `+${'1'.repeat(2_000)}` })
      .where(eq(numbers.id, refused));
    for (const [index, { id }] of accounts.entries()) {
      const closedAt = new Date(Date.now() + index);
      await stack.db.update(organizations).set({ closedAt }).where(eq(organizations.id, id));
    }
    await expect(activities({ ending: 5_000 }, vi.fn()).endNumbersOfClosedAccounts()).rejects.toMatchObject({
      type: 'numbers_left',
    });
    await expectStatuses(others, Array(3).fill('WITHDRAWN'));
    expect((await readNumber(stack.db, refused)).status).toBe('PENDING_VERIFICATION');
    await stack.db.delete(numbers).where(eq(numbers.id, refused));
  });

  test('fails where numbers do not end, and says so', async () => {
    const account = await createAccount(stack.db);
    const { id } = await acceptNumber(stack.db, account.id);
    await stack.db
      .update(organizations)
      .set({ closedAt: new Date() })
      .where(eq(organizations.id, account.id));
    await stack.stopWorker();
    const error = vi.fn();
    const stuck = activities({ ending: 300 }, error);
    await expect(stuck.endNumbersOfClosedAccounts()).rejects.toMatchObject({
      type: 'numbers_left',
      nonRetryable: true,
    });
    expect(error).toHaveBeenCalledWith(
      { accountId: account.id, left: 1 },
      'Numbers of a closed account do not end',
    );
    await stack.startWorker();
    await expectStatuses([id], ['WITHDRAWN']);
    const [row] = await stack.db.select().from(numbers).where(eq(numbers.id, id));
    expect(row?.ending?.by).toEqual({ type: 'system', id: null });
  });
});

function activities(
  limits: Partial<typeof CLOSING_LIMITS>,
  error: (...about: unknown[]) => void = console.error,
) {
  const { db, workflows, config } = stack;
  const logger = { info() {}, warn() {}, error };
  const deps = { db, workflows, config, logger, stopping: new AbortController().signal };
  return createClosingActivities(deps, { ...CLOSING_LIMITS, ...limits });
}
