/** PostgreSQL and Temporal stopped for a while and started again, under a running API and worker. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readNumber } from '../support/accepted.ts';
import { call, callOk, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { expectWhole } from './checks.ts';
import { type StoppableStack, startStoppableStack } from './servers.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Milliseconds; by hand: `OUTAGE_MS=30000 npm test -- test/faults/outages.test.ts`. */
const OUTAGE_MS = Number(process.env['OUTAGE_MS'] ?? 4_000);

let stack: StoppableStack;
let api: ProductProcess;
let worker: ProductProcess;
let customer: { key: string };
let support: { key: string };
/** Numbers that are in the middle of their lives when an outage comes. */
const ids: string[] = [];

beforeAll(async () => {
  stack = await startStoppableStack();
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  [api, worker] = await Promise.all([startApi(stack.env), startWorker(stack.env)]);
});
afterAll(async () => {
  await Promise.all([api.stop(), worker.stop()]);
  await stack.close();
});

const approve = { outcome: 'approved' };
const readyz = async () => (await fetch(`${api.url}/readyz`)).status;

async function submit(): Promise<string> {
  const { id } = await callOk(api, customer.key, 'POST /v1/numbers', submission());
  ids.push(id);
  return id;
}

/** Sends decisions all along the outage; each client insists with its key. */
async function decideThrough(outage: () => Promise<void>): Promise<void> {
  const pending = await Promise.all(Array.from({ length: 10 }, submit));
  const decided = pending.map((id) =>
    insist(api, support.key, `POST /v1/numbers/${id}/verification`, approve),
  );
  await outage();
  for (const answer of await Promise.all(decided)) {
    expect(answer).toMatchObject({ status: 200, body: { status: 'PENDING_FACEBOOK_APPROVAL' } });
  }
}

async function pass(): Promise<void> {
  const end = Date.now() + OUTAGE_MS;
  await expect.poll(() => Date.now() >= end, { timeout: OUTAGE_MS + 5_000, interval: 100 }).toBe(true);
}

test('PostgreSQL is stopped and started again', async () => {
  const [left] = await Promise.all([submit()]);
  await decideThrough(async () => {
    await stack.postgres.stop();
    const read = await call(api, customer.key, `GET /v1/numbers/${left}`);
    expect(read).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(read.headers.get('retry-after')).not.toBeNull();
    const write = await call(api, customer.key, 'POST /v1/numbers', submission());
    expect(write).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await readyz()).toBe(503);
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    await pass();
    await stack.postgres.start();
  });
  await expect.poll(readyz, { timeout: 20_000 }).toBe(200);
  await submit();
  await expectWhole(stack, ids);
});

test('Temporal is stopped and started again: submissions are taken meanwhile', async () => {
  const taken: string[] = [];
  const left = await submit();
  await decideThrough(async () => {
    await stack.temporal.stop();
    taken.push(await submit(), await submit());
    expect((await callOk(api, customer.key, `GET /v1/numbers/${left}`)).status).toBe('PENDING_VERIFICATION');
    const decision = await call(api, support.key, `POST /v1/numbers/${left}/verification`, approve);
    expect(decision).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(decision.headers.get('retry-after')).not.toBeNull();
    expect(await readyz()).toBe(200);
    await pass();
    await stack.temporal.start();
  });
  for (const id of taken) {
    await expect
      .poll(async () => (await readNumber(stack.db, id)).startedAttempt, { timeout: 30_000 })
      .toBe(1);
  }
  await expectWhole(stack, ids);
});

test('the same processes ran all along, and go on', async () => {
  const { id } = await callOk(api, customer.key, 'POST /v1/numbers', submission());
  await callOk(api, support.key, `POST /v1/numbers/${id}/verification`, approve);
  expect(await callOk(api, support.key, `POST /v1/numbers/${id}/facebook-decision`, approve)).toMatchObject({
    status: 'APPROVED',
  });
  expect(await api.stop(), api.log()).toBe(0);
  expect(await worker.stop(), worker.log()).toBe(0);
});
