/** A team works one queue through two API processes: no number twice, none left out. */
import { inArray } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { claims, numberEvents, numbers } from '../../db/schema.ts';
import { call, callOk, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';

vi.setConfig({ testTimeout: 240_000 });

const NUMBERS = 200;
const SUPPORTERS = 8;
/** Reviews that somebody takes and then goes home. */
const LEFT = 5;

let stack: TestStack;
let apis: ProductProcess[];
let customer: { key: string };

beforeAll(async () => {
  stack = await startStack();
  apis = await Promise.all([startApi(stack.env), startApi(stack.env)]);
  customer = await createAccount(stack.db);
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.stop()));
  await stack.close();
});

const apiOf = (index: number) => apis[index % apis.length] ?? expect.fail('no API');

/** Takes reviews and approves them until there are none; returns the numbers. */
async function work(index: number, key: string): Promise<string[]> {
  const api = apiOf(index);
  const done: string[] = [];
  for (;;) {
    const next = await insist(api, key, 'POST /v1/reviews/next', { stage: 'verification' });
    if (next.status === 204) return done;
    expect(next.status, JSON.stringify(next.body)).toBe(200);
    const { id } = next.body.number;
    const decided = await insist(api, key, `POST /v1/numbers/${id}/verification`, { outcome: 'approved' });
    expect(decided.status, JSON.stringify(decided.body)).toBe(200);
    done.push(id);
  }
}

test(`${SUPPORTERS} supporters and ${NUMBERS} reviews`, async () => {
  const ids: string[] = [];
  for (let index = 0; index < NUMBERS; index += SUPPORTERS) {
    const batch = Array.from({ length: Math.min(SUPPORTERS, NUMBERS - index) }, (_, offset) =>
      callOk(apiOf(offset), customer.key, 'POST /v1/numbers', submission()),
    );
    ids.push(...(await Promise.all(batch)).map(({ id }) => id));
  }
  const leaver = await createStaff(stack.db, 'support');
  const left: string[] = [];
  for (let index = 0; index < LEFT; index++) {
    left.push((await call(apiOf(index), leaver.key, 'POST /v1/reviews/next')).body.number.id);
  }

  const team = await Promise.all(Array.from({ length: SUPPORTERS }, () => createStaff(stack.db, 'support')));
  const shares = await Promise.all(team.map(({ key }, index) => work(index, key)));
  const done = shares.flat();
  expect(done.sort()).toEqual(ids.filter((id) => !left.includes(id)).sort());
  expect(shares.filter((share) => share.length > 0).length).toBeGreaterThan(1);

  // What the leaver has is respected until it runs out.
  const [one = ''] = left;
  const [first] = team;
  const refused = await call(apiOf(0), first?.key ?? '', `POST /v1/numbers/${one}/verification`, {
    outcome: 'approved',
  });
  expect([refused.status, refused.body.code, refused.body.claimedBy.id]).toEqual([409, 'claimed', leaver.id]);
  await stack.db
    .update(claims)
    .set({ expiresAt: new Date(Date.now() - 1) })
    .where(inArray(claims.numberId, left));
  const rest = await Promise.all(team.map(({ key }, index) => work(index, key)));
  expect(rest.flat().sort()).toEqual(left.sort());

  const decided = await stack.db.select().from(numberEvents).where(inArray(numberEvents.numberId, ids));
  const approvals = decided.filter((event) => event.type === 'verification.approved');
  expect(approvals.map((event) => event.numberId).sort()).toEqual(ids.sort());
  const rows = await stack.db.select({ status: numbers.status }).from(numbers);
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['PENDING_FACEBOOK_APPROVAL']));
});

test('a decision that leaves the stage open frees the claim', async () => {
  const [sam, kim] = await Promise.all([createStaff(stack.db, 'support'), createStaff(stack.db, 'support')]);
  const { id } = await callOk(apiOf(0), customer.key, 'POST /v1/numbers', submission());
  await callOk(apiOf(0), sam.key, `PUT /v1/numbers/${id}/claim`);
  const path = `/v1/numbers/${id}/facebook-decision` as const;
  expect((await insist(apiOf(0), sam.key, `POST ${path}`, { outcome: 'approved' })).status).toBe(200);
  await callOk(apiOf(1), kim.key, `PUT /v1/numbers/${id}/claim`);
});
