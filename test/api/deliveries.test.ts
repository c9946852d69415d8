/** Deliveries as customers see them, and their replay. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DeliveryAttempt, DeliveryState } from '../../contract/deliveries.ts';
import { firstId, newId, uuidOf } from '../../contract/ids.ts';
import { REPLAY_LIMIT } from '../../db/deliveries.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { SENDS_PER_HOUR } from '../../db/requested-sends.ts';
import {
  callbackProfiles,
  deliveries,
  events,
  idempotencyRecords,
  requestedSends,
  targets,
} from '../../db/schema.ts';
import { acceptNumber } from '../support/accepted.ts';
import { callbackProfile } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let accountId: string;
let profileId: string;
let number: NumberRow;

beforeAll(async () => {
  api = await startTestApi();
});
beforeEach(async () => {
  ({ key, id: accountId } = await createAccount(api.db));
  profileId = await callbackProfile(api.db, accountId);
  number = await acceptNumber(api.db, accountId, {
    status: 'APPROVED',
    incomingUrl: 'https://example.com/in',
    callbackProfileId: profileId,
  });
  await jobs();
});
afterAll(() => api.close());

const get = (url: string, as = key) => api.call(as, 'GET', url);
const post = (url: string, body?: object, headers = {}) => api.call(key, 'POST', url, body, headers);
const listed = async (query = '') =>
  (await get(`/v1/numbers/${number.id}/deliveries${query}`)).json() as {
    items: { id: string; status: string }[];
    nextCursor: string | null;
  };
const bulk = (body: object, headers = {}) =>
  post(`/v1/numbers/${number.id}/deliveries/replay`, body, headers);
const LONG_AGO = '2026-01-01T00:00:00Z';

/** A delivery of an event, as forwarding leaves it. */
async function delivery(
  state: DeliveryState = 'failed',
  { target = 'incoming' as 'incoming' | 'callback', attempts = [] as DeliveryAttempt[] } = {},
): Promise<string> {
  const event = { numberId: number.id, type: 'test', at: new Date(), data: {}, target } as const;
  const [id] = await api.db.transaction((tx) =>
    insertOwnEvents(tx, [{ ...event, operationId: newId('op') }]),
  );
  if (id === undefined) throw new Error('There is no delivery of the event.');
  await api.db
    .update(deliveries)
    .set({ state, tries: 10, attempts, nextAt: new Date(Date.now() + 3_600_000), settledAt: new Date() })
    .where(isIt(id));
  return id;
}
const isIt = (id: string) => eq(deliveries.id, uuidOf('dlv', id) ?? '');
const rowOf = async (id: string) => (await api.db.select().from(deliveries).where(isIt(id)))[0];
/** Takes the targets that somebody was asked to send to. */
async function jobs(): Promise<string[]> {
  const { rows } = await api.db.execute<{ payload: { targets: string[] } }>(
    sql`delete from graphile_worker._private_jobs returning payload`,
  );
  return rows.flatMap(({ payload }) => payload.targets);
}
const switchOff = (id: string) =>
  api.db.update(targets).set({ offAt: new Date(), offReason: 'failing' }).where(eq(targets.id, id));

describe('deliveries', () => {
  it('are read with each try, and with what they are the delivery of', async () => {
    const attempts = [
      { at: '2026-11-01T00:00:00.000Z', status: 503, latencyMs: 84, answer: 'Busy', error: 'Status 503' },
      { at: '2026-11-01T00:00:05.000Z', status: null, latencyMs: 15_000, answer: null, error: 'No answer' },
    ];
    const id = await delivery('failed', { attempts });
    const read = (await get(`/v1/deliveries/${id}`)).json();
    expect(read).toEqual({
      id,
      eventId: id.replace('dlv_', 'evt_'),
      type: 'test',
      numberId: number.id,
      target: 'incoming',
      callbackProfileId: null,
      status: 'failed',
      createdAt: expect.any(String),
      nextAttemptAt: null,
      settledAt: expect.any(String),
      attempts,
    });
    expect(await listed()).toEqual({ items: [read], nextCursor: null });
    const other = (await get(`/v1/deliveries/${await delivery('pending', { target: 'callback' })}`)).json();
    expect(other).toMatchObject({ target: 'callback', callbackProfileId: profileId, status: 'pending' });
    expect(Date.parse(other.nextAttemptAt)).toBeGreaterThan(Date.now());
  });

  it('are listed newest first, page by page, by status and since a time', async () => {
    const made = [await delivery('failed'), await delivery('delivered'), await delivery('failed')];
    const [first, second, third] = made;
    expect((await listed()).items.map(({ id }) => id)).toEqual([third, second, first]);
    const page = await listed('?limit=2');
    expect(page.items.map(({ id }) => id)).toEqual([third, second]);
    const rest = await listed(`?limit=2&cursor=${page.nextCursor}`);
    expect(rest).toMatchObject({ items: [{ id: first }], nextCursor: null });
    expect((await listed('?status=failed')).items.map(({ id }) => id)).toEqual([third, first]);
    const { createdAt } = (await get(`/v1/deliveries/${second}`)).json();
    const since = (await listed(`?since=${createdAt}`)).items.map(({ id }) => id);
    // What was made in the same millisecond comes along.
    expect(since.slice(0, 2)).toEqual([third, second]);
    const future = new Date(Date.now() + 60_000).toISOString();
    expect((await listed(`?since=${future}`)).items).toEqual([]);
  });

  it.each(['?status=lost', '?since=yesterday', '?cursor=x', '?limit=0'])('refuse %s', async (query) => {
    const refused = await get(`/v1/numbers/${number.id}/deliveries${query}`);
    expect(problemOf(refused)).toMatchObject({ code: 'malformed_request' });
  });

  it('of another account do not exist', async () => {
    const id = await delivery();
    const other = (await createAccount(api.db)).key;
    for (const url of [`/v1/deliveries/${id}`, `/v1/numbers/${number.id}/deliveries`]) {
      expect((await get(url, other)).statusCode).toBe(404);
    }
    for (const url of [`/v1/deliveries/${id}/replay`, `/v1/numbers/${number.id}/deliveries/replay`]) {
      const body = url.includes('numbers') ? { since: LONG_AGO } : undefined;
      expect((await api.call(other, 'POST', url, body)).statusCode).toBe(404);
    }
    expect(await rowOf(id)).toMatchObject({ state: 'failed' });
    expect((await get('/v1/deliveries/dlv_0')).statusCode).toBe(404);
  });
});

describe('a replay', () => {
  it.each(['pending', 'delivered', 'failed'] as const)('sends one that is %s again', async (state) => {
    const id = await delivery(state);
    await jobs();
    const answer = await post(`/v1/deliveries/${id}/replay`);
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toMatchObject({
      id,
      eventId: id.replace('dlv_', 'evt_'),
      status: 'pending',
      settledAt: null,
    });
    const row = await rowOf(id);
    expect(row).toMatchObject({ state: 'pending', tries: 0 });
    expect(row?.nextAt.getTime()).toBeLessThanOrEqual(Date.now());
    expect(await jobs()).toEqual([number.id]);
  });

  it('is done once for one Idempotency-Key', async () => {
    const id = await delivery();
    const headers = { 'idempotency-key': newId('op') };
    const first = await post(`/v1/deliveries/${id}/replay`, undefined, headers);
    await api.db.update(deliveries).set({ state: 'delivered' }).where(isIt(id));
    const again = await post(`/v1/deliveries/${id}/replay`, undefined, headers);
    expect([again.statusCode, again.json()]).toEqual([202, first.json()]);
    expect(await rowOf(id)).toMatchObject({ state: 'delivered' });
  });

  it('is refused while nothing is sent to its target, and says why', async () => {
    const incoming = await delivery();
    const callback = await delivery('failed', { target: 'callback' });
    const refusal = async (id: string) => {
      const answer = await post(`/v1/deliveries/${id}/replay`);
      expect(answer.statusCode).toBe(409);
      return problemOf(answer).code;
    };
    await switchOff(number.id);
    await switchOff(profileId);
    expect([await refusal(incoming), await refusal(callback)]).toEqual(['target_off', 'target_off']);
    await api.db.update(callbackProfiles).set({ active: false }).where(eq(callbackProfiles.id, profileId));
    expect(await refusal(callback)).toBe('no_target');
    const set = (changes: object) =>
      api.db.execute(
        sql`update numbers set ${sql.join(
          Object.entries(changes).map(([name, value]) => sql`${sql.identifier(name)} = ${value}`),
          sql`, `,
        )} where id = ${number.id}`,
      );
    await set({ status: 'RELEASED' });
    expect(await refusal(incoming)).toBe('not_approved');
    await set({ incoming_url: null });
    expect(await refusal(incoming)).toBe('no_target');
    expect(await rowOf(incoming)).toMatchObject({ state: 'failed', tries: 10 });
  });
});

describe('a replay of many', () => {
  it('sends again what was not taken since a time, or what is of a status', async () => {
    const before = await delivery();
    const since = await later();
    const made = {
      failed: await delivery('failed'),
      pending: await delivery('pending'),
      delivered: await delivery('delivered'),
    };
    const triesOf = async () =>
      Promise.all([before, ...Object.values(made)].map(async (id) => (await rowOf(id))?.tries));
    await jobs();
    const answer = await bulk({ since });
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toEqual({ replayed: 2, heldBack: [], next: null });
    expect(await triesOf()).toEqual([10, 0, 0, 10]);
    expect(await jobs()).toEqual([number.id]);
    expect((await bulk({ since, status: 'delivered' })).json()).toMatchObject({ replayed: 1 });
    expect(await triesOf()).toEqual([10, 0, 0, 0]);
    expect((await bulk({ since: await later() })).json()).toMatchObject({ replayed: 0 });
  });

  it('leaves what goes to a target that is off, and says so', async () => {
    const incoming = await delivery();
    const callback = await delivery('failed', { target: 'callback' });
    await switchOff(profileId);
    const { replayed, heldBack } = (await bulk({ since: LONG_AGO })).json();
    expect(replayed).toBe(1);
    expect(heldBack).toEqual([
      {
        target: 'callback',
        callbackProfileId: profileId,
        count: 1,
        code: 'target_off',
        detail: expect.stringContaining('/enable'),
      },
    ]);
    expect(await rowOf(incoming)).toMatchObject({ state: 'pending' });
    expect(await rowOf(callback)).toMatchObject({ state: 'failed' });
  });

  it('is bounded for each call, and tells where to go on', async () => {
    await fill(REPLAY_LIMIT + 5);
    const first = (await bulk({ since: LONG_AGO, status: 'failed' })).json();
    expect(first).toMatchObject({ replayed: REPLAY_LIMIT, next: expect.any(String) });
    const rest = (await bulk({ since: first.next, status: 'failed' })).json();
    expect(rest).toEqual({ replayed: 5, heldBack: [], next: null });
  });

  it('leaves what is of more than 30 days ago, as its event may be gone', async () => {
    const id = await delivery();
    const old = `${firstId('dlv', Date.now() - 31 * 24 * 3_600_000)}${id.slice(16)}`;
    await api.db
      .update(deliveries)
      .set({ id: uuidOf('dlv', old) ?? '' })
      .where(isIt(id));
    expect((await bulk({ since: LONG_AGO })).json()).toMatchObject({ replayed: 0 });
    expect((await listed()).items).toEqual([]);
  });

  it.each([{}, { since: 'yesterday' }, { since: LONG_AGO, status: 'lost' }, { since: LONG_AGO, to: 'x' }])(
    'refuses %j',
    async (body) => {
      expect(problemOf(await bulk(body))).toMatchObject({ code: 'invalid_request' });
    },
  );
});

describe('what an account replays within an hour', () => {
  const spend = (count: number, since = new Date()) =>
    api.db
      .insert(requestedSends)
      .values({ accountId, count, since })
      .onConflictDoUpdate({ target: requestedSends.accountId, set: { count, since } });

  it('is bounded: beyond that it is told when to come again, and the key can be used again', async () => {
    const ids = [await delivery(), await delivery(), await delivery()];
    await spend(SENDS_PER_HOUR - 2);
    const some = (await bulk({ since: LONG_AGO })).json();
    expect(some).toMatchObject({ replayed: 2, next: expect.any(String) });
    const headers = { 'idempotency-key': newId('op') };
    const refused = await bulk({ since: some.next, status: 'failed' }, headers);
    expect([refused.statusCode, problemOf(refused).code]).toEqual([429, 'rate_limited']);
    const wait = Number(refused.headers['retry-after']);
    expect(wait).toBeGreaterThan(3_000);
    expect(wait).toBeLessThanOrEqual(3_600);
    expect((await post(`/v1/deliveries/${ids[0]}/replay`)).statusCode).toBe(429);
    expect((await post(`/v1/numbers/${number.id}/test-event`, { target: 'incoming' })).statusCode).toBe(429);
    const kept = await api.db
      .select()
      .from(idempotencyRecords)
      .where(eq(idempotencyRecords.scope, accountId));
    expect(kept).toEqual([]);

    await spend(SENDS_PER_HOUR, new Date(Date.now() - 3_600_000));
    expect((await bulk({ since: some.next, status: 'failed' }, headers)).json()).toMatchObject({
      replayed: 1,
    });
    const [counted] = await api.db
      .select()
      .from(requestedSends)
      .where(eq(requestedSends.accountId, accountId));
    expect(counted).toMatchObject({ count: 1 });
  });

  it('is counted one after another, whoever asks', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => delivery()));
    await spend(SENDS_PER_HOUR - 5);
    const answers = await Promise.all(ids.map((id) => post(`/v1/deliveries/${id}/replay`)));
    expect(answers.filter(({ statusCode }) => statusCode === 202)).toHaveLength(5);
    expect(answers.filter(({ statusCode }) => statusCode === 429)).toHaveLength(3);
  });
});

/** A time after all that was made. */
async function later(): Promise<string> {
  const { items } = await listed('?limit=1');
  const made = Number.parseInt(items[0]?.id.slice(4, 16) ?? '0', 16);
  await expect.poll(() => Date.now()).toBeGreaterThan(made + 1);
  return new Date().toISOString();
}

/** So many failed deliveries, each of another millisecond. */
async function fill(count: number): Promise<void> {
  const id = sql`(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - n), 12, '0') || '7000800000000000')`;
  await api.db.execute(sql`
    with made as (
      select (${id} || '0000')::uuid as id, (now() at time zone 'UTC')::date as day from generate_series(1, ${count}) as n
    ), stored as (
      insert into ${events} (id, day, key, type, at, account_id, number_id, content)
      select id, day, gen_random_uuid(), 'test', now(), ${accountId}, ${number.id}, '{}' from made
    )
    insert into ${deliveries} (id, day, target_id, number_id, conversation, state)
    select id, day, ${number.id}, ${number.id}, 1, 'failed' from made`);
}
