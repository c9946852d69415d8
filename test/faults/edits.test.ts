/** Many edits at once through two API processes, over continue-as-new, an outage and a release. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { workflowId } from '../../contract/messages.ts';
import type { NumberView } from '../../contract/views.ts';
import { readEvents, readNumber } from '../support/accepted.ts';
import { call, callOk, type HttpAnswer, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { expectWhole } from './checks.ts';
import { type StoppableStack, startStoppableStack } from './servers.ts';

vi.setConfig({ testTimeout: 240_000 });

/** Milliseconds; by hand: `OUTAGE_MS=20000 npm test -- test/faults/edits.test.ts`. */
const OUTAGE_MS = Number(process.env['OUTAGE_MS'] ?? 3_000);

let stack: StoppableStack;
let apis: ProductProcess[];
let worker: ProductProcess;
let customer: { key: string };
let support: { key: string };

beforeAll(async () => {
  stack = await startStoppableStack({ MAX_HISTORY: '150' });
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  apis = await Promise.all([startApi(stack.env), startApi(stack.env)]);
  worker = await startWorker(stack.env);
});
afterAll(async () => {
  await Promise.all([...apis, worker].map((one) => one.stop()));
  await stack.close();
});

const apiOf = (index: number) => apis[index % apis.length] as ProductProcess;

async function approved(): Promise<NumberView> {
  const { id } = await callOk(apiOf(0), customer.key, 'POST /v1/numbers', submission());
  const body = { outcome: 'approved' };
  await callOk(apiOf(0), support.key, `POST /v1/numbers/${id}/verification`, body);
  return callOk(apiOf(0), support.key, `POST /v1/numbers/${id}/facebook-decision`, body);
}

const websiteOf = (index: number) => `https://edit-${index}.example`;

/** Sends the edits, `atOnce` at a time; `before` runs as each is about to be sent. */
async function sendEdits(
  id: string,
  options: {
    count: number;
    atOnce: number;
    send: typeof call;
    only?: Set<number>;
    before?: (index: number) => void;
  },
): Promise<Map<number, HttpAnswer>> {
  const answers = new Map<number, HttpAnswer>();
  const queue = Array.from({ length: options.count }, (_, index) => index)
    .filter((index) => options.only?.has(index) ?? true)
    .values();
  const work = async () => {
    for (const index of queue) {
      options.before?.(index);
      const headers = { 'idempotency-key': `${id}-${index}` };
      const body = { website: websiteOf(index) };
      const answer = await options.send(apiOf(index), customer.key, `PATCH /v1/numbers/${id}`, body, headers);
      answers.set(index, answer);
      // Or an outage would refuse all the rest at once.
      if (answer.status === 503) await sleep(1_000);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return answers;
}

/** Each answered edit is in the timeline, at the revision it was told, with its value, once. */
async function expectAnsweredEdits(id: string, answers: Map<number, HttpAnswer>): Promise<void> {
  const edits = (await readEvents(stack.db, id)).filter((event) => event.type === 'edited');
  const savedWebsite = (event: (typeof edits)[number] | undefined) =>
    (event?.data['changes'] as { website: { to: string } } | undefined)?.website.to;
  const answered = [...answers].filter(([, answer]) => answer.status === 200);
  for (const [index, { body }] of answered) {
    expect(body.website).toBe(websiteOf(index));
    const [event, ...more] = edits.filter((one) => savedWebsite(one) === websiteOf(index));
    expect(more).toEqual([]);
    expect(event?.revision).toBe(body.revision);
  }
  expect(new Set(answered.map(([, { body }]) => body.revision)).size).toBe(answered.length);
  // Each change says what it found: the one before it.
  for (const [position, event] of edits.entries()) {
    const { from } = (event.data['changes'] as { website: { from: string | null } }).website;
    expect(from).toBe(savedWebsite(edits[position - 1]) ?? null);
  }
}

test('300 edits, 30 at a time, with PostgreSQL stopped midway: none that was answered is lost', async () => {
  const { id } = await approved();
  let outage: Promise<void> | undefined;
  const answers = await sendEdits(id, {
    count: 300,
    atOnce: 30,
    send: call,
    before(index) {
      if (index === 150) outage ??= interruptPostgres(id);
    },
  });
  await outage;
  // 503 for those that came while it was down; those under way then wait for it.
  expect([200, 503]).toEqual(expect.arrayContaining([...answers.values()].map((answer) => answer.status)));
  await expectWhole(stack, [id]);
  await expectAnsweredEdits(id, answers);

  const refused = new Set([...answers].filter(([, { status }]) => status === 503).map(([index]) => index));
  const again = await sendEdits(id, { count: 300, atOnce: 10, send: insist, only: refused });
  expect([...again.values()].map((answer) => answer.status)).toEqual([...refused].map(() => 200));
  await expectWhole(stack, [id]);
  const events = await readEvents(stack.db, id);
  // Submitted, verified, approved, and each edit once.
  expect(events).toHaveLength(303);
  const row = await readNumber(stack.db, id);
  expect(row.revision).toBe(303);
  expect(events.at(-1)).toMatchObject({ revision: 303, data: { changes: { website: { to: row.website } } } });
  const runs = await countRuns(row);
  expect(runs).toBeGreaterThanOrEqual(4);
});

/** Stops PostgreSQL for a while; the API must have missed it. */
async function interruptPostgres(id: string): Promise<void> {
  await stack.postgres.stop();
  expect((await call(apiOf(0), customer.key, `GET /v1/numbers/${id}`)).status).toBe(503);
  const end = Date.now() + OUTAGE_MS;
  await expect.poll(() => Date.now() >= end, { timeout: OUTAGE_MS + 5_000, interval: 100 }).toBe(true);
  await stack.postgres.start();
}

/** Runs of the number's workflow: one more than it has continued as new. */
async function countRuns(number: Parameters<typeof workflowId>[0]): Promise<number> {
  let runs = 1;
  let runId: string | undefined = (await stack.client.workflow.getHandle(workflowId(number)).describe())
    .runId;
  for (;;) {
    const { events } = await stack.client.workflow.getHandle(workflowId(number), runId).fetchHistory();
    runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
    if (runId === undefined) return runs;
    runs += 1;
  }
}

test('a release in the middle: each edit is answered and in the timeline, or refused', async () => {
  const { id } = await approved();
  let release: Promise<HttpAnswer> | undefined;
  const answers = await sendEdits(id, {
    count: 120,
    atOnce: 30,
    send: insist,
    before(index) {
      if (index === 60) release ??= insist(apiOf(1), customer.key, `DELETE /v1/numbers/${id}`);
    },
  });
  expect((await release)?.status).toBe(204);
  await expectWhole(stack, [id]);
  await expectAnsweredEdits(id, answers);
  const refused = [...answers.values()].filter((answer) => answer.status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expect(answer).toMatchObject({ status: 409, body: { code: 'not_approved' } });
  const events = await readEvents(stack.db, id);
  expect(events.at(-1)?.type).toBe('released');
  // Nothing was taken without an answer.
  expect(events.filter((event) => event.type === 'edited')).toHaveLength(answers.size - refused.length);
});
