/** The stream of changes: who hears of what, from which place on, and when it ends. */
import type { AddressInfo } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { EVENT_TYPES, STAFF_EVENTS } from '../../contract/number.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { deleteOldChanges } from '../../db/change-feed.ts';
import {
  apiKeys,
  changeFeed,
  claims,
  memberships,
  numberEvents,
  numbers,
  organizations,
  people,
  sessions,
} from '../../db/schema.ts';
import { acceptNumber } from '../support/accepted.ts';
import { form, png } from '../support/pictures.ts';
import { startSession } from '../support/session.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { type Listening, listen } from '../support/stream.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi & { url: string };
let account: Awaited<ReturnType<typeof createAccount>>;
let support: Awaited<ReturnType<typeof createStaff>>;
const listening: Listening[] = [];

beforeAll(async () => {
  const started = await startTestApi({ STREAMS_PER_PROCESS: '84' });
  await started.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = started.app.server.address() as AddressInfo;
  api = { ...started, url: `http://127.0.0.1:${port}` };
  account = await createAccount(api.db);
  support = await createStaff(api.db, 'support');
});
afterEach(() => {
  for (const one of listening.splice(0)) one.close();
});
afterAll(() => api.close());

async function open(...[key, options]: [string | null, Parameters<typeof listen>[2]?]): Promise<Listening> {
  const one = await listen(api, key, options);
  listening.push(one);
  return one;
}
const change = (id: string) =>
  api.db
    .update(numbers)
    .set({ revision: sql`${numbers.revision} + 1`, updatedAt: new Date().toISOString() })
    .where(eq(numbers.id, id));
const tells =
  (id: string, revision = 1) =>
  (told: Listening['told']) =>
    told.some(({ data }) => (data.id ?? data.numberId) === id && (data.revision ?? revision) >= revision);

describe('what is told', () => {
  it('is the number as the list shows it, to its account and to staff', async () => {
    const streams = await Promise.all([open(account.key), open(support.key)]);
    const { id } = await submit(api.call, account.key, { website: 'https://widgets.example' });
    for (const [stream, key] of [
      [streams[0], account.key],
      [streams[1], support.key],
    ] as const) {
      const [event] = await stream.until(tells(id));
      const { items } = (await api.call(key, 'GET', '/v1/numbers?limit=1')).json();
      expect(event).toEqual({ id: expect.stringMatching(/^[\d.]+$/), event: 'number', data: items[0] });
    }
    expect(streams[0].told[0]?.data.account).toBeUndefined();
    expect(streams[1].told[0]?.data.account.id).toBe(account.id);
  });

  it('has links under the public address, as answers have', async () => {
    const named = await startTestApi({ PUBLIC_URL: 'https://numbers.example' });
    await named.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = named.app.server.address() as AddressInfo;
    const { key } = await createAccount(named.db);
    const stream = await listen({ url: `http://127.0.0.1:${port}` }, key);
    const { body, headers } = form({ content: await png() });
    const { id: imageId, url } = (await named.call(key, 'POST', '/v1/images', body, headers)).json();
    const { id } = await submit(named.call, key, { imageId });
    const [event] = await stream.until(tells(id));
    expect([event?.data.imageUrl, url]).toEqual([url, `https://numbers.example/v1/images/${imageId}`]);
    stream.close();
    await named.close();
  });

  it('is each change, in its order', async () => {
    const { id } = await acceptNumber(api.db, account.id);
    const stream = await open(account.key);
    for (const revision of [2, 3, 4]) {
      await change(id);
      await stream.until(tells(id, revision));
    }
    expect(stream.told.map(({ data }) => data.revision)).toEqual([2, 3, 4]);
  });

  it("is nothing of another account, and of claims and the accounts' names nothing to customers", async () => {
    const other = await createAccount(api.db, 'Other');
    const [mine, theirs, staff] = await Promise.all([open(account.key), open(other.key), open(support.key)]);
    const { id } = await acceptNumber(api.db, account.id);
    const { id: foreignId } = await acceptNumber(api.db, other.id);
    await api.db.insert(claims).values({
      numberId: id,
      personId: support.id,
      attempt: 1,
      stage: 'verification',
      expiresAt: new Date('2999-01-01T00:00:00Z'),
    });
    await staff.until((told) => told.some(({ event }) => event === 'claim'));
    await api.db.delete(claims).where(eq(claims.numberId, id));
    // The last to be told: whatever else they would hear has come.
    const { id: last } = await acceptNumber(api.db, account.id);
    const { id: foreignLast } = await acceptNumber(api.db, other.id);
    await staff.until(tells(foreignLast));
    await Promise.all([mine.until(tells(last)), theirs.until(tells(foreignLast))]);

    expect(mine.told.map(({ event, data }) => [event, data.id])).toEqual([
      ['number', id],
      ['number', last],
    ]);
    expect(theirs.told.map(({ data }) => data.id)).toEqual([foreignId, foreignLast]);
    expect(staff.told.filter(({ event }) => event === 'claim').map(({ data }) => data)).toEqual([
      {
        numberId: id,
        claimedBy: { type: 'support', id: support.id, name: expect.stringContaining('support') },
        claimExpiresAt: '2999-01-01T00:00:00.000Z',
      },
      { numberId: id, claimedBy: null, claimExpiresAt: null },
    ]);
  });

  it('is each comment as the timeline shows it: to its account, and an internal one to staff alone', async () => {
    const other = await createAccount(api.db, 'Other');
    const { id } = await acceptNumber(api.db, account.id);
    const [mine, theirs, staff] = await Promise.all([open(account.key), open(other.key), open(support.key)]);
    const comment = (key: string, body: object) => api.call(key, 'POST', `/v1/numbers/${id}/comments`, body);
    await comment(account.key, { text: 'Is anybody\nthere?' });
    await comment(support.key, { text: 'Who takes it?', internal: true });
    await comment(support.key, { text: 'Yes.' });
    // The last to be told: whatever else they would hear has come.
    const { id: last } = await acceptNumber(api.db, account.id);
    const { id: foreignLast } = await acceptNumber(api.db, other.id);
    await Promise.all([
      mine.until(tells(last)),
      theirs.until(tells(foreignLast)),
      staff.until(tells(foreignLast)),
    ]);

    for (const [stream, key, count] of [
      [mine, account.key, 2],
      [staff, support.key, 3],
    ] as const) {
      const { items } = (await api.call(key, 'GET', `/v1/numbers/${id}/events`)).json();
      const said = items.slice(1).map((event: object) => ({ numberId: id, ...event }));
      expect(said).toHaveLength(count);
      expect(stream.told.filter(({ event }) => event === 'comment').map(({ data }) => data)).toEqual(said);
    }
    expect(mine.told.filter(({ event }) => event === 'comment')[1]?.data.actor).toEqual({
      type: 'support',
      id: null,
    });
    expect(theirs.told.map(({ event, data }) => [event, data.id])).toEqual([['number', foreignLast]]);
  });

  it('is of the timeline what was said, whoever writes it, and no other event', async () => {
    const { id } = await acceptNumber(api.db, account.id);
    const stream = await open(support.key);
    await api.db.insert(numberEvents).values(
      EVENT_TYPES.map((type) => ({
        id: newId('evt'),
        numberId: id,
        attempt: 1,
        type,
        at: new Date(),
        actor: { type: 'system' as const, id: null },
        visibility: STAFF_EVENTS.includes(type) ? ('staff' as const) : ('everyone' as const),
        operationId: newId('op'),
      })),
    );
    const { id: last } = await acceptNumber(api.db, account.id);
    await stream.until(tells(last));
    expect(stream.told.flatMap(({ event, data }) => (event === 'comment' ? data.type : []))).toEqual([
      'comment',
      'comment.internal',
      'question.asked',
      'question.answered',
    ]);
  });

  it('is nothing of a kind that a later release adds', async () => {
    const { id } = await acceptNumber(api.db, account.id);
    const streams = await Promise.all([open(account.key), open(support.key)]);
    // In one page with a change of the same number, which would be told once more.
    await api.db.transaction(async (tx) => {
      await tx.update(numbers).set({ revision: 2 }).where(eq(numbers.id, id));
      await tx.insert(changeFeed).values({ numberId: id, accountId: account.id, kind: 'later' as 'number' });
    });
    const { id: last } = await acceptNumber(api.db, account.id);
    for (const stream of streams) {
      await stream.until(tells(last));
      expect(stream.told.filter(({ data }) => data.revision === 2).map(({ data }) => data.id)).toEqual([id]);
    }
  });

  it('is of one account where staff ask for that; customers may not', async () => {
    const other = await createAccount(api.db, 'Other');
    const stream = await open(support.key, { query: `?accountId=${other.id}` });
    await acceptNumber(api.db, account.id);
    const { id } = await acceptNumber(api.db, other.id);
    expect((await stream.until(tells(id))).map(({ data }) => data.id)).toEqual([id]);
    const refused = await api.call(account.key, 'GET', `/v1/stream?accountId=${account.id}`);
    expect(problemOf(refused).code).toBe('forbidden');
  });

  it('is asked for by GET alone: an answer without a body would have no end', async () => {
    expect((await api.call(account.key, 'HEAD', '/v1/stream')).statusCode).toBe(405);
  });

  it('comes with the headers of every answer, and is not to be stored or collected', async () => {
    const { headers } = await open(account.key, { headers: { 'x-request-id': 'mine' } });
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': 'mine',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      ratelimit: expect.stringContaining('"key";r='),
    });
  });
});

describe('a client that comes back', () => {
  it('hears of what changed meanwhile, once by header and once by query', async () => {
    const first = await open(account.key);
    const ids = [await acceptNumber(api.db, account.id), await acceptNumber(api.db, account.id)].map(
      ({ id }) => id,
    );
    await first.until(tells(ids[1] ?? ''));
    const place = first.told[0]?.id ?? '';
    first.close();
    const { id } = await acceptNumber(api.db, account.id);
    for (const options of [
      { headers: { 'last-event-id': place } },
      { query: `?lastEventId=${place}` },
      // As browsers do: the address stays the same, the header is new.
      { query: '?lastEventId=1.1.1', headers: { 'last-event-id': place } },
    ]) {
      const again = await open(account.key, options);
      expect((await again.until(tells(id))).map(({ data }) => data.id)).toEqual([ids[1], id]);
    }
  });

  it('hears of what was said meanwhile', async () => {
    const { id } = await acceptNumber(api.db, account.id);
    const first = await open(account.key);
    const place = first.lastId();
    first.close();
    const said: string[] = [];
    for (const text of ['One', 'Two']) {
      said.push((await api.call(account.key, 'POST', `/v1/numbers/${id}/comments`, { text })).json().id);
    }
    const again = await open(account.key, { headers: { 'last-event-id': place } });
    await again.until(tells(said[1] ?? ''));
    expect(again.told.flatMap(({ event, data }) => (event === 'comment' ? data.id : []))).toEqual(said);
  });

  it('hears of nothing twice that it has heard of, where it has come as far as it goes', async () => {
    const first = await open(account.key);
    const { id } = await acceptNumber(api.db, account.id);
    await first.until(tells(id));
    const again = await open(account.key, { headers: { 'last-event-id': first.lastId() } });
    const { id: next } = await acceptNumber(api.db, account.id);
    expect((await again.until(tells(next))).map(({ data }) => data.id)).toEqual([next]);
  });

  it('is told to load its lists again where its place is not known any more', async () => {
    const { id: before } = await acceptNumber(api.db, account.id);
    const now = await open(account.key);
    const [txid = '', seq, at] = now.lastId().split('.');
    const dayAgo = Date.now() - 24 * 3_600_000;
    for (const place of [
      `${txid}.${seq}.${dayAgo - 1}`,
      // Of a database that was further: a backup has been restored.
      `${BigInt(txid) + 1_000_000n}.0.${at}`,
      'x',
      `${'9'.repeat(30)}.1.1`,
    ]) {
      const stream = await open(account.key, { headers: { 'last-event-id': place } });
      const [reset] = await stream.until((told) => told.length > 0);
      expect(reset, place).toMatchObject({ event: 'reset', data: {} });
      const { id } = await acceptNumber(api.db, account.id);
      await stream.until(tells(id));
      expect(stream.told.map(({ data }) => data.id)).not.toContain(before);
    }
  });

  it('finds changes kept for a day and an hour, and no longer', async () => {
    const { id: old } = await acceptNumber(api.db, account.id);
    const { id: kept } = await acceptNumber(api.db, account.id);
    const age = (id: string, hours: number) =>
      api.db
        .update(changeFeed)
        .set({ at: sql`now() - ${hours} * interval '1 hour'` })
        .where(eq(changeFeed.numberId, id));
    await age(old, 25.1);
    await age(kept, 24.9);
    expect(await deleteOldChanges(api.db)).toBe(1);
    const left = await api.db.select().from(changeFeed).where(eq(changeFeed.numberId, kept));
    expect(left).toHaveLength(1);
  });
});

describe('nothing is missed', () => {
  it('of transactions that commit out of order, nor by who comes and goes meanwhile', {
    timeout: 120_000,
  }, async () => {
    const rows = [];
    for (let n = 0; n < 200; n++) rows.push(await acceptNumber(api.db, account.id));
    const ids = rows.map(({ id }) => id);
    const steady = await open(support.key, { query: `?accountId=${account.id}` });

    /** The latest revision of each number that a client who comes and goes has heard of. */
    const heard = new Map<string, number>();
    let place = steady.lastId();
    let going = true;
    const restless = (async () => {
      while (going) {
        const stream = await listen(api, account.key, { headers: { 'last-event-id': place } });
        const enough = stream.told.length + 7;
        await stream.until((told) => told.length >= enough || !going).catch(() => {});
        for (const { data } of stream.told)
          heard.set(data.id, Math.max(data.revision, heard.get(data.id) ?? 0));
        place = stream.lastId();
        stream.close();
      }
    })();

    // Begun first, committed last: all others overtake it.
    let commit = () => {};
    const held = api.db.transaction(async (tx) => {
      await tx
        .update(numbers)
        .set({ revision: 50 })
        .where(eq(numbers.id, ids[0] ?? ''));
      await new Promise<void>((resolve) => {
        commit = resolve;
      });
    });
    const changes = ids.slice(1).map((id, index) => async () => {
      await change(id);
      await api.db.transaction(async (tx) => {
        await tx.update(numbers).set({ revision: 10 }).where(eq(numbers.id, id));
        // Some hold their change while others come and go.
        if (index % 10 === 0) await api.db.execute(sql`select pg_sleep(0.05)`);
      });
    });
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        for (let next = changes.pop(); next; next = changes.pop()) await next();
      }),
    );
    commit();
    await held;

    const complete = (of: (id: string) => number | undefined) =>
      of(ids[0] ?? '') === 50 && ids.slice(1).every((id) => of(id) === 10);
    const latest = (told: Listening['told']) => {
      const revisions = new Map(told.map(({ data }) => [data.id, data.revision]));
      return (id: string) => revisions.get(id);
    };
    await steady.until((told) => complete(latest(told)));
    // Seven at a time, and each time when nobody on the whole server has a transaction under way that is older.
    await expect.poll(() => complete((id) => heard.get(id)), { timeout: 60_000 }).toBe(true);
    going = false;
    // Wakes the client that waits for more.
    await change(ids[1] ?? '');
    await restless;
  });
});

describe('a stream ends', () => {
  it('when its key is revoked or expires', async () => {
    for (const values of [{ revokedAt: new Date() }, { expiresAt: new Date() }]) {
      const { key, keyId } = await createAccount(api.db);
      const [ends, stays] = await Promise.all([open(key), open(account.key)]);
      await api.db.update(apiKeys).set(values).where(eq(apiKeys.id, keyId));
      await ends.ended;
      const { id } = await acceptNumber(api.db, account.id);
      await stays.until(tells(id));
      expect((await listen(api, key, { headers: { 'last-event-id': ends.lastId() } })).status).toBe(401);
    }
  });

  it('when its person is disabled, or becomes something else', async () => {
    for (const values of [{ banned: true }, { role: 'operator' as const }]) {
      const { id, key } = await createStaff(api.db, 'support');
      const { cookie } = await startSession(api.db, id);
      const streams = await Promise.all([open(key), open(null, { headers: { cookie } })]);
      await api.db.update(people).set(values).where(eq(people.id, id));
      await Promise.all(streams.map(({ ended }) => ended));
    }
  });

  it('when its session ends, or its person leaves the account', async () => {
    const member = async () => {
      const id = newId('usr');
      await api.db.insert(people).values({ id, name: 'Member', email: `${id}@customer.example` });
      await api.db.insert(memberships).values({ id: newId('mem'), organizationId: account.id, personId: id });
      const session = await startSession(api.db, id);
      return { id, sessionId: session.id, stream: await open(null, { headers: { cookie: session.cookie } }) };
    };
    const [signsOut, leaves, stays] = [await member(), await member(), await member()];
    await api.db.delete(sessions).where(eq(sessions.id, signsOut.sessionId));
    await api.db.delete(memberships).where(eq(memberships.personId, leaves.id));
    await Promise.all([signsOut.stream.ended, leaves.stream.ended]);
    const { id } = await acceptNumber(api.db, account.id);
    await stays.stream.until(tells(id));
  });

  it('when its account is closed, for keys and sessions', async () => {
    const closed = await createAccount(api.db);
    const id = newId('usr');
    await api.db.insert(people).values({ id, name: 'Member', email: `${id}@customer.example` });
    await api.db.insert(memberships).values({ id: newId('mem'), organizationId: closed.id, personId: id });
    const { cookie } = await startSession(api.db, id);
    const streams = await Promise.all([open(closed.key), open(null, { headers: { cookie } })]);
    await api.db.update(organizations).set({ closedAt: new Date() }).where(eq(organizations.id, closed.id));
    await Promise.all(streams.map(({ ended }) => ended));
  });
});

describe('how many', () => {
  it('one key may have 20, one account a quarter, and a process no more than it is told; each that ends makes room', async () => {
    const streams: Listening[] = [];
    for (let n = 0; n < 20; n++) streams.push(await open(account.key));
    const refused = await api.call(account.key, 'GET', '/v1/stream');
    expect(problemOf(refused).code).toBe('rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const { key: second } = await createApiKey(api.db, {
      organizationId: account.id,
      name: 'second',
      scopes: ['read'],
    });
    await open(second);
    expect(problemOf(await api.call(second, 'GET', '/v1/stream')).detail).toContain('of one account');
    for (let more = 63; more > 0; more -= 20) {
      const staff = await createStaff(api.db, 'support');
      for (let n = 0; n < Math.min(more, 20); n++) await open(staff.key);
    }
    expect(problemOf(await api.call(support.key, 'GET', '/v1/stream')).code).toBe('unavailable');
    expect(await api.app.metrics.metrics()).toMatch(/^streams_open 84$/m);
    streams[0]?.close();
    await expect.poll(async () => (await listen(api, account.key)).status).toBe(200);
    expect(await api.app.metrics.metrics()).toMatch(/^streams_ended_total\{reason="client"\} [1-9]/m);
  });
});
