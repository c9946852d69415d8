/** The whole way of numbers at Meta: a real Temporal server, a real database, a simulated Meta over HTTP. */
import { eq } from 'drizzle-orm';
import Long from 'long';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import type { FacebookNews } from '../../contract/facebook.ts';
import type { Changes } from '../../contract/fields.ts';
import { newId } from '../../contract/ids.ts';
import { getNumber, workflowId } from '../../contract/messages.ts';
import { nextStep } from '../../contract/next-action.ts';
import { keepCode } from '../../db/meta-codes.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { metaRegistrations, numbers } from '../../db/schema.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { createNumberWorkflows } from '../../temporal/numbers.ts';
import { acceptNumber, readEmails, readEvents, readNumber, readState } from '../support/accepted.ts';
import { startGate, type TestGate } from '../support/gate.ts';
import { readMeta } from '../support/meta.ts';
import { CUSTOMER, decision, SUPPORT } from '../support/number-state.ts';
import { createAccount, type TestStack } from '../support/stack.ts';

let gate: TestGate;
let stack: TestStack;
let accountId: string;

beforeAll(async () => {
  gate = await startGate();
  stack = gate.stack;
  accountId = (await createAccount(stack.db)).id;
});
afterAll(() => gate.close());
afterEach(() => {
  gate.simulation.failures.clear();
  gate.simulation.provisioningDelayMs = 0;
});

const theirs = (row: NumberRow) => gate.theirs(row);
const atStep = (row: NumberRow, step: string | null, turn?: string) => gate.atStep(row, step, turn);
const handleOf = (row: NumberRow) => stack.client.workflow.getHandle(workflowId(row));
const poll = <T>(read: () => Promise<T> | T) => expect.poll(read, { timeout: 20_000, interval: 50 });
const stateOf = (row: NumberRow) => readState(stack.db, row.id);
const typesOf = async (row: NumberRow) =>
  (await readEvents(stack.db, row.id)).map(({ type }) => type).slice(1);
const by = { attempt: 1, by: CUSTOMER };

async function verifiedNumber(changes: Partial<NumberRow> = {}): Promise<NumberRow> {
  const row = await acceptNumber(stack.db, accountId, changes);
  await stack.workflows.start(row);
  await stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
  return row;
}

async function enterCode(row: NumberRow, code?: string): Promise<string> {
  const operationId = newId('op');
  const entered = code ?? theirs(row).code?.value ?? '';
  const encrypted = await encrypt(secretsOf(stack.config), entered);
  await keepCode(stack.db, row.id, { operationId, code: encrypted });
  await stack.workflows.enterCode(row, { operationId, ...by });
  return operationId;
}

const hear = (row: NumberRow, news: Partial<FacebookNews>) =>
  stack.workflows.hear(row, {
    operationId: newId('op'),
    source: 'webhook',
    at: new Date().toISOString(),
    ...news,
  });
const nameIs = (row: NumberRow, status: string, changes: Partial<NonNullable<FacebookNews['name']>> = {}) =>
  hear(row, { name: { status, requestedName: row.displayName, reason: null, ...changes } });

async function registeredNumber(): Promise<NumberRow> {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  await enterCode(row);
  await atStep(row, 'name');
  await poll(async () => (await stateOf(row)).sync?.state).toBe('synced');
  return row;
}

async function connectedNumber(): Promise<NumberRow> {
  const row = await registeredNumber();
  await nameIs(row, 'APPROVED');
  await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
  await atStep(row, null);
  return row;
}

async function expectAgreement(row: NumberRow) {
  const known = await handleOf(row).query(getNumber);
  const state = await stateOf(row);
  expect(known).toMatchObject(state);
  const events = await readEvents(stack.db, row.id);
  expect(events.map(({ revision }) => revision)).toEqual(
    Array.from({ length: state.revision }, (_, index) => index + 1),
  );
}

test('a number is added, verified by its code, registered, approved and connected', async () => {
  const row = await verifiedNumber({ website: 'https://widgets.example' });
  await atStep(row, 'code', 'customer');
  await enterCode(row);
  await atStep(row, 'name');
  await nameIs(row, 'APPROVED', { name: row.displayName });
  await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
  await atStep(row, null);
  await poll(async () => (await stateOf(row)).sync?.state).toBe('synced');
  await expectAgreement(row);
  expect(await typesOf(row)).toEqual(
    expect.arrayContaining([
      'verification.approved',
      'facebook.code_requested',
      'facebook.code_verified',
      'facebook.registered',
      'name.changed',
      'facebook.approved',
      'status.changed',
      'synced',
    ]),
  );
  expect(theirs(row)).toMatchObject({
    registered: true,
    verifiedName: row.displayName,
    profile: { websites: ['https://widgets.example'], vertical: 'RETAIL' },
  });
  expect(await readMeta(stack.db, row.id)).toMatchObject({ code: null, codeOutcome: 'right' });
  const kinds = (await readEmails(stack.db, row.id)).map(({ kind }) => kind);
  expect(kinds).toEqual(['submitted', 'verified', 'code-needed', 'approved']);
  // What is secret is in no history.
  const history = JSON.stringify(await handleOf(row).fetchHistory());
  const { code, pin } = theirs(row);
  for (const secret of [code?.value, pin, OUR_ACCOUNT.token]) expect(history).not.toContain(`"${secret}"`);
});

test('a wrong code leaves the number waiting for the right one; another can be asked for', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  const right = theirs(row).code?.value;
  const wrong = await enterCode(row, right === '000000' ? '111111' : '000000');
  await poll(async () => (await stateOf(row)).facebook?.problem?.message).toContain('not the one');
  expect((await readEvents(stack.db, row.id)).at(-1)).toMatchObject({
    type: 'facebook.code_refused',
    operationId: wrong,
    actor: CUSTOMER,
  });
  await stack.workflows.resume(row, { operationId: newId('op'), ...by, method: 'VOICE' });
  await poll(async () => (await stateOf(row)).facebook).toMatchObject({
    turn: 'customer',
    codeMethod: 'VOICE',
    problem: null,
  });
  await enterCode(row);
  await atStep(row, 'name');
  await expectAgreement(row);
});

test('a problem is the turn of whoever can put it right, and goes on when they say so', async () => {
  gate.refuse('/request_code', 131042);
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  expect((await stateOf(row)).facebook).toMatchObject({ codeMethod: null, problem: { code: 131042 } });
  expect((await readEmails(stack.db, row.id)).map(({ kind }) => kind)).toContain('facebook-problem');
  await stack.workflows.enterCode(row, { operationId: newId('op'), ...by });
  await stack.workflows.resume(row, { operationId: newId('op'), ...by, by: SUPPORT });
  await poll(async () => (await stateOf(row)).facebook).toMatchObject({ codeMethod: 'SMS', problem: null });
  expect(await typesOf(row)).toEqual([
    'verification.approved',
    'facebook.problem',
    'facebook.resumed',
    'facebook.code_requested',
  ]);
});

test('while Meta is down the step is a pending activity with its last error, and then goes on', async () => {
  gate.refuse('/phone_numbers', 131000, 2);
  const row = await verifiedNumber();
  await poll(async () => {
    const { raw } = await handleOf(row).describe();
    return raw.pendingActivities?.map(({ activityType, lastFailure }) => [
      activityType?.name,
      lastFailure?.applicationFailureInfo?.type,
    ]);
  }).toEqual([['addNumber', 'meta_try_later']]);
  await atStep(row, 'code', 'customer');
});

test('a number is registered once Meta has set it up', async () => {
  gate.simulation.provisioningDelayMs = 1_500;
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  await enterCode(row);
  await atStep(row, 'register');
  await atStep(row, 'name');
  // Nothing of the budget was spent on asking too early.
  const { registrations } = theirs(row);
  expect(registrations).toHaveLength(1);
});

test('a used-up budget of registrations is waited for, and then it goes on by itself', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  // They are counted for a minute longer than Meta does.
  const nearlyOver = new Date(Date.now() - 72 * 3_600_000 - 60_000 + 2_500);
  await stack.db.insert(metaRegistrations).values(
    Array.from({ length: 10 }, () => ({
      mobileNumber: row.mobileNumber,
      kind: 'register' as const,
      at: nearlyOver,
    })),
  );
  await enterCode(row);
  await atStep(row, 'register', 'operator');
  expect((await stateOf(row)).facebook?.problem?.until).toMatch(/^20/);
  await atStep(row, 'name');
  expect((await readEvents(stack.db, row.id)).find(({ type }) => type === 'facebook.resumed')).toMatchObject({
    actor: { type: 'system', id: null },
  });
  expect(theirs(row).registrations).toHaveLength(1);
});

test('a registration that is put off for long is shown, and goes on when somebody says so', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  const counted = { mobileNumber: row.mobileNumber, kind: 'register' as const };
  await stack.db.insert(metaRegistrations).values(Array.from({ length: 4 }, () => counted));
  gate.refuse('/register', 131000);
  await enterCode(row);
  const message = expect.stringContaining('is asked again later');
  await poll(async () => (await stateOf(row)).facebook).toMatchObject({
    step: 'register',
    turn: 'facebook',
    problem: { message, until: expect.stringMatching(/^20/) },
  });
  const pending = (await handleOf(row).describe()).raw.pendingActivities ?? [];
  expect(pending.map(({ activityType }) => activityType?.name)).not.toContain('register');
  await stack.workflows.resume(row, { operationId: newId('op'), ...by });
  await atStep(row, 'name');
});

test('a name that Meta leaves undecided is decided by support', async () => {
  const row = await registeredNumber();
  await hear(row, { source: 'poll', undecided: true });
  await atStep(row, 'name', 'support');
  expect(nextStep(await stateOf(row)).waitingFor).toBe('support');
  await stack.workflows.decide(row, 'facebook', { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
  await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
});

test('junk from a person or a program changes nothing, and the story tells what is awaited', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  const { revision } = await stateOf(row);
  for (const [signal, payload] of [
    ['facebookNews', 'junk'],
    ['facebookNews', { source: 'poll', at: 'yesterday' }],
    ['facebookNews', { source: 'webhook', at: '2026-11-28T10:00:00Z', quality: { color: 'BLUE' } }],
    ['codeEntered', { attempt: 7 }],
    ['resumeFacebook', { method: 'PIGEON' }],
  ] as const)
    await handleOf(row).signal(signal, payload);
  const metadata = await handleOf(row).query<{ currentDetails: string }>('__temporal_workflow_metadata');
  expect(metadata.currentDetails).toContain('the **customer**: the code that Meta sends is entered');
  expect(metadata.currentDetails).toContain('code sent by SMS');
  expect((await handleOf(row).query(getNumber)).revision).toBe(revision);
});

test('a refusal rejects in words', async () => {
  const row = await registeredNumber();
  const reason = 'Meta declined the name: it is that of a person.';
  await nameIs(row, 'DECLINED', { reason, code: 'name_individual_issue' });
  await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'REJECTED' });
  expect(await stateOf(row)).toMatchObject({
    facebook: null,
    facebookDecision: {
      reason,
      code: 'name_individual_issue',
      fields: ['displayName'],
      by: { type: 'facebook' },
    },
  });
});

describe('withdrawn', () => {
  const withdraw = (row: NumberRow) =>
    stack.workflows.withdraw(row, { operationId: newId('op'), ...by, stage: null });

  test('while a step is tried again: it is given up', async () => {
    gate.refuse('/phone_numbers', 131000, 1000);
    const row = await verifiedNumber();
    await poll(async () => (await handleOf(row).describe()).raw.pendingActivities?.length).toBe(1);
    await withdraw(row);
    await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'WITHDRAWN' });
  });

  test('while the code is awaited', async () => {
    const row = await verifiedNumber();
    await atStep(row, 'code', 'customer');
    await withdraw(row);
    await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'WITHDRAWN' });
    expect((await stateOf(row)).facebook).toBeNull();
  });

  test('while the name is undecided: it is deregistered', async () => {
    const row = await registeredNumber();
    await withdraw(row);
    await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'WITHDRAWN' });
    expect(theirs(row).registered).toBe(false);
  });
});

describe('an approved number', () => {
  const edit = (row: NumberRow, changes: Changes) =>
    stack.workflows.edit(row, newId('op'), { changes, by: CUSTOMER });

  test('by hand, before its code came, is connected when it comes', async () => {
    const row = await verifiedNumber();
    await atStep(row, 'code', 'customer');
    await stack.workflows.decide(row, 'facebook', { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
    await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
    await enterCode(row);
    await atStep(row, null);
    expect((await stateOf(row)).quality.connectionStatus).toBe('CONNECTED');
    await expectAgreement(row);
  });

  test('has what was edited pushed, the latest last; a refusal is shown and undoes nothing', async () => {
    const row = await connectedNumber();
    await Promise.all(
      ['https://a.example', 'https://b.example', 'https://c.example'].map((website) =>
        edit(row, { website }),
      ),
    );
    await poll(async () => (await stateOf(row)).sync?.state).toBe('synced');
    const { website } = (await stateOf(row)).profile;
    expect(theirs(row).profile.websites).toEqual([website]);

    gate.refuse('/whatsapp_business_profile', 131009);
    await edit(row, { address: '1 Long Street' });
    await poll(async () => (await stateOf(row)).sync?.state).toBe('failed');
    expect((await stateOf(row)).profile.address).toBe('1 Long Street');
    await stack.workflows.resume(row, { operationId: newId('op'), ...by });
    await poll(async () => (await stateOf(row)).sync?.state).toBe('synced');
    expect(theirs(row).profile.address).toBe('1 Long Street');
    await expectAgreement(row);
  });

  test('asks Meta for another display name, is approved all along, and registered anew for it', async () => {
    const row = await connectedNumber();
    await edit(row, { displayName: 'Another name' });
    await poll(async () => (await stateOf(row)).whatsappName).toMatchObject({
      name: row.displayName,
      status: 'PENDING_REVIEW',
      requestedName: 'Another name',
    });
    expect(theirs(row).newName).toBe('Another name');
    theirs(row).newNameStatus = 'APPROVED';
    await nameIs(row, 'APPROVED', { name: 'Another name', requestedName: 'Another name' });
    await poll(() => theirs(row).verifiedName).toBe('Another name');
    await atStep(row, null);
    expect((await stateOf(row)).status).toBe('APPROVED');
  });

  test('released is deregistered', async () => {
    const row = await connectedNumber();
    await stack.workflows.release(row, { operationId: newId('op'), ...by });
    await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'RELEASED' });
    expect(theirs(row).registered).toBe(false);
    expect((await readMeta(stack.db, row.id)).deregisteredAt).not.toBeNull();
  });

  test('continues as new with what is known of it', async () => {
    const limited = createNumberWorkflows({ ...stack, config: { ...stack.config, MAX_HISTORY: 100 } });
    const row = await acceptNumber(stack.db, accountId);
    await limited.start(row);
    await limited.decide(row, 'verification', { ...decision(), attempt: 1 });
    await atStep(row, 'code', 'customer');
    const { runId } = await handleOf(row).describe();
    await enterCode(row);
    await atStep(row, 'name');
    await nameIs(row, 'APPROVED');
    await atStep(row, null);
    for (let edits = 0; (await handleOf(row).describe()).runId === runId; edits++)
      await edit(row, { website: `https://${edits}.example` });
    await edit(row, { website: 'https://last.example' });
    await poll(() => theirs(row).profile.websites).toEqual(['https://last.example']);
    await poll(async () => (await stateOf(row)).sync?.state).toBe('synced');
    await expectAgreement(row);
  });
});

test('an attempt that a newer one has taken over leaves what is at Meta to that one', async () => {
  const row = await registeredNumber();
  await stack.db.update(numbers).set({ attempt: 2, revision: 50 }).where(eq(numbers.id, row.id));
  await stack.workflows.withdraw(row, { operationId: newId('op'), ...by, stage: null });
  await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'SUPERSEDED' });
  expect(theirs(row).registered).toBe(true);
});

test('a workflow that was terminated goes on where the row is', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  await handleOf(row).terminate('by an operator');
  await stack.workflows.start(await readNumber(stack.db, row.id));
  await enterCode(row);
  await atStep(row, 'name');
  await expectAgreement(row);
});

test('a workflow that was reset takes the row as its own and goes on', async () => {
  const row = await verifiedNumber();
  await atStep(row, 'code', 'customer');
  await enterCode(row);
  await atStep(row, 'name');
  const { runId } = await handleOf(row).describe();
  await stack.client.workflowService.resetWorkflowExecution({
    namespace: stack.config.TEMPORAL_NAMESPACE,
    workflowExecution: { workflowId: workflowId(row), runId },
    workflowTaskFinishEventId: Long.fromNumber(4),
    requestId: newId('op'),
    resetReapplyExcludeTypes: [1],
  });
  await stack.workflows.refresh(row);
  await poll(async () => (await handleOf(row).query(getNumber)).facebook?.step).toBe('name');
  await nameIs(row, 'APPROVED');
  await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
  await atStep(row, null);
  await expectAgreement(row);
});
