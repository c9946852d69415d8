/** Sharing the queue: claims, and the next review. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import type { Decision, Question } from '../../contract/number.ts';
import type { ReviewView } from '../../contract/reviews.ts';
import { claimNext, deleteExpiredClaims } from '../../db/claims.ts';
import { auditEvents, claims, memberships, numberEvents, numbers, people } from '../../db/schema.ts';
import { freshNumber, readNumber } from '../support/accepted.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

const MINUTE = 60_000;
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * MINUTE).toISOString();

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let sam: { id: string; key: string };
let kim: { id: string; key: string };

beforeAll(async () => {
  api = await startTestApi({ CLAIM_MINUTES: '20' });
});
beforeEach(async () => {
  await api.db.delete(claims);
  await api.db.delete(numberEvents);
  await api.db.delete(numbers);
  account = await createAccount(api.db);
  sam = await createStaff(api.db, 'support');
  kim = await createStaff(api.db, 'support');
});
afterAll(() => api.close());

const set = (id: string, values: Partial<typeof numbers.$inferInsert>) =>
  api.db.update(numbers).set(values).where(eq(numbers.id, id));
const expire = (id: string) =>
  api.db
    .update(claims)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(eq(claims.numberId, id));
const atWork = (person: { id: string }, minutesAgo: number) =>
  api.db
    .update(people)
    .set({ lastActiveAt: new Date(Date.now() - minutesAgo * MINUTE) })
    .where(eq(people.id, person.id));

const put = (id: string, as: { key: string }, body: object = {}) =>
  api.call(as.key, 'PUT', `/v1/numbers/${id}/claim`, body);
const giveBack = (id: string, as: { key: string }) => api.call(as.key, 'DELETE', `/v1/numbers/${id}/claim`);

async function claimed(id: string, as: { key: string }, body: object = {}): Promise<ReviewView> {
  const response = await put(id, as, body);
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function next(as: { key: string }, body: object = {}, headers = {}): Promise<string | null> {
  const response = await api.call(as.key, 'POST', '/v1/reviews/next', body, headers);
  if (response.statusCode === 204) return null;
  expect(response.statusCode, response.body).toBe(200);
  expect(response.json().claimedBy.id).toMatch(/^usr_/);
  return response.json().number.id;
}

/** Everything that is left, in its order. */
async function drain(as: { key: string }, body: object = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let id = await next(as, body); id !== null; id = await next(as, body)) ids.push(id);
  return ids;
}

const approval = (by: { id: string }): Decision => ({
  decisionId: newId('op'),
  outcome: 'approved',
  reason: null,
  code: null,
  fields: [],
  by: { type: 'support', id: by.id },
  at: new Date().toISOString(),
});

/** A number that has waited for so long, in minutes; the longest waiting is first in the queue. */
async function waiting(minutes: number, values: Partial<typeof numbers.$inferInsert> = {}): Promise<string> {
  const { id } = await submit(api.call, account.key);
  await set(id, { waitingSince: inMinutes(-minutes), ...values });
  return id;
}

describe('a claim', () => {
  it('shows in the queue, is renewed, and keeps others out until it runs out', async () => {
    const { id } = await submit(api.call, account.key);
    const review = await claimed(id, sam);
    expect(review).toMatchObject({
      number: { id },
      stage: 'verification',
      claimedBy: { type: 'support', id: sam.id, name: expect.stringContaining('support') },
      previous: null,
    });
    const left = Date.parse(review.claimExpiresAt ?? '') - Date.now();
    expect(left / MINUTE).toBeGreaterThan(19);
    expect(left / MINUTE).toBeLessThanOrEqual(20);
    const [listed] = (await api.call(kim.key, 'GET', '/v1/reviews')).json().items;
    expect(listed).toEqual(review);

    const refused = await put(id, kim);
    expect(problemOf(refused)).toMatchObject({
      code: 'claimed',
      claimedBy: review.claimedBy,
      claimExpiresAt: review.claimExpiresAt,
    });
    const renewed = await claimed(id, sam);
    expect(Date.parse(renewed.claimExpiresAt ?? '')).toBeGreaterThan(Date.parse(review.claimExpiresAt ?? ''));
    await expire(id);
    expect((await claimed(id, kim)).claimedBy?.id).toBe(kim.id);
  });

  it('goes to one of many who claim in the same moment', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await submit(api.call, account.key);
      const answers = await Promise.all([sam, kim, sam, kim].map((person) => put(id, person)));
      const winners = answers.filter(({ statusCode }) => statusCode === 200);
      const holders = new Set(winners.map((answer) => answer.json().claimedBy.id));
      expect([winners.length, holders.size]).toEqual([2, 1]);
      for (const answer of answers) expect(answer.statusCode).toBeOneOf([200, 409]);
    }
  });

  it('is given back by whoever has it', async () => {
    const { id } = await submit(api.call, account.key);
    expect(problemOf(await giveBack(id, sam)).code).toBe('not_claimed');
    await claimed(id, sam);
    expect(problemOf(await giveBack(id, kim)).code).toBe('not_claimed');
    expect((await giveBack(id, sam)).statusCode).toBe(204);
    await claimed(id, kim);
  });

  it('is taken over by force, which the audit log tells', async () => {
    const { id } = await submit(api.call, account.key);
    await claimed(id, sam);
    expect((await claimed(id, kim, { force: true })).claimedBy?.id).toBe(kim.id);
    await claimed(id, kim, { force: true });
    const told = await api.db.select().from(auditEvents).where(eq(auditEvents.targetId, sam.id));
    expect(told).toMatchObject([
      { type: 'claim.taken-over', actor: { type: 'support', id: kim.id }, data: { numberId: id } },
    ]);
  });

  it.each([
    ['decision', { status: 'PENDING_FACEBOOK_APPROVAL' }],
    ['attempt', { attempt: 2 }],
  ] as const)('ends with its %s', async (_, values) => {
    const { id } = await submit(api.call, account.key);
    await claimed(id, sam);
    await set(id, values);
    expect((await api.call(kim.key, 'GET', '/v1/reviews')).json().items).toMatchObject([
      { claimedBy: null, claimExpiresAt: null },
    ]);
    expect(problemOf(await giveBack(id, sam)).code).toBe('not_claimed');
    expect((await claimed(id, kim)).claimedBy?.id).toBe(kim.id);
  });

  it('is for pending numbers only', async () => {
    const { id } = await submit(api.call, account.key);
    await set(id, { status: 'APPROVED' });
    expect(problemOf(await put(id, sam)).code).toBe('not_pending');
    expect(problemOf(await put(newId('num'), sam)).code).toBe('not_found');
  });

  it('is refused for an account of the own, and for the second approval to who gave the first', async () => {
    const { id } = await submit(api.call, account.key);
    const member = await createStaff(api.db, 'support', account.id);
    expect(problemOf(await put(id, member)).code).toBe('own_account');
    await set(id, { approvals: [approval(sam)] });
    expect(problemOf(await put(id, sam, { force: true })).code).toBe('second_approval_needed');
    await claimed(id, kim);
  });

  it('of another keeps a decision out, of either stage', async () => {
    const { id } = await submit(api.call, account.key);
    await claimed(id, sam);
    for (const path of ['verification', 'facebook-decision']) {
      const decide = (as: { key: string }) =>
        api.call(as.key, 'POST', `/v1/numbers/${id}/${path}`, { outcome: 'approved' });
      expect(problemOf(await decide(kim))).toMatchObject({ code: 'claimed', claimedBy: { id: sam.id } });
      // It gets as far as the workflow, and there is none in this test.
      expect(problemOf(await decide(sam)).code).toBe('unavailable');
    }
  });

  it('is deleted once it has run out', async () => {
    const [old, fresh] = [await submit(api.call, account.key), await submit(api.call, account.key)];
    await claimed(old.id, sam);
    await claimed(fresh.id, sam);
    await expire(old.id);
    expect(await deleteExpiredClaims(api.db)).toBe(1);
    expect(await api.db.select().from(claims)).toMatchObject([{ numberId: fresh.id }]);
  });
});

describe('the next review', () => {
  it('is another one at each call, the longest waiting first, until there is none', async () => {
    const [b, a, c] = [await waiting(2), await waiting(3), await waiting(1)];
    expect(await drain(sam)).toEqual([a, b, c]);
    expect(await next(kim)).toBeNull();
    await expire(b);
    expect(await next(kim)).toBe(b);
  });

  it('waits for support before it waits for Facebook, or is of the stage that was asked for', async () => {
    const facebook = await waiting(9, { status: 'PENDING_FACEBOOK_APPROVAL' });
    const [verification, other] = [await waiting(2), await waiting(1)];
    expect(await drain(sam, { stage: 'verification' })).toEqual([verification, other]);
    await api.db.delete(claims);
    expect(await drain(sam)).toEqual([verification, other, facebook]);
    await api.db.delete(claims);
    expect(await drain(sam, { stage: 'facebook' })).toEqual([facebook]);
  });

  it('is the same one for the same Idempotency-Key', async () => {
    const a = await waiting(2);
    await waiting(1);
    const headers = { 'idempotency-key': newId('op') };
    expect([await next(sam, {}, headers), await next(sam, {}, headers)]).toEqual([a, a]);
  });

  it('is a resubmission first: the own ones, those that nobody here knows, those of others at the end', async () => {
    const away = await createStaff(api.db, 'support');
    const disabled = await createStaff(api.db, 'support');
    await atWork(kim, 5);
    await atWork(away, 20);
    await atWork(disabled, 0);
    await api.db.update(people).set({ banned: true }).where(eq(people.id, disabled.id));
    const resubmission = (minutes: number, reviewer: string | null) =>
      waiting(minutes, { attempt: 2, previousReviewerId: reviewer });
    const first = await waiting(60);
    const ofKim = await resubmission(50, kim.id);
    const ofNobody = await resubmission(40, null);
    const ofDisabled = await resubmission(35, disabled.id);
    const ofAway = await resubmission(30, away.id);
    const ofUnknown = await resubmission(25, 'usr_gone');
    const mine = await resubmission(20, sam.id);
    expect(await drain(sam)).toEqual([mine, ofNobody, ofDisabled, ofAway, ofUnknown, first, ofKim]);
    await api.db.delete(claims);
    expect(await next(kim)).toBe(ofKim);
  });

  it('is not kept for a reviewer where a first approval was given', async () => {
    await atWork(kim, 1);
    const again = { attempt: 2, previousReviewerId: kim.id };
    await waiting(3, again);
    const approved = await waiting(2, { ...again, approvals: [approval(kim)] });
    expect(await next(sam)).toBe(approved);
  });

  it('is not kept for a reviewer past its due time', async () => {
    await atWork(kim, 1);
    const fresh = await waiting(9);
    const overdue = { attempt: 2, previousReviewerId: kim.id, dueAt: inMinutes(-1) };
    const again = await waiting(3, overdue);
    expect(await drain(sam)).toEqual([again, fresh]);
  });

  it('is none that the caller may not decide on, or that waits for the customer', async () => {
    const question: Question = {
      operationId: newId('op'),
      at: new Date().toISOString(),
      by: { type: 'support', id: kim.id },
      remainingMs: 0,
      text: 'Is it yours?',
      fields: [],
    };
    const taken = await waiting(9);
    await claimed(taken, kim);
    await waiting(8, { approvals: [approval(sam)] });
    await waiting(7, { question, dueAt: inMinutes(1) });
    const unanswered = await waiting(6, { question, dueAt: inMinutes(-1) });
    const own = await createAccount(api.db, 'Own');
    await api.db.insert(memberships).values({ id: newId('mem'), organizationId: own.id, personId: sam.id });
    await submit(api.call, own.key);
    const free = await waiting(0);
    expect(await drain(sam)).toEqual([unanswered, free]);
  });

  it('is never the same for two who ask in the same moment', async () => {
    const ids = await Promise.all(Array.from({ length: 24 }, (_, index) => waiting(index)));
    const team = [sam, kim, ...(await Promise.all([1, 2, 3, 4].map(() => createStaff(api.db, 'support'))))];
    const taken = await Promise.all(team.map((person) => drain(person)));
    expect(taken.flat().sort()).toEqual(ids.sort());
    const held = await api.db.select().from(claims).where(eq(claims.personId, sam.id));
    expect(held.map((one) => one.numberId).sort()).toEqual(taken[0]?.sort());
  });

  it('is never the same where the database is all that there is between them', async () => {
    const like = await readNumber(api.db, await waiting(1));
    const others = Array.from({ length: 299 }, () => ({
      ...like,
      id: newId('num'),
      mobileNumber: freshNumber(),
    }));
    await api.db.insert(numbers).values(others);
    const ids = [like, ...others].map(({ id }) => id);
    const take = async (personId: string) => {
      const taken: string[] = [];
      for (;;) {
        const row = await api.db.transaction((tx) =>
          claimNext(tx, ['verification'], { personId, ms: MINUTE }),
        );
        if (!row) return taken;
        taken.push(row.id);
      }
    };
    const team = await Promise.all(Array.from({ length: 8 }, () => createStaff(api.db, 'support')));
    const taken = await Promise.all(team.map(({ id }) => take(id)));
    expect(taken.flat().sort()).toEqual(ids.sort());
  });
});
