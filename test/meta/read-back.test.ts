/** Numbers are read back from Meta, where every webhook was lost: the whole product, and a simulated Meta over HTTP. */

import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { LOCKS } from '../../db/advisory-locks.ts';
import { openDatabase } from '../../db/client.ts';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { metaConnections, metaNumbers, metaRegistrations, numbers, organizations } from '../../db/schema.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { decideName } from '../../dev/meta/decisions.ts';
import { failureSchema } from '../../dev/meta/failures.ts';
import type { NumberWorkflows } from '../../temporal/numbers.ts';
import { createReadBack, type ReadBackRound, readBack } from '../../worker/read-back.ts';
import { TEMPORAL_DOWN } from '../api/harness.ts';
import { acceptNumber, readEmails, readEvents, readState } from '../support/accepted.ts';
import { type StackAtMeta, signalsTo, startStackAtMeta } from '../support/at-meta.ts';
import { readMeta } from '../support/meta.ts';
import { createAccount } from '../support/stack.ts';

let at: StackAtMeta;
const logger = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000, interval: 50 });

beforeAll(async () => {
  at = await startStackAtMeta({ META_POLL_SECONDS: '0.2' });
});
afterAll(() => at.close());
beforeEach(async () => {
  vi.clearAllMocks();
  at.simulator.simulation.failures.clear();
  // Only what a test makes due.
  await at.stack.db.update(metaNumbers).set({ readAt: null });
});

const reader = (changes: { workflows?: NumberWorkflows; perConnection?: number } = {}) => {
  const { db, workflows, config } = at.stack;
  const deps = { db, lockDb: db, workflows, meta: at.steps, config, logger, ...changes };
  return createReadBack(deps, { perConnection: changes.perConnection ?? 100 });
};
const makeDue = (row: NumberRow) => changeMetaNumber(at.stack.db, row.id, { readAt: sql`now()` });
const stateOf = (row: NumberRow) => readState(at.stack.db, row.id);
const metaOf = (row: NumberRow) => readMeta(at.stack.db, row.id);
const readings = (id: string) =>
  at.simulator.simulation.calls.filter(({ method, path }) => method === 'GET' && path.endsWith(`/${id}`));
const soon = (time: Date | null) =>
  time === null ? null : Math.round((time.getTime() - Date.now()) / 60_000);

test('a name is approved though its webhook was lost', async () => {
  const { row, theirs } = await at.registered();
  await makeDue(row);
  const round = reader();
  await round();
  expect((await stateOf(row)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  decideName(at.simulator.simulation, theirs, { decision: 'APPROVED', reason: undefined });
  await poll(async () => {
    await round();
    return (await stateOf(row)).status;
  }).toBe('APPROVED');
  expect(await stateOf(row)).toMatchObject({
    whatsappName: { name: row.displayName, status: 'APPROVED', requestedName: null },
    quality: { connectionStatus: 'CONNECTED', qualityRating: 'CONNECTED', qualitySource: 'poll' },
  });
  expect((await readEmails(at.stack.db, row.id)).map(({ kind }) => kind)).toContain('approved');
});

test('a name is declined though its webhook was lost', async () => {
  const { row, theirs } = await at.registered();
  decideName(at.simulator.simulation, theirs, { decision: 'REJECTED', reason: 'NAME_NOT_CONSISTENT' });
  await makeDue(row);
  await reader()();
  await poll(async () => (await stateOf(row)).status).toBe('REJECTED');
  expect((await stateOf(row)).facebookDecision?.reason).toContain('did not say why');
  // It may be submitted again, and is looked at once a day.
  await makeDue(row);
  expect(await reader()()).toMatchObject({ told: 0, deregistered: 0, failed: 0 });
  expect(soon((await metaOf(row)).readAt)).toBe(24 * 60);
  expect(theirs.registered).toBe(true);
  await at.stack.db
    .update(numbers)
    .set({ updatedAt: sql`now() - interval '8 days'` })
    .where(eq(numbers.id, row.id));
  await makeDue(row);
  expect(await reader()()).toMatchObject({ deregistered: 1 });
  expect(theirs.registered).toBe(false);
  expect((await metaOf(row)).readAt).toBeNull();
});

test('a rejected number of a closed account is deregistered at once, one that is withdrawn after it, too', async () => {
  const { db } = at.stack;
  const [closed, withdrawn] = [await at.connected(), await at.connected()];
  const account = await createAccount(db);
  await db.update(organizations).set({ closedAt: sql`now()` }).where(eq(organizations.id, account.id));
  await db
    .update(numbers)
    .set({ status: 'REJECTED', accountId: account.id })
    .where(eq(numbers.id, closed.row.id));
  await db.update(numbers).set({ status: 'REJECTED' }).where(eq(numbers.id, withdrawn.row.id));
  for (const { row } of [closed, withdrawn]) await makeDue(row);
  expect(await reader()()).toMatchObject({ deregistered: 1, failed: 0 });
  expect(closed.theirs.registered).toBe(false);
  expect(withdrawn.theirs.registered).toBe(true);
  await db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, withdrawn.row.id));
  await makeDue(withdrawn.row);
  expect(await reader()()).toMatchObject({ deregistered: 1 });
  expect(withdrawn.theirs.registered).toBe(false);
});

test('a registration that nobody noted is ended all the same', async () => {
  const { row, theirs } = await at.connected();
  await at.stack.db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, row.id));
  await changeMetaNumber(at.stack.db, row.id, { registeredAt: null, readAt: sql`now()` });
  expect(await reader()()).toMatchObject({ deregistered: 1 });
  expect(theirs.registered).toBe(false);
});

test('what is as it was does not wake the workflow, and is read again in about a day', async () => {
  const { row, theirs } = await at.connected();
  const round = reader();
  await makeDue(row);
  await round();
  await poll(async () => (await stateOf(row)).quality.connectionStatus).toBe('CONNECTED');
  const before = { signals: await signalsTo(at.stack, row), state: await stateOf(row) };
  at.simulator.simulation.calls.length = 0;
  await makeDue(row);
  expect(await round()).toEqual({ unchanged: 1, told: 0, deregistered: 0, failed: 0 });
  expect(readings(theirs.id)).toHaveLength(1);
  expect(await signalsTo(at.stack, row)).toBe(before.signals);
  expect(await stateOf(row)).toEqual(before.state);
  const minutes = soon((await metaOf(row)).readAt) ?? 0;
  expect(minutes).toBeGreaterThan(20 * 60);
  expect(minutes).toBeLessThan(28 * 60);
  // What is not due is not read.
  expect(await round()).toMatchObject({ unchanged: 0, told: 0 });
});

test('colour, status and limit are learnt', async () => {
  const { row, theirs } = await at.connected();
  Object.assign(theirs, { qualityRating: 'RED', status: 'FLAGGED', limit: 'TIER_10K' });
  await makeDue(row);
  expect(await reader()()).toMatchObject({ told: 1 });
  await poll(async () => (await stateOf(row)).quality).toMatchObject({
    qualityColor: 'RED',
    connectionStatus: 'FLAGGED',
    qualityRating: 'FLAGGED',
    messagingLimit: 'TIER_10K',
    limitSource: 'poll',
  });
  expect((await readEvents(at.stack.db, row.id)).map(({ type }) => type)).toEqual(
    expect.arrayContaining(['quality.changed', 'status.changed', 'limit.changed']),
  );
});

test('a name that stays undecided goes to support, once', async () => {
  const { row } = await at.registered();
  const round = reader();
  await makeDue(row);
  await round();
  await poll(async () => (await stateOf(row)).quality.connectionStatus).toBe('CONNECTED');
  expect((await stateOf(row)).facebook).toMatchObject({ step: 'name', turn: 'facebook' });
  const days = at.stack.config.META_NAME_DAYS + 1;
  const since = new Date(Date.now() - days * 24 * 3_600_000).toISOString();
  await at.stack.db
    .update(numbers)
    .set({ facebook: sql`facebook || ${JSON.stringify({ since })}::jsonb` })
    .where(eq(numbers.id, row.id));
  await makeDue(row);
  expect(await round()).toMatchObject({ told: 1 });
  await poll(async () => (await stateOf(row)).facebook?.turn).toBe('support');
  await makeDue(row);
  expect(await round()).toMatchObject({ unchanged: 1, told: 0 });
  expect(soon((await metaOf(row)).readAt)).toBeGreaterThan(20 * 60);
});

test('a registration that a release has left is ended, unless somebody has the number now', async () => {
  const { db } = at.stack;
  const left = await at.connected();
  const taken = await at.connected();
  for (const { row } of [left, taken]) {
    await db.update(numbers).set({ status: 'RELEASED' }).where(eq(numbers.id, row.id));
    await makeDue(row);
  }
  const { mobileNumber } = taken.row;
  const again = await acceptNumber(db, at.account.id, { mobileNumber });
  const { connectionId, digits } = await metaOf(taken.row);
  await db.insert(metaNumbers).values({ numberId: again.id, connectionId, digits });
  expect(await reader()()).toMatchObject({ deregistered: 1, failed: 0 });
  expect(left.theirs.registered).toBe(false);
  expect(taken.theirs.registered).toBe(true);
  expect((await metaOf(left.row)).readAt).toBeNull();
  // Looked at again: who is on the way to have it may leave.
  expect((await metaOf(taken.row)).readAt?.getTime()).toBeGreaterThan(Date.now());
  await db.update(metaNumbers).set({ registeredAt: new Date() }).where(eq(metaNumbers.numberId, again.id));
  await makeDue(taken.row);
  await reader()();
  expect(taken.theirs.registered).toBe(true);
  expect((await metaOf(taken.row)).readAt).toBeNull();
});

test('where Meta takes no more calls, none of that connection is read for a while', async () => {
  const { row, theirs } = await at.connected();
  at.simulator.simulation.failures.add(failureSchema.parse({ path: `/${theirs.id}`, code: 80007 }));
  const round = reader();
  await makeDue(row);
  expect(await round()).toMatchObject({ failed: 1 });
  at.simulator.simulation.calls.length = 0;
  // It is due, and nobody is asked.
  expect((await metaOf(row)).readAt?.getTime()).toBeLessThanOrEqual(Date.now());
  expect(await round()).toEqual({ unchanged: 0, told: 0, deregistered: 0, failed: 0 });
  expect(at.simulator.simulation.calls).toHaveLength(0);
});

test('a deregistration that has to wait for hours puts off that number only', async () => {
  const { db } = at.stack;
  const [left, well] = [await at.connected(), await at.connected()];
  await db.update(numbers).set({ status: 'RELEASED' }).where(eq(numbers.id, left.row.id));
  const { mobileNumber } = left.row;
  await db
    .insert(metaRegistrations)
    .values(Array.from({ length: 6 }, () => ({ mobileNumber, kind: 'register' as const, refused: 2 })));
  at.simulator.simulation.failures.add(failureSchema.parse({ path: '/deregister', code: 133004 }));
  const round = reader();
  await makeDue(left.row);
  expect(await round()).toMatchObject({ failed: 1 });
  expect(soon((await metaOf(left.row)).readAt)).toBe(6 * 60);
  await makeDue(well.row);
  expect(await round()).toMatchObject({ unchanged: 1, failed: 0 });
});

test('trouble of one number puts off that one only', async () => {
  const [sick, well] = [await at.connected(), await at.connected()];
  at.simulator.simulation.failures.add(failureSchema.parse({ path: `/${sick.theirs.id}`, code: 131000 }));
  await makeDue(sick.row);
  await makeDue(well.row);
  expect(await reader()()).toMatchObject({ failed: 1 });
  expect(soon((await metaOf(sick.row)).readAt)).toBe(5);
  expect(soon((await metaOf(well.row)).readAt)).toBeGreaterThan(60);
});

test('what cannot be told to Temporal is read again soon', async () => {
  const { row, theirs } = await at.connected();
  theirs.qualityRating = 'YELLOW';
  await makeDue(row);
  expect(await reader({ workflows: TEMPORAL_DOWN })()).toMatchObject({ told: 0, failed: 1 });
  expect(soon((await metaOf(row)).readAt)).toBe(1);
  expect(logger.warn).toHaveBeenCalledWith(
    expect.objectContaining({ numberId: row.id }),
    expect.stringContaining('tried again'),
  );
  await makeDue(row);
  expect(await reader()()).toMatchObject({ told: 1 });
  await poll(async () => (await stateOf(row)).quality.qualityColor).toBe('YELLOW');
});

test('of each connection only so many are read in a round, those that somebody waits for first', async () => {
  const waits = await at.registered();
  const approved = await at.connected();
  await changeMetaNumber(at.stack.db, approved.row.id, { readAt: new Date(0) });
  await makeDue(waits.row);
  at.simulator.simulation.calls.length = 0;
  await reader({ perConnection: 1 })();
  expect(readings(waits.theirs.id)).toHaveLength(1);
  expect(readings(approved.theirs.id)).toHaveLength(0);
});

test('numbers that somebody waits for do not keep the approved ones out', async () => {
  const approved = await at.connected();
  const waiting = [await at.registered(), await at.registered(), await at.registered()];
  for (const { row } of [...waiting, approved]) await makeDue(row);
  at.simulator.simulation.calls.length = 0;
  await reader({ perConnection: 2 })();
  expect(readings(approved.theirs.id)).toHaveLength(1);
  expect(waiting.flatMap(({ theirs }) => readings(theirs.id))).toHaveLength(1);
});

test('a token that is refused stops the readings of its connection as a whole', async () => {
  const { row } = await at.connected();
  const { simulation } = at.simulator;
  simulation.state.tokens[OUR_ACCOUNT.token] = { wabaId: OUR_ACCOUNT.wabaId, state: 'expired' };
  await makeDue(row);
  const round = reader();
  expect(await round()).toMatchObject({ failed: 1 });
  simulation.calls.length = 0;
  await makeDue(row);
  expect(await round()).toEqual({ unchanged: 0, told: 0, deregistered: 0, failed: 0 });
  expect(simulation.calls).toHaveLength(0);
  simulation.state.tokens[OUR_ACCOUNT.token] = { wabaId: OUR_ACCOUNT.wabaId, state: 'valid' };
  await at.stack.db.update(metaConnections).set({ state: 'active', problem: null });
  expect(await round()).toMatchObject({ unchanged: 1 });
});

test('the loop reads until it is stopped, and counts a round that fails', async () => {
  const { row, theirs } = await at.connected();
  const { db, workflows, config } = at.stack;
  const rounds: (ReadBackRound | null)[] = [];
  const stopping = new AbortController();
  const onRound = (round: ReadBackRound | null) => void rounds.push(round);
  const broken = openDatabase(
    { DATABASE_URL: 'postgres://127.0.0.1:1/none', DATABASE_POOL: 2 },
    { name: 'none' },
  );
  const deps = { db, lockDb: broken, workflows, meta: at.steps, config, logger, onRound };
  const failing = readBack(deps, stopping.signal);
  await poll(async () => rounds.includes(null)).toBe(true);
  expect(logger.error).toHaveBeenCalledWith(expect.anything(), expect.stringContaining('tried again'));
  theirs.qualityRating = 'RED';
  await makeDue(row);
  const reading = readBack({ ...deps, lockDb: db }, stopping.signal);
  await poll(async () => (await stateOf(row)).quality.qualityColor).toBe('RED');
  expect(rounds.some((round) => round?.told === 1)).toBe(true);
  stopping.abort();
  await Promise.all([failing, reading]);
  await broken.close();
});

test('a round of another worker is none of this one', async () => {
  const { db } = at.stack;
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${LOCKS.readBack})`);
    expect(await reader()()).toBeNull();
  });
  expect(await reader()()).not.toBeNull();
});
