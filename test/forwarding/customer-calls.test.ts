/** What customers ask for, and what then reaches their systems. */
import { eq } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numbers } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { until } from '../../dev/until.ts';
import { problemOf, startTestApi, type TestApi } from '../api/harness.ts';
import { type Customer, startCustomer, status } from '../support/customer.ts';
import { connectWaba, messageUpdate, numberAtMeta, startForwarding } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';

let api: TestApi;
let customer: Customer;
let forwarding: Awaited<ReturnType<typeof startForwarding>>;
let key: string;
let accountId: string;
let waba: Awaited<ReturnType<typeof connectWaba>>;
let paths = 0;

beforeAll(async () => {
  customer = await startCustomer();
  const env = { SAMPLE_ENDPOINT: customer.endpoint, ALLOW_HTTP_URLS: 'true' };
  api = await startTestApi(env);
  forwarding = await startForwarding({ db: api.db, url: api.config.DATABASE_URL }, env);
  ({ key, id: accountId } = await createAccount(api.db));
  waba = await connectWaba(api.db, accountId);
});
afterAll(async () => {
  await customer.close();
  await forwarding.stop();
  await api.close();
});

const get = async (url: string) => (await api.call(key, 'GET', url)).json();
async function post(url: string, body?: object) {
  const answer = await api.call(key, 'POST', url, body);
  expect(answer.statusCode, answer.body).toBeLessThan(300);
  return answer.json();
}
async function numberWithUrl() {
  const path = `/incoming/${++paths}`;
  const number = await numberAtMeta(api.db, accountId, waba.id, { incomingUrl: customer.url(path) });
  return { ...number, path, at: `/v1/numbers/${number.id}` };
}
const eventually = (check: () => unknown) => until(async () => check(), AbortSignal.timeout(40_000));
const received = (path: string, count: number) =>
  eventually(() => expect(customer.at(path)).toHaveLength(count));
const settled = (deliveryId: string, state = 'delivered') =>
  eventually(async () => expect(await get(`/v1/deliveries/${deliveryId}`)).toMatchObject({ status: state }));
const verify = (secret: string, path: string, index: number) => {
  const { body = '', headers = {} } = customer.at(path)[index] ?? {};
  return new Webhook(secret).verify(body, headers as Record<string, string>);
};

describe('a test event', () => {
  it('arrives, signed with the secret that was drawn, and along with the one before it', async () => {
    const { path, at, id } = await numberWithUrl();
    const first = await post(`${at}/incoming-secret`);
    const { deliveryId } = await post(`${at}/test-event`, { target: 'incoming' });
    await settled(deliveryId);
    expect(verify(first.secret, path, 0)).toMatchObject({
      type: 'test',
      data: { numberId: id, target: 'incoming' },
    });
    const { attempts } = await get(`/v1/deliveries/${deliveryId}`);
    expect(attempts).toEqual([
      { at: expect.any(String), status: 200, latencyMs: expect.any(Number), answer: 'ok', error: null },
    ]);

    const second = await post(`${at}/incoming-secret`);
    await settled((await post(`${at}/test-event`, { target: 'incoming' })).deliveryId);
    expect(verify(first.secret, path, 1)).toEqual(verify(second.secret, path, 1));
    expect(() => verify(second.secret, path, 0)).toThrow();
  });

  it('arrives at a callback profile, signed with the secret that its creation showed', async () => {
    const path = `/callback/${++paths}`;
    const { id, secret } = await post('/v1/callback-profiles', { name: 'Orders', url: customer.url(path) });
    const number = await numberWithUrl();
    await api.db.update(numbers).set({ callbackProfileId: id }).where(eq(numbers.id, number.id));
    await settled((await post(`${number.at}/test-event`, { target: 'callback' })).deliveryId);
    expect(verify(secret, path, 0)).toMatchObject({ type: 'test', data: { target: 'callback' } });
    expect((await get(`/v1/callback-profiles/${id}`)).target.lastSuccessAt).not.toBeNull();
  });

  it('waits for nothing that fails before it', async () => {
    const { path, at, ...number } = await numberWithUrl();
    customer.answer(path, (response, { body }) => response.writeHead(/"test"/.test(body) ? 200 : 500).end());
    await storeUpdates(api.db, [messageUpdate(waba, number)]);
    await received(path, 1);
    await settled((await post(`${at}/test-event`, { target: 'incoming' })).deliveryId);
  });
});

describe('a replay', () => {
  it('of what was taken comes with the same id', async () => {
    const { path, at, ...number } = await numberWithUrl();
    await storeUpdates(api.db, [messageUpdate(waba, number), messageUpdate(waba, number)]);
    await received(path, 2);
    const [newest] = (await get(`${at}/deliveries`)).items;
    await settled(newest.id);
    await post(`/v1/deliveries/${newest.id}/replay`);
    await received(path, 3);
    expect(customer.at(path)[2]?.headers['webhook-id']).toBe(newest.eventId);
    await settled(newest.id);
    expect((await get(`/v1/deliveries/${newest.id}`)).attempts).toHaveLength(2);
    const all = await post(`${at}/deliveries/replay`, { since: newest.createdAt, status: 'delivered' });
    expect(all.replayed).toBeGreaterThan(0);
    await received(path, 3 + all.replayed);
    expect(new Set(customer.at(path).map(({ headers }) => headers['webhook-id'])).size).toBe(2);
  });
});

describe('a target that is off', () => {
  it('tells so, takes no test, and gets what waits when it is switched on', async () => {
    const { path, at, ...number } = await numberWithUrl();
    customer.answer(path, status(410));
    await storeUpdates(api.db, [messageUpdate(waba, number, { text: 'first' })]);
    await eventually(async () =>
      expect(await get(`${at}/incoming-url`)).toMatchObject({ state: 'off', offReason: 'gone' }),
    );
    await storeUpdates(api.db, [messageUpdate(waba, number, { text: 'second' })]);
    const refused = await api.call(key, 'POST', `${at}/test-event`, { target: 'incoming' });
    expect(problemOf(refused).code).toBe('target_off');

    customer.answer(path, status(200));
    expect(await post(`${at}/incoming-url/enable`)).toMatchObject({ state: 'on' });
    await received(path, 3);
    const textOf = ({ body }: { body: string }) => JSON.parse(body).data.meta.messages[0].text.body;
    const [, ...after] = customer.at(path).map(textOf);
    expect(after.sort()).toEqual(['first', 'second']);
    const { items } = await get(`${at}/events`);
    expect(items.slice(1).map(({ type }: { type: string }) => type)).toEqual(['target.off', 'target.on']);
  });
});
