/** The stream of changes through two API processes, with the workflows that make the changes. */
import { connect, type Socket } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { numbers } from '../../db/schema.ts';
import { acceptNumber } from '../support/accepted.ts';
import { callOk, submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { type Listening, listen } from '../support/stream.ts';

let stack: TestStack;
let apis: [ProductProcess, ProductProcess];
let customer: Awaited<ReturnType<typeof createAccount>>;
let support: Awaited<ReturnType<typeof createStaff>>;
const listening: Listening[] = [];

beforeAll(async () => {
  stack = await startStack();
  [customer, support] = await Promise.all([createAccount(stack.db), createStaff(stack.db, 'support')]);
  apis = await Promise.all([startApi(stack.env), startApi(stack.env)]);
});
afterEach(() => {
  for (const one of listening.splice(0)) one.close();
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.stop()));
  await stack.close();
});

async function open(...given: Parameters<typeof listen>): Promise<Listening> {
  const one = await listen(...given);
  listening.push(one);
  return one;
}
const statusesOf = (told: Listening['told'], id: string) =>
  told.filter(({ data }) => data.id === id).map(({ data }) => data.status);

describe('whatever process a client listens to', () => {
  it('it hears of what is done through the other, and by the workflow', async () => {
    const streams = await Promise.all(
      apis.flatMap((api) => [open(api, customer.key), open(api, support.key)]),
    );
    const { id } = await callOk(apis[0], customer.key, 'POST /v1/numbers', submission());
    await callOk(apis[1], support.key, `POST /v1/numbers/${id}/verification`, { outcome: 'approved' });
    await callOk(apis[0], support.key, `POST /v1/numbers/${id}/facebook-decision`, { outcome: 'approved' });
    await callOk(apis[1], customer.key, `PATCH /v1/numbers/${id}`, { address: '2 Long Street' });
    for (const stream of streams) {
      const told = await stream.until((all) =>
        all.some(({ data }) => data.id === id && data.address !== null),
      );
      // Quick changes may be told as one, but never an older one after a newer.
      const revisions = told.filter(({ data }) => data.id === id).map(({ data }) => data.revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      expect(statusesOf(told, id).at(-1)).toBe('APPROVED');
    }
  });

  it('it goes on at the other from where it was', async () => {
    const [one, other] = apis;
    const ids: string[] = [];
    let stream = await open(one, customer.key);
    for (const api of [other, one, other, one]) {
      const { id } = await acceptNumber(stack.db, customer.id);
      ids.push(id);
      await stream.until((told) => told.some(({ data }) => data.id === id));
      stream.close();
      const { id: meanwhile } = await acceptNumber(stack.db, customer.id);
      ids.push(meanwhile);
      stream = await open(api, customer.key, { headers: { 'last-event-id': stream.lastId() } });
      await stream.until((told) => told.some(({ data }) => data.id === meanwhile));
      expect(stream.told.map(({ data }) => data.id)).toEqual([meanwhile]);
    }
  });
});

it('a stream outlives lost connections to the database', async () => {
  const stream = await open(apis[0], customer.key);
  await stack.db.execute(sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'api' and datname = current_database()`);
  const { id } = await acceptNumber(stack.db, customer.id);
  await stream.until((told) => told.some(({ data }) => data.id === id));
});

it('a quiet stream outlives the deadline of requests, and shows that it lives', async () => {
  const stream = await open(apis[0], customer.key);
  const places = new Set([stream.lastId()]);
  const { id } = await acceptNumber(stack.db, customer.id);
  await stream.until((told) => told.some(({ data }) => data.id === id));
  // Two of them come after more than 15 s, where any other answer would have been given up.
  await expect
    .poll(() => places.add(stream.lastId()).size, { timeout: 40_000, interval: 500 })
    .toBeGreaterThanOrEqual(4);
  const { id: next } = await acceptNumber(stack.db, customer.id);
  await stream.until((told) => told.some(({ data }) => data.id === next));
});

it('a client that reads nothing is cut off, takes no more memory meanwhile and can go on; others do not notice', async () => {
  const api = apis[0];
  const description = 'x'.repeat(256);
  for (let n = 0; n < 400; n++) await acceptNumber(stack.db, customer.id);
  await stack.db
    .update(numbers)
    .set({ businessDescription: description, address: description })
    .where(eq(numbers.accountId, customer.id));
  const change = () =>
    stack.db
      .update(numbers)
      .set({ revision: sql`${numbers.revision} + 1` })
      .where(eq(numbers.accountId, customer.id));
  const reader = await open(api, customer.key);
  const place = reader.lastId();
  const figure = async (pattern: RegExp) =>
    Number(pattern.exec(await (await fetch(api.metricsUrl)).text())?.[1] ?? 0);
  const silent = Array.from({ length: 10 }, () => openSilently(api, customer.key));
  let most = 0;
  for (let round = 1; (await figure(/^streams_ended_total\{reason="unread"\} (.+)$/m)) < 10; round++) {
    await change();
    await reader.until((told) => told.length >= 400 * round);
    most = Math.max(most, await figure(/^streams_unread_bytes (.+)$/m));
  }
  // Two writes of 64 KiB for each, whatever is told meanwhile.
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(silent.length * 128 * 1024);
  for (const socket of silent) socket.destroy();

  const again = await open(api, customer.key, { headers: { 'last-event-id': place } });
  const heard = (told: Listening['told']) => new Set(told.map(({ data }) => data.id)).size;
  await again.until((told) => heard(told) >= 400);
}, 180_000);

it('a process that stops ends its streams and is gone in time, whoever does not read', async () => {
  const api = await startApi(stack.env);
  const streams = await Promise.all([open(api, customer.key), open(api, support.key)]);
  const silent = openSilently(api, support.key);
  expect(await api.stop()).toBe(0);
  await Promise.all(streams.map(({ ended }) => ended));
  expect(api.log()).not.toContain('cut off');
  silent.destroy();
});

/** Asks for the stream and does not read a byte of it. */
function openSilently(api: ProductProcess, key: string): Socket {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname, () =>
    socket.write(`GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`),
  );
  return socket.pause().on('error', () => {});
}
