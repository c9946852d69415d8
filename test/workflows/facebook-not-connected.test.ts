/** Meta is set up, and this account has no WhatsApp Business Account connected: support decides, until there is one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import { workflowId } from '../../contract/messages.ts';
import { keepConnection } from '../../db/meta-connections.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { hashOf } from '../../meta/connections.ts';
import { acceptNumber, readState } from '../support/accepted.ts';
import { startGate, type TestGate } from '../support/gate.ts';
import { THEIR_ACCOUNT } from '../support/meta.ts';
import { CUSTOMER, decision } from '../support/number-state.ts';
import { createAccount } from '../support/stack.ts';

let gate: TestGate;
beforeAll(async () => {
  gate = await startGate({ META_WABA_ID: '', META_ACCESS_TOKEN: '' });
});
afterAll(() => gate.close());

const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 20_000, interval: 50 });
const stateOf = (row: NumberRow) => readState(gate.stack.db, row.id);

async function verifiedNumber(accountId: string): Promise<NumberRow> {
  const { db, workflows } = gate.stack;
  const row = await acceptNumber(db, accountId);
  await workflows.start(row);
  await workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
  await poll(async () => (await stateOf(row)).status).toBe('PENDING_FACEBOOK_APPROVAL');
  return row;
}

/** Activities that its workflow has had scheduled for Meta. */
async function askedOf(row: NumberRow): Promise<string[]> {
  const { events } = await gate.stack.client.workflow.getHandle(workflowId(row)).fetchHistory();
  const names = (events ?? []).map((one) => one.activityTaskScheduledEventAttributes?.activityType?.name);
  return names.filter((name) => name !== undefined && name !== null).filter((name) => name !== 'sendEmails');
}

test('support decides as before, after one look whether there is one', async () => {
  const { id } = await createAccount(gate.stack.db);
  const row = await verifiedNumber(id);
  await poll(() => askedOf(row)).toEqual(['addNumber']);
  await gate.stack.workflows.decide(row, 'facebook', { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
  await poll(async () => (await stateOf(row)).status).toBe('APPROVED');
  expect(await stateOf(row)).toMatchObject({ facebook: null, sync: null, whatsappName: null });
  expect(await askedOf(row)).toEqual(['addNumber']);
});

test('whoever has it go on before there is one is told, and it goes on once there is', async () => {
  const { db, config, workflows } = gate.stack;
  const { id: accountId } = await createAccount(db);
  const row = await verifiedNumber(accountId);
  const resume = () => workflows.resume(row, { operationId: newId('op'), attempt: 1, by: CUSTOMER });
  await resume();
  await gate.atStep(row, 'add', 'support');
  expect((await stateOf(row)).facebook?.problem?.message).toContain('no WhatsApp Business Account connected');

  const { wabaId, token } = THEIR_ACCOUNT;
  const encrypted = await encrypt(secretsOf(config), token);
  await db.transaction((tx) =>
    keepConnection(
      tx,
      accountId,
      { wabaId, name: null, token: encrypted, tokenHash: hashOf(token) },
      new Date(),
    ),
  );
  await resume();
  await gate.atStep(row, 'code', 'customer');
  expect(gate.theirs(row).wabaId).toBe(wabaId);
});
