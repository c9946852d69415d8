/** What the database decides while Temporal is down: acceptance, resubmission, who holds a number. */
import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../contract/number.ts';
import { emails, numberEvents, numbers } from '../../db/schema.ts';
import { freshNumber } from '../support/accepted.ts';
import { submission } from '../support/http.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let other: Awaited<ReturnType<typeof createAccount>>;

beforeAll(async () => {
  api = await startTestApi({
    MAIL_FROM: 'Numbers <no-reply@numbers.example>',
    VERIFICATION_DUE_HOURS: '12',
    WORKING_HOURS: '00:00-12:00',
  });
  account = await createAccount(api.db);
  other = await createAccount(api.db, 'Other');
});
afterAll(() => api.close());

const REJECTION: Decision = {
  decisionId: 'op_rejection',
  outcome: 'rejected',
  reason: 'The address is not yours',
  code: null,
  fields: ['address'],
  by: { type: 'support', id: 'usr_1' },
  at: '2026-11-03T10:00:00.000Z',
};

/** Rejects as the workflow does. */
async function reject(id: string): Promise<void> {
  await api.db
    .update(numbers)
    .set({
      status: 'REJECTED',
      revision: 2,
      verification: REJECTION,
      facebookDecision: { ...REJECTION, outcome: 'approved' },
      decidedAt: REJECTION.at,
      waitingSince: null,
      dueAt: null,
    })
    .where(eq(numbers.id, id));
  await api.db.insert(numberEvents).values({
    id: `evt_${id}`,
    numberId: id,
    attempt: 1,
    revision: 2,
    type: 'verification.rejected',
    at: new Date(REJECTION.at),
    actor: REJECTION.by,
    operationId: REJECTION.decisionId,
  });
}

const eventsOf = (id: string) =>
  api.db.select().from(numberEvents).where(eq(numberEvents.numberId, id)).orderBy(numberEvents.seq);
const emailsOf = (id: string) =>
  api.db.select().from(emails).where(eq(emails.numberId, id)).orderBy(emails.seq);

describe('a submission', () => {
  it('is written whole: number, event, receipt; and read at once', async () => {
    const before = Date.now();
    const response = await api.call(
      account.key,
      'POST',
      '/v1/numbers',
      submission({ address: 'Via Dante 1' }),
    );
    const number = response.json();
    expect(response.headers['location']).toBe(`/v1/numbers/${number.id}`);
    expect(response.headers['etag']).toBe('"1"');
    expect(number).toMatchObject({
      accountId: account.id,
      status: 'PENDING_VERIFICATION',
      waitingFor: 'support',
      attempt: 1,
      revision: 1,
      address: 'Via Dante 1',
      rejection: null,
      imageUrl: null,
      qualityRating: null,
      messagingLimit: null,
      decidedAt: null,
      submittedBy: { type: 'customer', id: account.keyId },
    });
    // A whole day's working time: in the morning as much later as it is now, in the afternoon tomorrow at noon.
    const noon = new Date(number.submittedAt).setUTCHours(12, 0, 0, 0);
    const tomorrow = Date.parse(number.submittedAt) + 24 * 3_600_000;
    expect(Date.parse(number.nextAction.dueAt)).toBe(Math.min(tomorrow, noon + 24 * 3_600_000));
    expect(Date.parse(number.submittedAt)).toBeGreaterThanOrEqual(before - 1);
    expect((await api.call(account.key, 'GET', `/v1/numbers/${number.id}`)).json()).toEqual(number);
    expect((await api.call(account.key, 'GET', '/v1/numbers?limit=1')).json().items).toEqual([number]);
    expect(await eventsOf(number.id)).toMatchObject([
      { type: 'submitted', revision: 1, attempt: 1, operationId: expect.stringMatching(/^op_/) },
    ]);
    expect(await emailsOf(number.id)).toMatchObject([
      { kind: 'submitted', state: 'unsent', messageId: `${number.id}.1.submitted.1@numbers.example` },
    ]);
  });

  it('of one number by two accounts at once is taken exactly once', async () => {
    for (let round = 0; round < 10; round++) {
      const body = submission();
      const responses = await Promise.all(
        [account, other, account, other].map(({ key }) => api.call(key, 'POST', '/v1/numbers', body)),
      );
      expect(responses.map((response) => response.statusCode).sort()).toEqual([201, 409, 409, 409]);
      const winner = responses.find((response) => response.statusCode === 201)?.json();
      for (const response of responses.filter((one) => one.statusCode === 409)) {
        const problem = problemOf(response);
        expect(problem.code).toBe('number_taken');
        const own = responses.indexOf(response) % 2 === (winner.accountId === account.id ? 0 : 1);
        expect(problem['numberId']).toBe(own ? winner.id : undefined);
      }
      const rows = await api.db.select().from(numbers).where(eq(numbers.mobileNumber, body.mobileNumber));
      expect(rows).toHaveLength(1);
      expect(await eventsOf(winner.id)).toHaveLength(1);
    }
  });

  it.each(['REJECTED', 'WITHDRAWN', 'RELEASED'] as const)('is free again once %s', async (status) => {
    const { id, mobileNumber } = await submit(api.call, account.key);
    await api.db.update(numbers).set({ status }).where(eq(numbers.id, id));
    expect((await submit(api.call, other.key, { mobileNumber })).id).not.toBe(id);
  });

  it.each(['PENDING_FACEBOOK_APPROVAL', 'APPROVED'] as const)('is held while %s', async (status) => {
    const { id, mobileNumber } = await submit(api.call, account.key);
    await api.db.update(numbers).set({ status }).where(eq(numbers.id, id));
    const again = await api.call(account.key, 'POST', '/v1/numbers', submission({ mobileNumber }));
    expect(problemOf(again)).toMatchObject({ code: 'number_taken', numberId: id });
    const foreign = await api.call(other.key, 'POST', '/v1/numbers', submission({ mobileNumber }));
    expect(foreign.body).not.toContain(id);
  });
});

describe('a resubmission', () => {
  const resubmit = (id: string, body?: unknown, key = account.key) =>
    api.call(key, 'POST', `/v1/numbers/${id}/resubmission`, body);

  it('is the next attempt of the same number, with its own receipt', async () => {
    const submitted = await submit(api.call, account.key, { address: 'Old', website: 'https://example.com' });
    await reject(submitted.id);
    const response = await resubmit(submitted.id, {
      address: 'New',
      website: '',
      displayName: 'Widgets number',
    });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers['etag']).toBe('"3"');
    expect(response.json()).toMatchObject({
      id: submitted.id,
      mobileNumber: submitted.mobileNumber,
      status: 'PENDING_VERIFICATION',
      attempt: 2,
      revision: 3,
      address: 'New',
      website: null,
      rejection: null,
      decidedAt: null,
      nextAction: { type: 'verify' },
    });
    const [row] = await api.db.select().from(numbers).where(eq(numbers.id, submitted.id));
    expect(row).toMatchObject({ verification: null, facebookDecision: null, ending: null });
    const events = await eventsOf(submitted.id);
    expect(events.map((event) => [event.type, event.attempt, event.revision])).toEqual([
      ['submitted', 1, 1],
      ['verification.rejected', 1, 2],
      ['resubmitted', 2, 3],
    ]);
    expect(events.at(-1)?.data).toEqual({
      changes: { address: { from: 'Old', to: 'New' }, website: { from: 'https://example.com', to: null } },
    });
    const receipts = (await emailsOf(submitted.id)).map((email) => email.messageId);
    expect(receipts).toEqual([1, 2].map((n) => `${submitted.id}.${n}.submitted.1@numbers.example`));
  });

  it('needs no body, and is taken once', async () => {
    const { id } = await submit(api.call, account.key);
    await reject(id);
    const responses = await Promise.all([resubmit(id), resubmit(id), resubmit(id, {})]);
    expect(responses.map((response) => response.statusCode).sort()).toEqual([200, 409, 409]);
    const refused = responses.find((response) => response.statusCode === 409);
    expect(refused && problemOf(refused).code).toBe('not_rejected');
    expect(await eventsOf(id)).toHaveLength(3);
  });

  it('is refused when somebody else has the number by then', async () => {
    const { id, mobileNumber } = await submit(api.call, account.key);
    await reject(id);
    await submit(api.call, other.key, { mobileNumber });
    const response = await resubmit(id, { address: 'New' });
    const problem = problemOf(response);
    expect(problem.code).toBe('number_taken');
    expect(problem).not.toHaveProperty('numberId');
    expect((await api.call(account.key, 'GET', `/v1/numbers/${id}`)).json()).toMatchObject({
      status: 'REJECTED',
      attempt: 1,
      address: null,
    });
    expect(await eventsOf(id)).toHaveLength(2);
  });

  it('races a submission of the same number: one of them gets it', async () => {
    for (let round = 0; round < 10; round++) {
      const mobileNumber = freshNumber();
      const { id } = await submit(api.call, account.key, { mobileNumber });
      await reject(id);
      const [again, foreign] = await Promise.all([
        resubmit(id),
        api.call(other.key, 'POST', '/v1/numbers', submission({ mobileNumber })),
      ]);
      const statuses = [again.statusCode, foreign.statusCode];
      expect([
        [200, 409],
        [409, 201],
      ]).toContainEqual(statuses);
      const live = await api.db
        .select()
        .from(numbers)
        .where(and(eq(numbers.mobileNumber, mobileNumber), eq(numbers.status, 'PENDING_VERIFICATION')));
      expect(live).toHaveLength(1);
    }
  });

  it('judges its fields like a submission', async () => {
    const { id } = await submit(api.call, account.key);
    await reject(id);
    const response = await resubmit(id, {
      displayName: null,
      incomingUrl: 'https://10.0.0.1/',
      imageId: 'x',
    });
    const pointers = problemOf(response).errors.map((error) => error.pointer);
    expect(new Set(pointers)).toEqual(new Set(['/displayName', '/imageId']));
    const unsafe = await resubmit(id, { incomingUrl: 'https://10.0.0.1/' });
    expect(problemOf(unsafe).errors).toMatchObject([{ pointer: '/incomingUrl', code: 'unsafe_target' }]);
  });
});

it('answers 503 with Retry-After to what needs a workflow', async () => {
  const { key } = await createStaff(api.db, 'support');
  const { id } = await submit(api.call, account.key);
  const decided = await api.call(key, 'POST', `/v1/numbers/${id}/verification`, { outcome: 'approved' });
  const withdrawn = await api.call(account.key, 'POST', `/v1/numbers/${id}/withdrawal`);
  await api.db.update(numbers).set({ status: 'APPROVED' }).where(eq(numbers.id, id));
  const edited = await api.call(account.key, 'PATCH', `/v1/numbers/${id}`, { address: 'x' });
  const released = await api.call(account.key, 'DELETE', `/v1/numbers/${id}`);
  for (const response of [decided, withdrawn, edited, released]) {
    expect(response.statusCode, response.body).toBe(503);
    expect(problemOf(response).code).toBe('unavailable');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  }
});
