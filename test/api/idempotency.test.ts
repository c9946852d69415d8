import { randomUUID } from 'node:crypto';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import {
  answerRequest,
  claimRequest,
  deleteExpiredIdempotencyRecords,
  findRequest,
  releaseRequest,
} from '../../db/idempotency.ts';
import { emails, idempotencyRecords, numberEvents, numbers } from '../../db/schema.ts';
import { freshNumber } from '../support/accepted.ts';
import { waitingForLocks } from '../support/database.ts';
import { submission } from '../support/http.ts';
import { createAccount } from '../support/stack.ts';
import {
  caller,
  MAIL_DOWN,
  problemOf,
  startTestApi,
  submit,
  TEMPORAL_DOWN,
  type TestApi,
} from './harness.ts';

let api: TestApi;
let key: string;
let accountId: string;

beforeAll(async () => {
  api = await startTestApi();
  ({ key, id: accountId } = await createAccount(api.db));
});
afterAll(() => api.close());

const post = (body: unknown, idempotencyKey: string, call = api.call) =>
  call(key, 'POST', '/v1/numbers', body, { 'idempotency-key': idempotencyKey });

/** Holds a record as the transaction that writes it does. */
const holdRecord = (idempotencyKey: string) =>
  hold(sql`select 1 from idempotency_records where key = ${idempotencyKey} for update`);

/** Holds the locks that a statement takes. */
async function hold(statement: SQL) {
  const held = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const done = api.db.transaction(async (tx) => {
    await tx.execute(statement);
    held.resolve();
    await ended.promise;
  });
  await Promise.race([held.promise, done]);
  return {
    release: () => {
      ended.resolve();
      return done;
    },
  };
}

const waiting = () => waitingForLocks(api.db);

describe('a submission', () => {
  it('sent 20 times at once through two processes is one number, and 20 times 201', async () => {
    const second = await buildApp({
      db: api.db,
      config: api.config,
      workflows: TEMPORAL_DOWN,
      mail: MAIL_DOWN,
    });
    const calls = [api.call, caller(second)];
    const body = submission();
    const idempotencyKey = randomUUID();
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => post(body, idempotencyKey, calls[i % 2])),
    );
    expect(responses.map((response) => response.statusCode)).toEqual(Array(20).fill(201));
    expect(new Set(responses.map((response) => response.body)).size).toBe(1);
    expect(new Set(responses.map((response) => response.headers['location'])).size).toBe(1);
    expect(new Set(responses.map((response) => response.headers['etag']))).toEqual(new Set(['"1"']));
    const { id } = responses[0]?.json() ?? {};
    expect(
      await api.db.select().from(numbers).where(eq(numbers.mobileNumber, body.mobileNumber)),
    ).toHaveLength(1);
    expect(await api.db.select().from(numberEvents).where(eq(numberEvents.numberId, id))).toHaveLength(1);
    expect(await api.db.select().from(emails).where(eq(emails.numberId, id))).toHaveLength(1);
    await second.close();
  });

  it('is the same request in another order of fields, and another one with another value', async () => {
    const body = submission();
    const idempotencyKey = randomUUID();
    const first = await post(body, idempotencyKey);
    const reversed = Object.fromEntries(Object.entries(body).reverse());
    expect((await post(reversed, idempotencyKey)).json()).toEqual(first.json());
    const other = await post({ ...body, displayName: 'Another' }, idempotencyKey);
    expect(other.statusCode).toBe(422);
    expect(problemOf(other).code).toBe('idempotency_key_reused');
  });

  it('keeps keys of accounts apart, and routes of one', async () => {
    const idempotencyKey = randomUUID();
    const { id } = (await post(submission(), idempotencyKey)).json();
    const stranger = await createAccount(api.db);
    const headers = { 'idempotency-key': idempotencyKey };
    const foreign = await api.call(stranger.key, 'POST', '/v1/numbers', submission(), headers);
    expect(foreign.statusCode).toBe(201);
    expect(foreign.json().id).not.toBe(id);
    const elsewhere = await api.call(key, 'POST', `/v1/numbers/${id}/resubmission`, {}, headers);
    expect(problemOf(elsewhere).code).toBe('idempotency_key_reused');
  });

  it('that was refused is refused again, also when the number is free by then', async () => {
    const taken = await submit(api.call, key);
    const body = submission({ mobileNumber: taken.mobileNumber });
    const idempotencyKey = randomUUID();
    const first = await post(body, idempotencyKey);
    expect(problemOf(first)).toMatchObject({ code: 'number_taken', numberId: taken.id });
    await api.db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, taken.id));
    const again = await post(body, idempotencyKey);
    expect(problemOf(again)).toMatchObject({ code: 'number_taken', numberId: taken.id });
    expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect((await post(body, randomUUID())).statusCode).toBe(201);
  });

  it('that failed as a whole leaves its key free', async () => {
    const idempotencyKey = randomUUID();
    const body = submission({ displayName: 'x' });
    expect((await post(body, idempotencyKey)).statusCode).toBe(422);
    expect((await post({ ...body, displayName: 'Right' }, idempotencyKey)).statusCode).toBe(201);
  });

  it('waits for the first to end, and then has its answer', async () => {
    const body = submission();
    const idempotencyKey = randomUUID();
    const first = await post(body, idempotencyKey);
    const lock = await holdRecord(idempotencyKey);
    const repeat = post(body, idempotencyKey);
    await expect.poll(waiting).toBe(1);
    await lock.release();
    expect((await repeat).json()).toEqual(first.json());
  });

  it('says that the first still runs when that takes too long', async () => {
    const body = submission();
    const idempotencyKey = randomUUID();
    await post(body, idempotencyKey);
    const lock = await holdRecord(idempotencyKey);
    const repeat = await post(body, idempotencyKey);
    await lock.release();
    expect(repeat.statusCode).toBe(409);
    expect(problemOf(repeat).code).toBe('idempotency_in_flight');
    expect(Number(repeat.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('counts for 24 hours', async () => {
    const mobileNumber = freshNumber();
    const body = submission({ mobileNumber });
    const idempotencyKey = randomUUID();
    const first = (await post(body, idempotencyKey)).json();
    const mine = and(eq(idempotencyRecords.scope, accountId), eq(idempotencyRecords.key, idempotencyKey));
    await api.db.update(idempotencyRecords).set({ createdAt: sql`now() - interval '25 hours'` }).where(mine);
    await api.db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, first.id));
    const later = await post(body, idempotencyKey);
    expect(later.statusCode).toBe(201);
    expect(later.json().id).not.toBe(first.id);
  });
});

describe('a write through a workflow', () => {
  const request = () => ({ scope: accountId, key: randomUUID(), fingerprint: 'f' });
  const answer = { status: 200, headers: { etag: '"2"' }, body: { id: 'num_1' } };

  it('is claimed once, answered once, and found again', async () => {
    const keyed = request();
    const claims = await Promise.all(Array.from({ length: 8 }, () => claimRequest(api.db, keyed, 10_000)));
    expect(claims.filter((claim) => claim.kind === 'mine')).toHaveLength(1);
    expect(claims.filter((claim) => claim.kind === 'running')).toHaveLength(7);
    expect(await answerRequest(api.db, keyed, answer)).toEqual(answer);
    expect(await answerRequest(api.db, keyed, { ...answer, status: 409 })).toEqual(answer);
    expect(await findRequest(api.db, keyed)).toEqual({ kind: 'answered', answer });
    expect(await claimRequest(api.db, keyed, 10_000)).toEqual({ kind: 'answered', answer });
    expect(await claimRequest(api.db, { ...keyed, fingerprint: 'g' }, 10_000)).toEqual({ kind: 'reused' });
  });

  it('whose process died is taken over with the same operation', async () => {
    const keyed = request();
    const first = await claimRequest(api.db, keyed, -1);
    const second = await claimRequest(api.db, keyed, 10_000);
    expect(first).toMatchObject({ kind: 'mine', resumed: false });
    expect(second).toMatchObject({ kind: 'mine', resumed: true });
    expect('operationId' in second && second.operationId).toBe('operationId' in first && first.operationId);
    expect(await claimRequest(api.db, { ...keyed, fingerprint: 'g' }, 10_000)).toEqual({ kind: 'reused' });
  });

  it('that could not be carried out is carried on by the same key', async () => {
    const { id } = await submit(api.call, key);
    const idempotencyKey = randomUUID();
    const withdraw = () =>
      api.call(key, 'POST', `/v1/numbers/${id}/withdrawal`, undefined, { 'idempotency-key': idempotencyKey });
    const operation = async () =>
      (await api.db.select().from(idempotencyRecords).where(eq(idempotencyRecords.key, idempotencyKey)))[0];
    const down = await withdraw();
    expect(down.statusCode).toBe(503);
    expect(down.headers['retry-after']).toBeDefined();
    const before = await operation();
    expect(before).toMatchObject({ status: null, lockedUntil: null });
    expect((await withdraw()).statusCode).toBe(503);
    expect((await operation())?.operationId).toBe(before?.operationId);
  });

  it('that outlived its lease is carried out once: the try that comes second gets the answer of the first', async () => {
    const { id } = await submit(api.call, key);
    const comment = (idempotencyKey: string) =>
      api.call(
        key,
        'POST',
        `/v1/numbers/${id}/comments`,
        { text: 'Hello' },
        { 'idempotency-key': idempotencyKey },
      );
    const before = randomUUID();
    await comment(before);
    const [like] = await api.db.select().from(idempotencyRecords).where(eq(idempotencyRecords.key, before));
    // A try that has died, so that those which follow look for what it has done.
    const { scope = '', fingerprint = '' } = like ?? {};
    const idempotencyKey = randomUUID();
    await claimRequest(api.db, { scope, key: idempotencyKey, fingerprint }, -1);
    // Each stops where it looks for that, then where it stores its answer.
    const timeline = await hold(sql`lock table number_events`);
    const slow = comment(idempotencyKey);
    await expect.poll(waiting).toBe(1);
    await api.db.update(idempotencyRecords).set({ lockedUntil: sql`now()` });
    const other = comment(idempotencyKey);
    await expect.poll(waiting).toBe(2);
    const record = await holdRecord(idempotencyKey);
    await timeline.release();
    await expect.poll(waiting).toBe(2);
    await record.release();
    const answers = await Promise.all([slow, other]);
    expect(answers.map((response) => response.statusCode)).toEqual([201, 201]);
    expect(answers[0]?.json()).toEqual(answers[1]?.json());
    const events = await api.db.select().from(numberEvents).where(eq(numberEvents.numberId, id));
    expect(events.map((event) => event.type)).toEqual(['submitted', 'comment', 'comment']);
  });

  it('gives up its lease at once when it failed', async () => {
    const keyed = request();
    await claimRequest(api.db, keyed, 60_000);
    await releaseRequest(api.db, keyed);
    expect(await claimRequest(api.db, keyed, 60_000)).toMatchObject({ kind: 'mine', resumed: true });
  });
});

it('deletes records that no longer count, and only those', async () => {
  const old = { scope: 'org_old', key: 'old', fingerprint: 'f', operationId: 'op_1' };
  await api.db.insert(idempotencyRecords).values([
    { ...old, createdAt: new Date(Date.now() - 25 * 3_600_000) },
    { ...old, key: 'new' },
  ]);
  expect(await deleteExpiredIdempotencyRecords(api.db)).toBe(1);
  const left = await api.db.select().from(idempotencyRecords).where(eq(idempotencyRecords.scope, 'org_old'));
  expect(left.map((record) => record.key)).toEqual(['new']);
});
