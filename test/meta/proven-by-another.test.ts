/** A number that another account has proved goes on by support's word alone: the whole product, a simulated Meta over HTTP. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import type { Actor } from '../../contract/number.ts';
import { keepCode } from '../../db/meta-codes.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { acceptNumber, readEvents, readState } from '../support/accepted.ts';
import { startGate, type TestGate } from '../support/gate.ts';
import { readMeta } from '../support/meta.ts';
import { CUSTOMER, decision, SUPPORT } from '../support/number-state.ts';
import { createAccount } from '../support/stack.ts';

const PATIENCE = { timeout: 20_000, interval: 50 };
let gate: TestGate;

beforeAll(async () => {
  gate = await startGate();
});
afterAll(() => gate.close());

async function verified(accountId: string, changes: Partial<NumberRow> = {}): Promise<NumberRow> {
  const { db, workflows } = gate.stack;
  const row = await acceptNumber(db, accountId, changes);
  await workflows.start(row);
  await workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
  return row;
}

/** Proved by its code, and rejected. */
async function provedByAnother(): Promise<NumberRow> {
  const { db, config, workflows } = gate.stack;
  const row = await verified((await createAccount(db)).id);
  await gate.atStep(row, 'code', 'customer');
  const operationId = newId('op');
  const code = await encrypt(secretsOf(config), gate.theirs(row).code?.value ?? '');
  await keepCode(db, row.id, { operationId, code });
  await workflows.enterCode(row, { operationId, attempt: 1, by: CUSTOMER });
  await gate.atStep(row, 'name');
  await workflows.decide(row, 'facebook', {
    ...decision({ decisionId: newId('op'), outcome: 'rejected' }),
    attempt: 1,
  });
  await expect.poll(async () => (await readState(db, row.id)).status, PATIENCE).toBe('REJECTED');
  return row;
}

test('support is asked, and only staff can let it go on', async () => {
  const { db, workflows } = gate.stack;
  const { mobileNumber } = await provedByAnother();
  const row = await verified((await createAccount(db)).id, { mobileNumber });
  await gate.atStep(row, 'code', 'support');
  const problem = { message: expect.stringMatching(/verified for another account/), until: null };
  expect((await readState(db, row.id)).facebook).toMatchObject({ codeMethod: null, problem });
  expect((await readMeta(db, row.id)).verifiedAt).toBeNull();

  const resume = (by: Actor) => workflows.resume(row, { operationId: newId('op'), attempt: 1, by });
  const problems = async () =>
    (await readEvents(db, row.id)).filter(({ type }) => type === 'facebook.problem').length;
  await resume(CUSTOMER);
  await expect.poll(problems, PATIENCE).toBe(2);
  await gate.atStep(row, 'code', 'support');
  await resume(SUPPORT);
  await gate.atStep(row, 'name');
  expect((await readMeta(db, row.id)).verifiedAt).not.toBeNull();
});

test('the account that proved it itself is not held up', async () => {
  const { db } = gate.stack;
  const { mobileNumber, accountId } = await provedByAnother();
  const row = await verified(accountId, { mobileNumber });
  await gate.atStep(row, 'name');
  expect((await readMeta(db, row.id)).verifiedAt).not.toBeNull();
});
