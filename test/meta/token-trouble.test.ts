/** A token that Meta does not take stops all calls with it, and is told of once. */
import { asc, eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { MetaTroubleData } from '../../contract/emails.ts';
import { TOKEN_PROBLEMS } from '../../contract/facebook.ts';
import { findConnection, noteResumed, renewedConnections } from '../../db/meta-connections.ts';
import { heldUpNumbers } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { emails, metaConnections, metaNumbers, numbers } from '../../db/schema.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { keepOurConnection, stopCalls } from '../../meta/connections.ts';
import { openMeta } from '../../meta/deps.ts';
import { GraphError } from '../../meta/graph-error.ts';
import { createMetaSteps } from '../../meta/steps.ts';
import { acceptNumber } from '../support/accepted.ts';
import {
  connect,
  readConnection,
  readMeta,
  startTestMeta,
  type TestMeta,
  THEIR_ACCOUNT,
  verifyNumber,
} from '../support/meta.ts';
import { createUser } from '../support/people.ts';
import { createAccount } from '../support/stack.ts';

let meta: TestMeta;

beforeAll(async () => {
  meta = await startTestMeta({ ESCALATION_EMAIL: 'lead@numbers.example' });
});
afterAll(() => meta.close());
afterEach(async () => {
  setToken(OUR_ACCOUNT.token, 'valid');
  setToken(THEIR_ACCOUNT.token, 'valid');
  await meta.db.delete(emails);
});

function setToken(token: string, state: 'valid' | 'expired' | 'permissionless'): void {
  const known = meta.simulator.simulation.state.tokens[token];
  if (known) known.state = state;
}

async function accept(accountId: string) {
  return acceptNumber(meta.db, accountId, { status: 'PENDING_FACEBOOK_APPROVAL' });
}

const troubles = () =>
  meta.db.select().from(emails).where(eq(emails.kind, 'meta-trouble')).orderBy(asc(emails.seq));

test('ours: every step stops, our people hear once, and a new token in the settings ends it', async () => {
  const account = await createAccount(meta.db);
  const number = await accept(account.id);
  await verifyNumber(meta, number);
  const numberId = number.id;
  const ended = await accept(account.id);
  await meta.steps.addNumber({ numberId: ended.id });
  await meta.db.update(numbers).set({ status: 'RELEASED' }).where(eq(numbers.id, ended.id));
  setToken(OUR_ACCOUNT.token, 'expired');
  const stopped = {
    done: false,
    turn: 'operator',
    problem: {
      code: 190,
      subcode: 463,
      fbtraceId: expect.any(String),
      message: expect.stringMatching(/META_ACCESS_TOKEN/),
    },
  };
  expect(await meta.steps.register({ numberId })).toMatchObject(stopped);
  meta.simulator.simulation.calls.length = 0;
  const all = await Promise.all([
    meta.steps.addNumber({ numberId }),
    meta.steps.addNumber({ numberId: (await accept(account.id)).id }),
    meta.steps.requestCode({ numberId, method: 'SMS' }),
    meta.steps.verifyCode({ numberId }),
    meta.steps.register({ numberId }),
    meta.steps.pushProfile({ numberId }),
    meta.steps.deregister({ numberId: ended.id }),
    meta.steps.readNumber({ numberId }),
  ]);
  for (const result of all) expect(result).toMatchObject(stopped);
  expect(meta.simulator.simulation.calls).toEqual([]);

  const [email, ...more] = await troubles();
  expect(more).toEqual([]);
  expect(email).toMatchObject({ lane: 'escalation', recipient: null });
  expect(email?.data as MetaTroubleData).toMatchObject({
    wabaId: OUR_ACCOUNT.wabaId,
    accountName: null,
    code: 190,
  });
  expect(meta.lines.filter((line) => line.includes('Calls to Meta with a token stop'))).toHaveLength(1);
  expect(meta.lines.join()).not.toContain(OUR_ACCOUNT.token);

  const token = 'EAAnewTokenOfOurs';
  meta.simulator.simulation.state.tokens[token] = { wabaId: OUR_ACCOUNT.wabaId, state: 'valid' };
  const config = { ...meta.config, META_ACCESS_TOKEN: token };
  const deps = openMeta({ ...meta.deps, config });
  await keepOurConnection(deps);
  expect(await findConnection(meta.db, null)).toMatchObject({ state: 'active', problem: null });
  expect(await createMetaSteps(deps).register({ numberId })).toEqual({ done: true });
  // A worker of before has the old one: it waits, and does not stop the new one.
  await expect(meta.steps.readNumber({ numberId })).rejects.toMatchObject({ name: 'TryLater' });
  await keepOurConnection(meta.deps);
});

test("an account's own: its admins hear, too, and no other account stops", async () => {
  const { id: accountId } = await createAccount(meta.db);
  const admin = await createUser(meta.db, 'user', { [accountId]: 'admin' });
  await createUser(meta.db, 'user', { [accountId]: 'member' });
  const connection = await connect(meta, accountId);
  const number = await accept(accountId);
  await meta.steps.addNumber({ numberId: number.id });
  setToken(THEIR_ACCOUNT.token, 'permissionless');
  const result = await meta.steps.requestCode({ numberId: number.id, method: 'SMS' });
  expect(result).toMatchObject({ done: false, turn: 'customer', problem: { code: 200 } });
  expect((await readConnection(meta.db, connection.id)).state).toBe('permission_missing');
  const written = await troubles();
  expect(written.map(({ lane, recipient }) => [lane, recipient])).toEqual([
    ['escalation', null],
    [admin.email, admin.email],
  ]);
  const other = await accept((await createAccount(meta.db)).id);
  expect(await meta.steps.addNumber({ numberId: other.id })).toEqual({ configured: true, done: true });

  if (!('problem' in result)) throw new Error('not stopped');
  const facebook = {
    step: 'code' as const,
    turn: 'customer' as const,
    since: new Date().toISOString(),
    codeMethod: null,
    problem: result.problem,
  };
  const heldUp = () => heldUpNumbers(meta.db, connection.id, { after: '', limit: 10 });
  expect(await heldUp()).toEqual([]);
  await meta.db.update(numbers).set({ facebook }).where(eq(numbers.id, number.id));
  expect((await heldUp()).map(({ id }) => id)).toEqual([number.id]);
  const heldUpBy = async (code: number | null, message: string, sync: NumberRow['sync'] = null) => {
    const problem = { ...result.problem, code, message };
    await meta.db
      .update(numbers)
      .set({ facebook: { ...facebook, problem }, sync })
      .where(eq(numbers.id, number.id));
    return (await heldUp()).length;
  };
  expect(await heldUpBy(null, TOKEN_PROBLEMS[1])).toBe(1);
  // What no token puts right.
  const failed = { state: 'failed' as const, reason: 'no', at: new Date().toISOString(), differences: [] };
  expect(await heldUpBy(133005, 'Another PIN')).toBe(0);
  expect(await heldUpBy(null, 'Meta has not decided', failed)).toBe(0);
  await meta.db
    .update(numbers)
    .set({ facebook: { ...facebook, problem: null }, sync: failed })
    .where(eq(numbers.id, number.id));
  expect((await heldUp()).map(({ id }) => id)).toEqual([number.id]);
});

test('a call with the token of before stops nothing, and is to be tried again', async () => {
  const { id: accountId } = await createAccount(meta.db);
  const wabaId = '500';
  const before = await connect(meta, accountId, { ...THEIR_ACCOUNT, wabaId, token: 'EAAbefore' });
  const connection = await connect(meta, accountId, { ...THEIR_ACCOUNT, wabaId, token: 'EAAafter' });
  const error = new GraphError('Asking for a code', { status: 401, code: 190 });
  await expect(stopCalls(meta.deps, before, { state: 'token_refused', error })).rejects.toMatchObject({
    name: 'TryLater',
    retryAfterMs: 1_000,
  });
  expect((await readConnection(meta.db, connection.id)).state).toBe('active');
  // Who waits is told at once, and once more when the last step with the token of before has ended.
  const isRenewed = async () => (await renewedConnections(meta.db)).some(({ id }) => id === connection.id);
  const changed = async (ago: string) => {
    const at = sql`date_trunc('milliseconds', now()) - ${ago}::interval`;
    await meta.db
      .update(metaConnections)
      .set({
        updatedAt: at,
        resumedAt: sql`case when ${metaConnections.resumedAt} is not null then ${at} end`,
      })
      .where(eq(metaConnections.id, connection.id));
  };
  const tell = async () => noteResumed(meta.db, await readConnection(meta.db, connection.id));
  await changed('1 second');
  expect(await isRenewed()).toBe(true);
  await tell();
  expect(await isRenewed()).toBe(false);
  await changed('61 seconds');
  expect(await isRenewed()).toBe(true);
  await tell();
  expect(await isRenewed()).toBe(false);
});

test('a token that was encrypted with a lost secret is told as that, not as refused', async () => {
  const { id: accountId } = await createAccount(meta.db);
  await meta.db.delete(emails);
  const number = await accept(accountId);
  const config = { ...meta.config, AUTH_SECRET: 'another secret, with which nothing was encrypted' };
  const before = meta.simulator.simulation.account(THEIR_ACCOUNT.wabaId);
  expect(before).toBeDefined();
  meta.simulator.simulation.state.accounts.push({
    wabaId: '300',
    businessId: '301',
    name: 'Third',
    subscribed: false,
  });
  await connect(meta, accountId, { ...THEIR_ACCOUNT, wabaId: '300', token: 'EAAthird' });
  const steps = createMetaSteps(openMeta({ ...meta.deps, config }));
  expect(await steps.addNumber({ numberId: number.id })).toMatchObject({
    done: false,
    turn: 'operator',
    problem: { message: expect.stringMatching(/AUTH_SECRET/) },
  });
  expect(await troubles()).toEqual([]);
});

test('another META_WABA_ID counts when no number lives in the one before, its token at once', async () => {
  const { id: accountId } = await createAccount(meta.db);
  const number = await accept(accountId);
  await meta.steps.addNumber({ numberId: number.id });
  const token = 'EAAtokenOfBoth';
  meta.simulator.simulation.state.tokens[token] = { wabaId: OUR_ACCOUNT.wabaId, state: 'valid' };
  const config = { ...meta.config, META_WABA_ID: '400', META_ACCESS_TOKEN: token };
  const deps = openMeta({ ...meta.deps, config });
  await keepOurConnection(deps);
  expect((await findConnection(meta.db, null))?.wabaId).toBe(OUR_ACCOUNT.wabaId);
  expect(meta.lines.at(-1)).toContain('META_WABA_ID counts only when');
  expect(await createMetaSteps(deps).readNumber({ numberId: number.id })).toMatchObject({ done: true });

  await meta.db.update(numbers).set({ status: 'RELEASED' });
  await meta.db.update(metaNumbers).set({ registeredAt: null, pushedRevision: 1 });
  await keepOurConnection(deps);
  expect((await findConnection(meta.db, null))?.wabaId).toBe('400');
  expect(await readMeta(meta.db, number.id)).toMatchObject({ phoneNumberId: null, pushedRevision: null });
});
