import { and, eq, sql } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import {
  deliveriesToReplay,
  getDelivery,
  listDeliveries,
  replayDeliveries,
  replayDelivery,
} from '../../db/deliveries.ts';
import { readEvents } from '../../db/event-feed.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { deliveries, emails, numberEvents, numbers, targets } from '../../db/schema.ts';
import { switchOn } from '../../db/target-on.ts';
import { getTarget, rotateSecret } from '../../db/targets.ts';
import { storeUpdates, type Update } from '../../db/updates.ts';
import { until } from '../../dev/until.ts';
import { targetSecrets } from '../../targets/secrets.ts';
import { type Customer, startCustomer, status } from '../support/customer.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  callbackProfile,
  connectWaba,
  messageUpdate,
  numberAtMeta,
  startForwarding,
} from '../support/forwarding.ts';
import { CUSTOMER } from '../support/number-state.ts';
import { createAccount } from '../support/stack.ts';

type Forwarding = Awaited<ReturnType<typeof startForwarding>>;

let database: TestDatabase;
let customer: Customer;
let accountId: string;
let waba: { id: string; wabaId: string };
let forwarding: Forwarding;
let paths = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  customer = await startCustomer();
  accountId = (await createAccount(database.db)).id;
  waba = await connectWaba(database.db, accountId);
  forwarding = await startForwarding(database, { SAMPLE_ENDPOINT: customer.endpoint });
});
afterAll(async () => {
  await customer.close();
  await forwarding.stop();
  await database.drop();
});
afterEach(() => {
  customer.received.length = 0;
});

const eventually = (holds: () => boolean | Promise<boolean>) =>
  until(async () => expect(await holds()).toBe(true), AbortSignal.timeout(40_000));
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** A number whose Incoming URL is a path of its own. */
async function numberWithUrl(changes: Partial<typeof numbers.$inferInsert> = {}) {
  const path = `/incoming/${++paths}`;
  const number = await numberAtMeta(database.db, accountId, waba.id, {
    incomingUrl: customer.url(path),
    ...changes,
  });
  return { ...number, path };
}
type Number = Awaited<ReturnType<typeof numberWithUrl>>;

const send = (number: Number, ...all: Parameters<typeof messageUpdate>[2][]) =>
  storeUpdates(
    database.db,
    all.map((changes): Update => messageUpdate(waba, number, changes)),
  );
const rowsOf = (number: Number) =>
  database.db.select().from(deliveries).where(eq(deliveries.numberId, number.id)).orderBy(deliveries.id);
const stateOf = async (number: Number) => (await rowsOf(number)).map(({ state }) => state);
const allDelivered = async (number: Number) =>
  (await stateOf(number)).every((state) => state === 'delivered');
const textOf = ({ body }: { body: string }) => JSON.parse(body).data.meta.messages[0].text.body;
const targetOf = (id: string) => getTarget(database.db, id);
const timeline = (numberId: string) =>
  database.db
    .select()
    .from(numberEvents)
    .where(and(eq(numberEvents.numberId, numberId), eq(numberEvents.type, 'target.off')));

/** Gives a target a secret and returns it, as its owner would ask for one. */
async function newSecret(id: string, kind: 'incoming' | 'callback' = 'incoming'): Promise<string> {
  const { secret, sealed } = await targetSecrets(secretsOf(forwarding.config)).create();
  await database.db.transaction((tx) => rotateSecret(tx, { id, accountId, kind, sealed }));
  return secret;
}

describe('what is sent', () => {
  test('a message, signed as Standard Webhooks, with what Meta sent as it was', async () => {
    const number = await numberWithUrl();
    const secret = await newSecret(number.id);
    const content =
      '{"messages":[{"from":"1","text":{"body":"\\u0000 ü"}}],"new":[1.50,12345678901234567890]}';
    await send(number, { content, at: new Date('2026-11-01T10:00:00Z') });
    await eventually(() => allDelivered(number));
    const [received] = customer.at(number.path);
    const headers = received?.headers as Record<string, string>;
    expect(received?.body).toBe(
      `{"type":"message.received","timestamp":"2026-11-01T10:00:00.000Z","data":{"numberId":"${number.id}","mobileNumber":"${number.mobileNumber}","meta":${content}}}`,
    );
    expect(new Webhook(secret).verify(received?.body ?? '', headers)).toMatchObject({
      type: 'message.received',
    });
    expect(() => new Webhook(secret).verify(`${received?.body} `, headers)).toThrow();
    expect(headers).toMatchObject({ 'content-type': 'application/json' });

    const { items } = await listDeliveries(database.db, number.id, { before: null, limit: 10 });
    expect(items).toMatchObject([
      {
        type: 'message.received',
        row: { state: 'delivered', tries: 1, attempts: [{ status: 200, answer: 'ok', error: null }] },
      },
    ]);
    // Catching up gives the same event.
    await eventually(async () => {
      const page = await readEvents(database.db, accountId, { after: null, limit: 100 });
      if (typeof page === 'string') throw new Error(page);
      return page.events.some(({ id, content: told }) => id === headers['webhook-id'] && told === content);
    });
  });

  test('a status to the callback profile, our own events to the Incoming URL', async () => {
    const callback = `/callback/${++paths}`;
    const profile = await callbackProfile(database.db, accountId, { url: customer.url(callback) });
    const number = await numberWithUrl({ callbackProfileId: profile });
    const secret = await newSecret(profile, 'callback');
    await storeUpdates(database.db, [
      messageUpdate(waba, number, { type: 'message.status', status: 'read', content: '{"statuses":[]}' }),
    ]);
    const own = { numberId: number.id, at: new Date(), operationId: newId('op') };
    await database.db.transaction((tx) =>
      insertOwnEvents(tx, [
        { ...own, type: 'number.quality_changed', data: { qualityColor: 'RED' } },
        { ...own, type: 'test', data: {}, target: 'callback' },
      ]),
    );
    await eventually(async () => (await rowsOf(number)).length === 3 && (await allDelivered(number)));
    for (const { body, headers } of customer.at(callback)) {
      new Webhook(secret).verify(body, headers as Record<string, string>);
    }
    expect(
      customer
        .at(callback)
        .map(({ body }) => JSON.parse(body).type)
        .toSorted(),
    ).toEqual(['message.status', 'test']);
    const [quality] = customer.at(number.path);
    expect(JSON.parse(quality?.body ?? '')).toMatchObject({
      type: 'number.quality_changed',
      data: { numberId: number.id, mobileNumber: number.mobileNumber, qualityColor: 'RED' },
    });
  });

  test('with both secrets for a day after one was replaced, then with the new one only', async () => {
    const number = await numberWithUrl();
    const old = await newSecret(number.id);
    const current = await newSecret(number.id);
    await send(number, {});
    await eventually(() => allDelivered(number));
    const [both] = customer.at(number.path);
    for (const secret of [old, current]) {
      new Webhook(secret).verify(both?.body ?? '', both?.headers as Record<string, string>);
    }
    await database.db
      .update(targets)
      .set({ previousValidUntil: new Date() })
      .where(eq(targets.id, number.id));
    await send(number, {});
    await eventually(() => allDelivered(number));
    const later = customer.at(number.path)[1];
    expect(String(later?.headers['webhook-signature']).split(' ')).toHaveLength(1);
    new Webhook(current).verify(later?.body ?? '', later?.headers as Record<string, string>);
  });
});

test('what cannot be signed waits for a new secret, and nothing of it counts against the target', async () => {
  const number = await numberWithUrl();
  const foreign = { ...forwarding.config, AUTH_SECRET: 'x'.repeat(32), AUTH_SECRET_FALLBACKS: [] };
  const { sealed } = await targetSecrets(secretsOf(foreign)).create();
  await database.db.transaction((tx) =>
    rotateSecret(tx, { id: number.id, accountId, kind: 'incoming', sealed }),
  );
  const unsigned = () => forwarding.told.filter((one) => one === 'unsigned').length;
  await send(number, {});
  await eventually(() => unsigned() === 1);
  forwarding.putForward(6 * DAY);
  await eventually(() => unsigned() === 2);
  expect(await rowsOf(number)).toMatchObject([{ state: 'pending', tries: 0, attempts: [] }]);
  expect(await targetOf(number.id)).toMatchObject({ failures: 0, offAt: null, openUntil: null });
  expect(customer.at(number.path)).toEqual([]);
  await newSecret(number.id);
  forwarding.putForward(MINUTE);
  await eventually(() => allDelivered(number));
});

describe('order', () => {
  test('is kept in each conversation, and conversations go beside each other', async () => {
    const number = await numberWithUrl();
    let under = 0;
    let most = 0;
    customer.answer(number.path, async (response) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      under -= 1;
      response.end();
    });
    const froms = ['1', '2', '3', '4', '5', '6'];
    for (let webhook = 0; webhook < 10; webhook++) {
      await send(
        number,
        ...Array.from({ length: 30 }, (_, n) => ({
          from: froms[n % 6] as string,
          text: String(webhook * 30 + n),
        })),
      );
    }
    await eventually(() => allDelivered(number));
    const received = customer.at(number.path);
    expect(received).toHaveLength(300);
    for (const from of froms) {
      const texts = received
        .filter(({ body }) => JSON.parse(body).data.meta.messages[0].from === from)
        .map((one) => Number(textOf(one)));
      expect(texts).toEqual(texts.toSorted((a, b) => a - b));
      expect(texts).toHaveLength(50);
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });
});

describe('a target that fails', () => {
  test('gets the same bytes with the same id again, later each time, until it takes them', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(500));
    await send(number, {});
    for (const [tries, wait] of [
      [1, 10_000],
      [2, 6 * MINUTE],
      [3, 40 * MINUTE],
    ] as const) {
      await eventually(async () => (await rowsOf(number))[0]?.tries === tries);
      const [row] = await rowsOf(number);
      expect(row).toMatchObject({ state: 'pending', settledAt: null });
      expect(row?.nextAt.getTime()).toBeGreaterThan(forwarding.now().getTime());
      if (tries === 3) customer.answer(number.path, status(204));
      forwarding.putForward(wait);
    }
    await eventually(() => allDelivered(number));
    const received = customer.at(number.path);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(4);
    const [row] = await rowsOf(number);
    expect(row?.attempts.map(({ status }) => status)).toEqual([500, 500, 500, 204]);
    expect(row?.attempts[0]).toMatchObject({
      answer: 'status 500',
      error: 'Status 500: only 2xx means that it was taken.',
    });
    expect(await targetOf(number.id)).toMatchObject({
      failures: 0,
      failingSince: null,
    });
  });

  test('what was given up is replayed with the same id', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(404));
    await send(number, {});
    for (let tries = 1; tries <= 10; tries++) {
      await eventually(async () => (await rowsOf(number))[0]?.tries === tries);
      // Not days of failure: what is looked at here is the schedule.
      await database.db.update(targets).set({ failingSince: null }).where(eq(targets.id, number.id));
      forwarding.putForward(30 * 60 * MINUTE);
    }
    expect(await stateOf(number)).toEqual(['failed']);
    customer.answer(number.path, status(200));
    const delivery = await getDelivery(
      database.db,
      accountId,
      `dlv_${(await rowsOf(number))[0]?.id.replaceAll('-', '')}`,
    );
    if (!delivery) throw new Error('not found');
    await database.db.transaction((tx) => replayDelivery(tx, delivery));
    await eventually(() => allDelivered(number));
    const ids = customer.at(number.path).map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(11);
    expect(new Set(ids).size).toBe(1);
  });

  test('is probed with one delivery at a time after five failures, and sent everything when it takes one', async () => {
    const number = await numberWithUrl();
    let under = 0;
    let most = 0;
    customer.answer(number.path, async (response) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, 20));
      under -= 1;
      response.writeHead(503).end();
    });
    await send(number, ...Array.from({ length: 40 }, (_, n) => ({ from: String(n), text: String(n) })));
    const failures = async () => (await targetOf(number.id))?.failures ?? 0;
    await eventually(async () => (await failures()) >= 5);
    const before = await failures();
    expect(customer.at(number.path).length).toBeLessThan(40);
    most = 0;
    for (let probe = 1; probe <= 3; probe++) {
      forwarding.putForward(6 * MINUTE);
      await eventually(async () => (await failures()) === before + probe);
    }
    expect(most).toBe(1);
    customer.answer(number.path, status(200));
    forwarding.putForward(60 * MINUTE);
    await eventually(() => allDelivered(number));
  });

  test('that asks for time with 429 is sent nothing else meanwhile', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(429, { 'retry-after': '600' }));
    await send(number, { text: 'first' });
    await eventually(async () => (await rowsOf(number))[0]?.tries === 1);
    const target = await targetOf(number.id);
    expect(target?.openUntil?.getTime()).toBeGreaterThan(forwarding.now().getTime() + 500_000);
    await send(number, { text: 'second' });
    // Others are, so that it could have been.
    const other = await numberWithUrl();
    await send(other, {});
    await eventually(() => allDelivered(other));
    expect(customer.at(number.path)).toHaveLength(1);
    customer.answer(number.path, status(200));
    forwarding.putForward(11 * MINUTE);
    await eventually(() => allDelivered(number));
  });

  test('with 410 is switched off, with a timeline event and an email, and sent what is left when it is on again', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(410));
    await send(number, {});
    await eventually(async () => (await targetOf(number.id))?.offReason === 'gone');
    await send(number, {});
    expect(await timeline(number.id)).toMatchObject([
      { data: { target: 'incoming', reason: 'gone' }, revision: null, actor: { type: 'system' } },
    ]);
    const [email] = await database.db
      .select()
      .from(emails)
      .where(and(eq(emails.numberId, number.id), eq(emails.kind, 'target-off')));
    expect(email).toMatchObject({
      lane: number.id,
      data: { reason: 'gone', origin: `http://${customer.endpoint}` },
    });
    forwarding.putForward(DAY);
    expect(customer.at(number.path)).toHaveLength(1);
    customer.answer(number.path, status(200));
    await database.db.transaction((tx) =>
      switchOn(tx, number.id, { actor: CUSTOMER, operationId: newId('op') }),
    );
    await eventually(() => allDelivered(number));
    expect(customer.at(number.path)).toHaveLength(3);
  });

  test('for five days is switched off; a callback profile is told in the timeline of each number', async () => {
    const path = `/callback/${++paths}`;
    const profile = await callbackProfile(database.db, accountId, {
      url: customer.url(path),
      name: 'Orders',
    });
    const [one, two] = [
      await numberWithUrl({ callbackProfileId: profile }),
      await numberWithUrl({ callbackProfileId: profile }),
    ];
    customer.answer(path, status(500));
    const tell = () =>
      storeUpdates(database.db, [
        messageUpdate(waba, one, { type: 'message.status', status: 'read', content: '{}' }),
      ]);
    await tell();
    await eventually(async () => (await targetOf(profile))?.failures === 1);
    for (let day = 1; day <= 4; day++) {
      const { failures = 0 } = (await targetOf(profile)) ?? {};
      forwarding.putForward(DAY);
      await tell();
      await eventually(async () => ((await targetOf(profile))?.failures ?? 0) > failures);
    }
    expect(await targetOf(profile)).toMatchObject({ offAt: null });
    forwarding.putForward(DAY);
    await tell();
    await eventually(async () => (await targetOf(profile))?.offReason === 'failing');
    for (const { id } of [one, two]) {
      expect(await timeline(id)).toMatchObject([
        { data: { target: 'callback', reason: 'failing', callbackProfileId: profile } },
      ]);
    }
    expect(forwarding.told).toContain('off: failing');
  });

  test('is sent to again at once with another URL, and nothing that it has failed before counts there', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(429, { 'retry-after': '3600' }));
    await send(number, {});
    await eventually(async () => (await targetOf(number.id))?.failingUrl === number.incomingUrl);
    const since = new Date(forwarding.now().getTime() - 6 * DAY);
    await database.db.update(targets).set({ failingSince: since }).where(eq(targets.id, number.id));
    const path = `/incoming/${++paths}`;
    customer.answer(path, status(502));
    const edited = { incomingUrl: customer.url(path) };
    await database.db.update(numbers).set(edited).where(eq(numbers.id, number.id));
    await send(number, {});
    await eventually(async () => (await targetOf(number.id))?.failingUrl === edited.incomingUrl);
    expect(await targetOf(number.id)).toMatchObject({ failures: 1, offAt: null });
    expect(customer.at(path)).toHaveLength(1);
  });

  test('with 410 at a URL that it has no more is not switched off', async () => {
    const number = await numberWithUrl();
    let answer = () => {};
    customer.answer(number.path, (response) => {
      answer = () => response.writeHead(410).end();
    });
    await send(number, {});
    await eventually(() => customer.at(number.path).length === 1);
    const path = `/incoming/${++paths}`;
    await database.db
      .update(numbers)
      .set({ incomingUrl: customer.url(path) })
      .where(eq(numbers.id, number.id));
    answer();
    await eventually(async () => (await rowsOf(number))[0]?.tries === 1);
    forwarding.putForward(MINUTE);
    await eventually(() => allDelivered(number));
    expect(customer.at(path)).toHaveLength(1);
    expect(await timeline(number.id)).toEqual([]);
  });

  test('and is on is sent all that waits when its owner says that it is mended', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(429, { 'retry-after': '3600' }));
    await send(number, {});
    await eventually(async () => (await targetOf(number.id))?.failures === 1);
    customer.answer(number.path, status(200));
    const isNew = await database.db.transaction((tx) =>
      switchOn(tx, number.id, { actor: CUSTOMER, operationId: newId('op') }),
    );
    expect(isNew).toBe(false);
    await eventually(() => allDelivered(number));
  });

  test('or hangs does not delay another', async () => {
    const hanging = await Promise.all(Array.from({ length: 40 }, () => numberWithUrl()));
    let cut = 0;
    for (const { path } of hanging) {
      customer.answer(path, (response) => response.on('close', () => cut++));
    }
    await Promise.all(
      hanging.map((number) => send(number, ...Array.from({ length: 20 }, (_, n) => ({ from: String(n) })))),
    );
    await eventually(() => hanging.every(({ path }) => customer.at(path).length > 0));
    const healthy = await numberWithUrl();
    await send(healthy, ...Array.from({ length: 100 }, (_, n) => ({ from: String(n % 7), text: String(n) })));
    await eventually(() => allDelivered(healthy));
    expect(cut).toBe(0);
    // Each is cut off in time, and told of.
    await eventually(async () => (await rowsOf(hanging[0] as Number)).some(({ tries }) => tries > 0));
    const [tried] = (await rowsOf(hanging[0] as Number)).filter(({ tries }) => tries > 0);
    expect(tried?.attempts).toMatchObject([{ status: null, error: 'No whole answer within 15 s.' }]);
  });
});

test('a replay that has deliveries locked holds up no others', async () => {
  const [number, other] = [await numberWithUrl(), await numberWithUrl()];
  let answer = () => {};
  customer.answer(number.path, (response) => {
    answer = () => response.end('ok');
  });
  await send(number, {});
  await eventually(() => customer.at(number.path).length === 1);
  await database.db.transaction(async (tx) => {
    const since = new Date(Date.now() - MINUTE);
    const { chosen } = await deliveriesToReplay(tx, number.id, { since, limit: 10 });
    expect(chosen).toHaveLength(1);
    answer();
    await eventually(() => forwarding.told.includes('delivered'));
    for (let n = 0; n < 3; n++) {
      await send(other, {});
      await eventually(() => allDelivered(other));
    }
    expect(await stateOf(number)).toEqual(['pending']);
  });
  await eventually(() => allDelivered(number));
  expect(customer.at(number.path)).toHaveLength(1);
});

test('what PostgreSQL refuses of one delivery holds up no others', async () => {
  const [number, other] = [await numberWithUrl(), await numberWithUrl()];
  await database.db.execute(sql`
    alter table deliveries add constraint no_teapots check (attempts -> 0 ->> 'status' is distinct from '418') not valid`);
  customer.answer(number.path, status(418));
  await send(number, {});
  await eventually(() => customer.at(number.path).length === 1);
  for (let n = 0; n < 3; n++) {
    await send(number, { from: String(n) });
    await send(other, {});
    await eventually(() => allDelivered(other));
  }
  await database.db.execute(sql`alter table deliveries drop constraint no_teapots`);
  await eventually(async () => (await rowsOf(number)).every(({ tries }) => tries === 1));
});

describe('an answer', () => {
  test('counts by its status, also where it breaks off', async () => {
    for (const [code, failure] of [
      [200, null],
      [500, 'Status 500: only 2xx means that it was taken.'],
    ] as const) {
      const number = await numberWithUrl();
      customer.answer(number.path, (response) => {
        response.writeHead(code, { 'content-length': '100' });
        response.write('half', () => response.destroy());
      });
      await send(number, {});
      await eventually(async () => (await rowsOf(number))[0]?.tries === 1);
      const [row] = await rowsOf(number);
      expect(row?.attempts).toMatchObject([{ status: code, answer: 'half', error: failure }]);
      expect(row?.state).toBe(failure === null ? 'delivered' : 'pending');
    }
  });

  test('that never ends is cut off in time, and counts by its status', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, (response) => response.writeHead(200).write('and so on'));
    await send(number, {});
    await eventually(() => allDelivered(number));
    expect((await rowsOf(number))[0]?.attempts).toMatchObject([{ status: 200, answer: 'and so on' }]);
  });

  test('that redirects is a failure, and nobody follows it', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, status(307, { location: customer.url('/elsewhere') }));
    await send(number, {});
    await eventually(async () => (await rowsOf(number))[0]?.tries === 1);
    expect((await rowsOf(number))[0]?.attempts).toMatchObject([
      { status: 307, error: 'Status 307: redirects are not followed.' },
    ]);
    expect(customer.at('/elsewhere')).toEqual([]);
  });

  test('is kept up to 1,024 bytes, whatever is in it', async () => {
    const number = await numberWithUrl();
    customer.answer(number.path, (response) => response.end(`\0\ud800${'ü'.repeat(500_000)}`));
    await send(number, {});
    await eventually(() => allDelivered(number));
    const answer = (await rowsOf(number))[0]?.attempts[0]?.answer ?? '';
    expect(answer.startsWith('\ufffd\ufffdü')).toBe(true);
    expect(Buffer.byteLength(answer)).toBeLessThanOrEqual(1_030);
  });
});

test('all that a number was not sent since a time is replayed, or all of a state', async () => {
  const number = await numberWithUrl();
  customer.answer(number.path, status(500));
  await send(number, { text: '1' }, { text: '2' }, { text: '3' });
  await eventually(async () => (await rowsOf(number)).every(({ tries }) => tries === 1));
  customer.answer(number.path, status(200));
  const since = new Date(Date.now() - MINUTE);
  const replay = (state?: 'delivered') =>
    database.db.transaction(async (tx) => {
      const { chosen, next } = await deliveriesToReplay(tx, number.id, { since, state, limit: 10 });
      await replayDeliveries(tx, chosen);
      return { replayed: chosen.length, next };
    });
  expect(await replay('delivered')).toEqual({ replayed: 0, next: null });
  expect(await replay()).toEqual({ replayed: 3, next: null });
  await eventually(() => allDelivered(number));
  expect(await replay()).toEqual({ replayed: 0, next: null });
  expect(await replay('delivered')).toEqual({ replayed: 3, next: null });
  await eventually(async () => customer.at(number.path).length === 9 && (await allDelivered(number)));
  const texts = customer.at(number.path).map(textOf);
  expect(texts.slice(3)).toEqual(['1', '2', '3', '1', '2', '3']);
});

test('what arrives before there is a target waits for it', async () => {
  const number = await numberWithUrl({ status: 'PENDING_FACEBOOK_APPROVAL' });
  await send(number, { text: 'early' });
  const other = await numberWithUrl();
  await send(other, {});
  await eventually(() => allDelivered(other));
  expect(await stateOf(number)).toEqual(['pending']);
  await database.db.update(numbers).set({ status: 'APPROVED' }).where(eq(numbers.id, number.id));
  await eventually(() => allDelivered(number));
  expect(customer.at(number.path).map(textOf)).toEqual(['early']);
});
