/** Two supporters, each signed in with a browser of their own, work one queue: no number twice, none skipped. */
import { eq, inArray } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { claims, numberEvents, numbers } from '../../db/schema.ts';
import { until } from '../../dev/until.ts';
import { type Browser, createUser, signIn, type TestPerson } from '../support/people.ts';
import { createAccount, startStack, type TestStack } from '../support/stack.ts';
import { caller, problemOf, startTwoApps, submit as submitWith } from './harness.ts';

vi.setConfig({ testTimeout: 240_000 });

const NUMBERS = 200;
/** Of these: what takes two to approve, and what was rejected before, half of it by each. */
const FOUR_EYES = 40;
const RESUBMITTED = 20;
/** Reviews that somebody takes and leaves. */
const LEFT = 8;

interface Supporter extends TestPerson {
  browser: Browser;
}

let stack: TestStack;
let apps: FastifyInstance[];
let customer: { key: string };
let sam: Supporter;
let kim: Supporter;

beforeAll(async () => {
  stack = await startStack();
  const { db } = stack;
  const [one, two] = await startTwoApps(stack);
  apps = [one, two];
  customer = await createAccount(db);
  const supporter = async (app: FastifyInstance): Promise<Supporter> => {
    const person = await createUser(db, 'support');
    return { ...person, browser: await signIn(app, person) };
  };
  [sam, kim] = [await supporter(one), await supporter(two)];
});
afterAll(async () => {
  for (const app of apps ?? []) await app.close();
  await stack?.close();
});

/** A click in the browser, again with the same key where a loaded machine answers 503. */
async function click({ browser }: Supporter, url: string, body: object) {
  const headers = { 'idempotency-key': newId('op'), 'sec-fetch-site': 'same-origin' };
  const send = () => browser.call('POST', url, body, headers);
  let response = await send();
  await until(async () => {
    if (response.statusCode !== 503) return;
    response = await send();
    throw new Error('unavailable');
  }, AbortSignal.timeout(90_000));
  return response;
}

const decide = (who: Supporter, id: string, body: object) =>
  click(who, `/v1/numbers/${id}/verification`, body);

async function next(who: Supporter): Promise<string | null> {
  const response = await click(who, '/v1/reviews/next', { stage: 'verification' });
  if (response.statusCode === 204) return null;
  expect(response.statusCode, response.body).toBe(200);
  expect(response.json().claimedBy.id).toBe(who.id);
  return response.json().number.id;
}

/** Approves one review after the other until there is none. */
async function work(who: Supporter): Promise<string[]> {
  const done: string[] = [];
  for (let id = await next(who); id !== null; id = await next(who)) {
    const decided = await decide(who, id, { outcome: 'approved' });
    expect(decided.statusCode, decided.body).toBe(200);
    done.push(id);
  }
  return done;
}

/** Both at once, until neither finds anything: a first approval makes a review for the other. */
async function workTogether(): Promise<{ bySam: string[]; byKim: string[] }> {
  const [bySam, byKim] = await Promise.all([work(sam), work(kim)]);
  if (bySam.length + byKim.length === 0) return { bySam, byKim };
  const more = await workTogether();
  return { bySam: [...bySam, ...more.bySam], byKim: [...byKim, ...more.byKim] };
}

async function submit(index: number): Promise<string> {
  const fourEyes = index % (NUMBERS / FOUR_EYES) === 0;
  const businessCategory = fourEyes ? 'ALCOHOL' : 'RETAIL';
  const call = caller(apps[index % 2] ?? expect.fail('no app'));
  const { id } = await submitWith(call, customer.key, { businessCategory });
  if (index >= RESUBMITTED) return id;
  const rejected = await decide(index % 2 === 0 ? sam : kim, id, { outcome: 'rejected', reason: 'Not yet.' });
  expect(rejected.statusCode, rejected.body).toBe(200);
  const again = await call(customer.key, 'POST', `/v1/numbers/${id}/resubmission`, {
    address: 'Via Dante 1',
  });
  expect(again.statusCode, again.body).toBe(200);
  return id;
}

test(`${NUMBERS} reviews in two browsers`, async () => {
  const ids: string[] = [];
  for (let index = 0; index < NUMBERS; index += 10) {
    const batch = Array.from({ length: 10 }, (_, offset) => submit(index + offset));
    ids.push(...(await Promise.all(batch)));
  }
  const left: string[] = [];
  for (let index = 0; index < LEFT; index++) left.push((await next(kim)) ?? expect.fail('no review'));
  // First of all what Kim rejected before.
  const mine = await stack.db
    .select({ id: numbers.id })
    .from(numbers)
    .where(eq(numbers.previousReviewerId, kim.id));
  expect(mine.map(({ id }) => id)).toEqual(expect.arrayContaining(left));

  const { bySam, byKim } = await workTogether();
  expect(bySam.length * byKim.length).toBeGreaterThan(0);
  expect(new Set([...bySam, ...byKim])).toEqual(new Set(ids.filter((id) => !left.includes(id))));

  // What Kim has left is respected until it runs out.
  const [one = ''] = left;
  const refused = problemOf(await decide(sam, one, { outcome: 'approved' }));
  expect(refused).toMatchObject({ code: 'claimed', claimedBy: { id: kim.id } });
  await stack.db
    .update(claims)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(inArray(claims.numberId, left));
  const rest = await workTogether();
  expect(new Set([...rest.bySam, ...rest.byKim])).toEqual(new Set(left));

  const told = await stack.db.select().from(numberEvents).where(inArray(numberEvents.numberId, ids));
  const first = told.filter(({ type }) => type === 'verification.first_approval');
  const verified = told.filter(({ type }) => type === 'verification.approved');
  expect(verified.map(({ numberId }) => numberId).sort()).toEqual(ids.toSorted());
  expect(new Set(first.map(({ numberId }) => numberId)).size).toBe(FOUR_EYES);
  // Each by whoever had claimed it, so that nobody gave both.
  const by = ({ id: person }: Supporter) =>
    [...first, ...verified].filter(({ actor }) => actor.id === person).map(({ numberId }) => numberId);
  expect(by(sam).sort()).toEqual([...bySam, ...rest.bySam].sort());
  expect(by(kim).sort()).toEqual([...byKim, ...rest.byKim].sort());
  expect(new Set(by(sam)).size + new Set(by(kim)).size).toBe(NUMBERS + FOUR_EYES);
  const rows = await stack.db.select({ status: numbers.status }).from(numbers);
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['PENDING_FACEBOOK_APPROVAL']));
});
