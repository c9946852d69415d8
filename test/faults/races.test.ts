/** Two people, or one person's repeats, in the same instant through two API processes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workflowId } from '../../contract/messages.ts';
import type { NumberView } from '../../contract/views.ts';
import { readEmails, readEvents, readNumber } from '../support/accepted.ts';
import { call, callOk, type HttpAnswer, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole } from './checks.ts';

/** Rounds of each race, and how many run at a time. */
const ROUNDS = 50;
const AT_ONCE = 10;

let stack: TestStack;
let apis: [ProductProcess, ProductProcess];
let worker: ProductProcess;
let customer: { id: string; key: string; keyId: string };
let sam: { id: string; key: string };
let sasha: { id: string; key: string };

beforeAll(async () => {
  stack = await startStack({ worker: false });
  [customer, sam, sasha] = await Promise.all([
    createAccount(stack.db),
    createStaff(stack.db, 'support'),
    createStaff(stack.db, 'support'),
  ]);
  apis = await Promise.all([startApi(stack.env), startApi(stack.env)]);
  worker = await startWorker(stack.env);
});
afterAll(async () => {
  await Promise.all([...apis, worker].map((one) => one.stop()));
  await stack.close();
});

const approve = { outcome: 'approved' };
const reject = { outcome: 'rejected', reason: 'No such shop' };

type Request = (id: string, api: ProductProcess, send: typeof call) => Promise<HttpAnswer>;
const verification =
  (person: () => { key: string }, body: object): Request =>
  (id, api, send) =>
    send(api, person().key, `POST /v1/numbers/${id}/verification`, body);
const withdrawal: Request = (id, api, send) =>
  send(api, customer.key, `POST /v1/numbers/${id}/withdrawal`, {});

interface Round {
  number: NumberView;
  answers: [HttpAnswer, HttpAnswer];
}

/** Each round submits a number and sends both requests at once, each through the API that is its turn. */
async function race(one: Request, other: Request): Promise<Round[]> {
  const rounds: Round[] = [];
  while (rounds.length < ROUNDS) {
    const numbers = await submitSome();
    rounds.push(...(await sendBoth(numbers, one, other, insist)));
  }
  await expectWhole(stack, idsOf(rounds));
  return rounds;
}

/**
 * The same with the worker away until both requests have looked at the number and told its workflow. A round
 * with a 503 does not count: a slow machine made it wait too long, and a repeat may see another stage.
 */
async function raceAtSameStage(one: Request, other: Request): Promise<Round[]> {
  const rounds: Round[] = [];
  const all: Round[] = [];
  while (rounds.length < ROUNDS) {
    await stack.stopWorker();
    const numbers = await submitSome();
    const sending = sendBoth(numbers, one, other, call);
    await Promise.all(numbers.map(untilBothSent));
    await stack.startWorker();
    const sent = await sending;
    all.push(...sent);
    rounds.push(...sent.filter(({ answers }) => answers.every((answer) => answer.status !== 503)));
  }
  await expectWhole(stack, idsOf(all));
  return rounds;
}

const idsOf = (rounds: Round[]) => rounds.map(({ number }) => number.id);

async function submitSome(): Promise<NumberView[]> {
  const submit = () => callOk(apis[0], customer.key, 'POST /v1/numbers', submission());
  return Promise.all(Array.from({ length: AT_ONCE }, submit));
}

async function sendBoth(
  numbers: NumberView[],
  one: Request,
  other: Request,
  send: typeof call,
): Promise<Round[]> {
  return Promise.all(
    numbers.map(async (number, index) => {
      const [first, second] = index % 2 === 0 ? apis : [apis[1], apis[0]];
      const answers = await Promise.all([one(number.id, first, send), other(number.id, second, send)]);
      return { number, answers };
    }),
  );
}

async function untilBothSent(number: NumberView): Promise<void> {
  const handle = stack.client.workflow.getHandle(workflowId(number));
  await expect
    .poll(
      async () => {
        const { events } = await handle.fetchHistory();
        return events?.filter((event) => event.workflowExecutionSignaledEventAttributes).length;
      },
      { timeout: 10_000, interval: 50 },
    )
    .toBe(2);
}

const EMAILS = {
  approved: ['submitted', 'verified'],
  rejected: ['submitted', 'rejected'],
  withdrawn: ['submitted'],
};

/** Exactly one 200 and one 409 that carries the winner; one event and the winner's emails. */
async function expectOneWinner({ number, answers }: Round): Promise<void> {
  const row = await readNumber(stack.db, number.id);
  expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 409]);
  const [won, lost] = answers[0].status === 200 ? answers : answers.toReversed();
  const stands = row.ending
    ? { outcome: 'withdrawn' as const, ...row.ending }
    : { outcome: row.verification?.outcome ?? 'approved', ...row.verification };
  expect(won?.body).toMatchObject({ id: number.id, status: row.status, revision: 2 });
  expect(['already_decided', 'not_pending']).toContain(lost?.body.code);
  const { type, id } = stands.by ?? {};
  const isCustomer = lost?.body.instance.endsWith('/withdrawal');
  expect(lost?.body.decision).toEqual({
    outcome: stands.outcome,
    by: type === 'support' && isCustomer ? { type, id: null } : { type, id },
    at: stands.at,
  });
  expect((await readEvents(stack.db, number.id)).map((event) => event.type)).toEqual([
    'submitted',
    stands.outcome === 'withdrawn' ? 'withdrawn' : `verification.${stands.outcome}`,
  ]);
  expect((await readEmails(stack.db, number.id)).map((email) => email.kind)).toEqual(EMAILS[stands.outcome]);
}

describe('two people at once: one 200, one 409 with the decision of the other', { timeout: 180_000 }, () => {
  test('approve against reject', async () => {
    const rounds = await race(
      verification(() => sam, approve),
      verification(() => sasha, reject),
    );
    for (const round of rounds) await expectOneWinner(round);
  });

  test('both approve', async () => {
    const rounds = await race(
      verification(() => sam, approve),
      verification(() => sasha, approve),
    );
    for (const round of rounds) {
      await expectOneWinner(round);
      expect(round.answers.find((answer) => answer.status === 409)?.body.code).toBe('already_decided');
    }
  });

  test('reject against withdrawal', async () => {
    const rounds = await race(
      verification(() => sam, reject),
      withdrawal,
    );
    for (const round of rounds) await expectOneWinner(round);
  });
});

test('one person approves twice at once: 200 and 200, decided once', { timeout: 180_000 }, async () => {
  const rounds = await race(
    verification(() => sam, approve),
    verification(() => sam, approve),
  );
  for (const { number, answers } of rounds) {
    expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
    expect((await readEvents(stack.db, number.id)).map((event) => event.type)).toEqual([
      'submitted',
      'verification.approved',
    ]);
  }
});

describe('the same Idempotency-Key 20 times at once', () => {
  const headers = { 'idempotency-key': 'twenty' };

  test('creates one number and answers 201 each time', async () => {
    const body = submission();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        call(apis[index % 2 ? 1 : 0], customer.key, 'POST /v1/numbers', body, headers),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(201));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    const list = await call(
      apis[1],
      customer.key,
      `GET /v1/numbers?mobileNumber=${encodeURIComponent(body.mobileNumber)}`,
    );
    expect(list.body.items).toHaveLength(1);
    await expectWhole(stack, [answers[0]?.body.id]);
  });

  test('is refused with another body', async () => {
    const answer = await call(apis[0], customer.key, 'POST /v1/numbers', submission(), headers);
    expect(answer).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('decides once', async () => {
    const { id } = await callOk(apis[0], customer.key, 'POST /v1/numbers', submission());
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        call(apis[index % 2 ? 1 : 0], sam.key, `POST /v1/numbers/${id}/verification`, approve, headers),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    await expectWhole(stack, [id]);
  });
});

// Last, because it takes the worker away. Whoever looks after an approval sees another stage and may withdraw it.
test('approve against withdrawal of the same stage: one 200, one 409', { timeout: 180_000 }, async () => {
  await worker.stop();
  const rounds = await raceAtSameStage(
    verification(() => sam, approve),
    withdrawal,
  );
  for (const round of rounds) await expectOneWinner(round);
});
