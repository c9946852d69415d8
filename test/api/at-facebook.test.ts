/** What people do for a number's way at Meta, over the API: on a real Temporal server, with a simulated Meta. */

import { hash } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decrypt, secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import type { NumberView } from '../../contract/views.ts';
import { keepCode } from '../../db/meta-codes.ts';
import { changeMetaNumber, settleCode } from '../../db/meta-numbers.ts';
import { idempotencyRecords } from '../../db/schema.ts';
import { readNumber } from '../support/accepted.ts';
import { startGate, type TestGate } from '../support/gate.ts';
import { readMeta } from '../support/meta.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { type Call, caller, problemOf, startTwoApps, submit } from './harness.ts';

let gate: TestGate;
let apps: FastifyInstance[];
let call: Call;
let key: string;
let support: string;
let operator: string;

beforeAll(async () => {
  gate = await startGate();
  const { db } = gate.stack;
  apps = await startTwoApps(gate.stack);
  call = caller(apps[0] as FastifyInstance);
  ({ key } = await createAccount(db));
  ({ key: support } = await createStaff(db, 'support'));
  ({ key: operator } = await createStaff(db, 'operator'));
});
afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await gate.close();
});
afterEach(() => gate.simulation.failures.clear());

const enter = (id: string, code: string, headers: Record<string, string> = {}) =>
  call(key, 'POST', `/v1/numbers/${id}/verification-code`, { code }, headers);
const resend = (id: string, method: string, by = key) =>
  call(by, 'POST', `/v1/numbers/${id}/verification-code/resend`, { method });
const resume = (id: string, by = key, body?: object) =>
  call(by, 'POST', `/v1/numbers/${id}/facebook-resumption`, body);
const read = async (id: string): Promise<NumberView> => (await call(key, 'GET', `/v1/numbers/${id}`)).json();
const codeOf = (number: NumberView) => gate.theirs(number).code?.value ?? '';
const wrongCode = (number: NumberView) => (codeOf(number) === '000000' ? '111111' : '000000');
/** Meta was last asked for a code long enough ago. */
const later = ({ id }: NumberView) => changeMetaNumber(gate.stack.db, id, { codeSentAt: null });

/** Approved by support; not yet added at Meta. */
async function verified(): Promise<NumberView> {
  const number = await submit(call, key);
  const response = await call(support, 'POST', `/v1/numbers/${number.id}/verification`, {
    outcome: 'approved',
  });
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function awaitingCode(): Promise<NumberView> {
  const number = await verified();
  await gate.atStep(number, 'code', 'customer');
  return read(number.id);
}

describe('the code', () => {
  it('that is right moves the number on; a repeat with its key gets the same answer', async () => {
    const number = await awaitingCode();
    expect(number).toMatchObject({ waitingFor: 'customer', nextAction: { type: 'enter-code' } });
    const code = codeOf(number);
    const spaced = `${code.slice(0, 3)} ${code.slice(3)}`;
    const headers = { 'idempotency-key': newId('op') };
    const first = await enter(number.id, spaced, headers);
    expect(first.statusCode, first.body).toBe(200);
    expect(['register', 'name']).toContain(first.json().facebook.step);
    expect((await enter(number.id, spaced, headers)).json()).toEqual(first.json());
    await gate.atStep(number, 'name');
    expect(problemOf(await enter(number.id, code))).toMatchObject({
      code: 'code_not_awaited',
      detail: expect.stringContaining('at the step "name"'),
    });
    expect(await readMeta(gate.stack.db, number.id)).toMatchObject({ code: null });
  });

  it('cannot be found out from the record of its key', async () => {
    const number = await awaitingCode();
    const code = codeOf(number);
    const headers = { 'idempotency-key': newId('op') };
    expect((await enter(number.id, code, headers)).statusCode).toBe(200);
    const [record] = await gate.stack.db
      .select()
      .from(idempotencyRecords)
      .where(eq(idempotencyRecords.key, headers['idempotency-key']));
    const path = `/v1/numbers/${number.id}/verification-code`;
    const plain = hash('sha256', JSON.stringify(['POST', path, { code }]));
    expect(record?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(record?.fingerprint).not.toBe(plain);
    expect(problemOf(await enter(number.id, wrongCode(number), headers)).code).toBe('idempotency_key_reused');
  });

  it('that is wrong is told at its field, and after five there is a pause', async () => {
    const number = await awaitingCode();
    for (let tries = 0; tries < 5; tries++) {
      const { code, errors } = problemOf(await enter(number.id, wrongCode(number)));
      expect(code).toBe('invalid_request');
      expect(errors).toEqual([
        {
          pointer: '/code',
          code: 'wrong_code',
          detail: expect.stringContaining('not the one that Meta sent'),
        },
      ]);
    }
    const paused = await enter(number.id, codeOf(number));
    expect(problemOf(paused).code).toBe('rate_limited');
    expect(Number(paused.headers['retry-after'])).toBeGreaterThan(3_000);
  });

  it('that has expired is told as such', async () => {
    const number = await awaitingCode();
    gate.simulation.advance(11 * 60_000);
    await changeMetaNumber(gate.stack.db, number.id, { codeSentAt: new Date(Date.now() - 11 * 60_000) });
    const { errors } = problemOf(await enter(number.id, codeOf(number)));
    expect(errors[0]?.detail).toContain('expired');
  });

  it('that Meta does not judge is no wrong code, and the next one may be entered', async () => {
    const number = await awaitingCode();
    gate.refuse('/verify_code', 131042);
    const { code, detail } = problemOf(await enter(number.id, codeOf(number)));
    expect(code).toBe('code_not_awaited');
    expect(detail).toContain('Correct its payment method');
    expect((await enter(number.id, codeOf(number))).statusCode).toBe(200);
  });

  it('of another form is refused before anybody is asked', async () => {
    const number = await awaitingCode();
    for (const code of ['12345', 'abcdef', '1234567'])
      expect(problemOf(await enter(number.id, code)).errors[0]?.pointer).toBe('/code');
  });

  it('is not awaited before support has approved, nor after the number was withdrawn', async () => {
    const number = await submit(call, key);
    expect(problemOf(await enter(number.id, '123456')).code).toBe('code_not_awaited');
    await call(key, 'POST', `/v1/numbers/${number.id}/withdrawal`);
    expect(problemOf(await enter(number.id, '123456')).code).toBe('not_pending');
  });

  it('while another one is checked has to wait', async () => {
    const number = await awaitingCode();
    await changeMetaNumber(gate.stack.db, number.id, { code: 'being checked', codeOperationId: 'op_other' });
    expect(problemOf(await enter(number.id, codeOf(number)))).toMatchObject({
      code: 'code_not_awaited',
      detail: expect.stringContaining('Another code is being checked'),
    });
  });
});

it('a code that Meta was asked about is not kept once more by a repeat', async () => {
  const number = await awaitingCode();
  const { db } = gate.stack;
  const code = { operationId: newId('op'), code: 'encrypted' };
  expect(await keepCode(db, number.id, code)).toBe(true);
  expect(await keepCode(db, number.id, { ...code, operationId: newId('op') })).toBe(false);
  await settleCode(db, { numberId: number.id, codeOperationId: code.operationId }, 'wrong');
  expect(await keepCode(db, number.id, code)).toBe(true);
  expect(await readMeta(db, number.id)).toMatchObject({ code: null, codeOutcome: 'wrong' });
  expect(await keepCode(db, number.id, { ...code, operationId: newId('op') })).toBe(true);
  expect(await keepCode(db, 'num_unknown', code)).toBe(false);
});

describe('another code', () => {
  it('comes by a call or a text message, not twice within a minute', async () => {
    const number = await awaitingCode();
    const soon = await resend(number.id, 'VOICE');
    expect(problemOf(soon).code).toBe('rate_limited');
    expect(Number(soon.headers['retry-after'])).toBeLessThanOrEqual(60);
    await later(number);
    const response = await resend(number.id, 'VOICE', support);
    expect(response.statusCode, response.body).toBe(200);
    await expect
      .poll(async () => (await read(number.id)).facebook)
      .toMatchObject({
        step: 'code',
        turn: 'customer',
        codeMethod: 'VOICE',
      });
    expect(gate.theirs(number).code?.method).toBe('VOICE');
    expect((await enter(number.id, codeOf(number))).statusCode).toBe(200);
    await gate.atStep(number, 'name');
    expect(problemOf(await resend(number.id, 'SMS')).code).toBe('code_not_awaited');
  });
});

describe('what held it up', () => {
  it('goes on when the customer, support or an operator says so', async () => {
    for (const by of [key, support, operator]) {
      gate.refuse('/phone_numbers', 131042);
      const number = await verified();
      await gate.atStep(number, 'add', 'customer');
      expect(await read(number.id)).toMatchObject({
        waitingFor: 'customer',
        nextAction: { type: 'fix-at-facebook' },
        facebook: { problem: { code: 131042, message: expect.stringContaining('payment') } },
      });
      expect((await resume(number.id, by)).statusCode).toBe(200);
      await gate.atStep(number, 'code', 'customer');
      expect(problemOf(await resume(number.id, by)).code).toBe('nothing_to_resume');
    }
  });

  it('by a PIN that is set for the number takes that PIN, encrypted', async () => {
    gate.refuse('/register', 133005);
    const number = await awaitingCode();
    await enter(number.id, codeOf(number));
    await gate.atStep(number, 'register', 'customer');
    const response = await resume(number.id, key, { pin: '424242' });
    expect(response.statusCode, response.body).toBe(200);
    await gate.atStep(number, 'name');
    expect(gate.theirs(number).pin).toBe('424242');
    const { pin } = await readMeta(gate.stack.db, number.id);
    expect(pin).not.toContain('424242');
    expect(await decrypt(secretsOf(gate.stack.config), pin ?? '')).toMatchObject({ text: '424242' });
  });

  it('takes no PIN that nobody asked for', async () => {
    gate.refuse('/phone_numbers', 131042);
    const number = await verified();
    await gate.atStep(number, 'add', 'customer');
    const { errors } = problemOf(await resume(number.id, key, { pin: '424242' }));
    expect(errors).toMatchObject([{ pointer: '/pin', code: 'pin_not_asked' }]);
  });
});

it('what is on its way at Meta is not in the queue; what support has to decide is', async () => {
  const number = await awaitingCode();
  const queued = async () => {
    const { items } = (await call(support, 'GET', '/v1/reviews?stage=facebook&limit=100')).json();
    return (items as { number: NumberView }[]).some((review) => JSON.stringify(review).includes(number.id));
  };
  expect(await queued()).toBe(false);
  await enter(number.id, codeOf(number));
  await gate.atStep(number, 'name');
  expect(await queued()).toBe(false);
  const { workflows, db } = gate.stack;
  await workflows.hear(await readNumber(db, number.id), {
    operationId: newId('op'),
    source: 'poll',
    at: new Date().toISOString(),
    undecided: true,
  });
  await gate.atStep(number, 'name', 'support');
  expect(await queued()).toBe(true);
});
