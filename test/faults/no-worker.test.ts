/** With no worker running: reads and submissions work, the rest says so in time, and its key finds it later. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readEvents } from '../support/accepted.ts';
import { call, callOk, type HttpAnswer, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole } from './checks.ts';

vi.setConfig({ testTimeout: 150_000 });

let stack: TestStack;
let api: ProductProcess;
let customer: { key: string };
let support: { key: string };

beforeAll(async () => {
  stack = await startStack();
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  api = await startApi(stack.env);
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

const approve = { outcome: 'approved' };
const submit = () => callOk(api, customer.key, 'POST /v1/numbers', submission());
async function approved() {
  const { id } = await submit();
  await callOk(api, support.key, `POST /v1/numbers/${id}/verification`, approve);
  return callOk(api, support.key, `POST /v1/numbers/${id}/facebook-decision`, approve);
}

function expectUnavailable(answer: HttpAnswer): void {
  expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
}

describe('no worker', () => {
  test('is told for what needs one, and the same key finds the result once there is one', async () => {
    const [verified, withdrawn, edited, released] = await Promise.all([
      submit(),
      submit(),
      approved(),
      approved(),
    ]);
    await expectWhole(stack, [verified.id, withdrawn.id, edited.id, released.id]);
    await stack.stopWorker();

    const submitted = await submit();
    expect(await callOk(api, customer.key, `GET /v1/numbers/${submitted.id}`)).toEqual(submitted);
    const list = await call(api, customer.key, 'GET /v1/numbers');
    expect(list.body.items).toHaveLength(5);
    expect((await call(api, support.key, 'GET /v1/reviews')).body.items).toHaveLength(3);
    expect((await call(api, customer.key, `GET /v1/numbers/${edited.id}/events`)).status).toBe(200);

    const asked: [string, Parameters<typeof call>[2], unknown][] = [
      [support.key, `POST /v1/numbers/${verified.id}/verification`, approve],
      [customer.key, `POST /v1/numbers/${withdrawn.id}/withdrawal`, {}],
      [customer.key, `PATCH /v1/numbers/${edited.id}`, { website: 'https://later.example' }],
      [customer.key, `DELETE /v1/numbers/${released.id}`, undefined],
    ];
    const send = (send: typeof call) =>
      Promise.all(
        asked.map(([key, request, body], index) =>
          send(api, key, request, body, { 'idempotency-key': `no-worker-${index}` }),
        ),
      );
    for (const answer of await send(call)) expectUnavailable(answer);

    await stack.startWorker();
    const [verification, withdrawal, edit, release] = await send(insist);
    expect(verification).toMatchObject({ status: 200, body: { status: 'PENDING_FACEBOOK_APPROVAL' } });
    expect(withdrawal).toMatchObject({ status: 200, body: { status: 'WITHDRAWN' } });
    expect(edit).toMatchObject({ status: 200, body: { website: 'https://later.example', revision: 4 } });
    expect(release?.status).toBe(204);
    await expectWhole(stack, [submitted.id, verified.id, withdrawn.id, edited.id, released.id]);
    const events = await Promise.all(
      [verified, withdrawn, edited, released].map(({ id }) => readEvents(stack.db, id)),
    );
    expect(events.map((of) => of.at(-1)?.type)).toEqual([
      'verification.approved',
      'withdrawn',
      'edited',
      'released',
    ]);
    expect(events.map((of) => of.length)).toEqual([2, 2, 4, 4]);
  });
});
