/** Catching up: the account's events, none passed over, each as Meta sent it. */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { firstId, newId } from '../../contract/ids.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { events } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { connectWaba, messageUpdate, numberAtMeta } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let accountId: string;
let waba: Awaited<ReturnType<typeof connectWaba>>;
let number: Awaited<ReturnType<typeof numberAtMeta>>;

beforeAll(async () => {
  api = await startTestApi();
});
beforeEach(async () => {
  ({ key, id: accountId } = await createAccount(api.db));
  waba = await connectWaba(api.db, accountId);
  number = await numberAtMeta(api.db, accountId, waba.id);
});
afterAll(() => api.close());

interface Feed {
  items: { id: string; type: string; timestamp: string; data: Record<string, unknown> }[];
  more: boolean;
}
const call = (query = '', as = key) => api.call(as, 'GET', `/v1/events${query}`);
/** What was committed is told once no transaction of the server is under way that began before, of other tests too. */
async function read(count: number): Promise<Feed> {
  let feed: Feed = { items: [], more: false };
  await expect
    .poll(
      async () => {
        feed = (await call()).json();
        return feed.items.length;
      },
      { timeout: 20_000 },
    )
    .toBe(count);
  return feed;
}
const message = (text: string) => messageUpdate(waba, number, { text });
const own = (changes: object = {}) => ({
  numberId: number.id,
  type: 'number.quality_changed' as const,
  at: new Date(),
  operationId: newId('op'),
  data: { qualityColor: 'RED' },
  ...changes,
});

it('tells what webhooks tell, from the oldest on', async () => {
  await storeUpdates(api.db, [
    message('one'),
    messageUpdate(waba, number, { type: 'change', field: 'account_update' }),
    messageUpdate(waba, number, {
      ...{ type: 'meta.update', field: 'calls', content: '{"field":"calls","meta":{"calls":[1.50]}}' },
    }),
    messageUpdate(waba, number, { type: 'message.status', status: 'read', content: '{"statuses":[]}' }),
  ]);
  await api.db.transaction((tx) => insertOwnEvents(tx, [own()]));
  const { items, more } = await read(4);
  const about = { numberId: number.id, mobileNumber: number.mobileNumber };
  expect(items.map(({ type, data }) => [type, data])).toEqual([
    ['message.received', { ...about, meta: expect.objectContaining({ messages: [expect.anything()] }) }],
    ['meta.update', { ...about, field: 'calls', meta: { calls: [1.5] } }],
    ['message.status', { ...about, meta: { statuses: [] } }],
    ['number.quality_changed', { ...about, qualityColor: 'RED' }],
  ]);
  expect(more).toBe(false);
  expect(items[0]?.id).toMatch(/^evt_[0-9a-f]{32}$/);
});

it('goes on after an event, page by page', async () => {
  await storeUpdates(api.db, ['1', '2', '3', '4', '5'].map(message));
  const all = (await read(5)).items.map(({ id }) => id);
  const seen: string[] = [];
  for (let more = true; more; ) {
    const page: Feed = (await call(`?limit=2${seen.length > 0 ? `&after=${seen.at(-1)}` : ''}`)).json();
    seen.push(...page.items.map(({ id }) => id));
    more = page.more;
  }
  expect(seen).toEqual(all);
  expect((await call(`?after=${all.at(-1)}`)).json()).toEqual({ items: [], more: false });
});

it('passes over nothing that commits late', async () => {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const other = await numberAtMeta(api.db, accountId, waba.id);
  const late = api.db.transaction(async (tx) => {
    await insertOwnEvents(tx, [own({ numberId: other.id })]);
    begun.resolve();
    await end.promise;
  });
  await begun.promise;
  await storeUpdates(api.db, [message('two')]);
  // Stored, and not told before what may come before it.
  expect((await call()).json()).toEqual({ items: [], more: false });
  end.resolve();
  await late;
  const { items } = await read(2);
  expect(items.map(({ type }) => type)).toEqual(['number.quality_changed', 'message.received']);
});

it('gives on what Meta sent byte for byte', async () => {
  const content = '{"messages":[{"id":12345678901234567890.10,"text":{"body":"\\u0000\\ud83d / \\/"}}]}';
  await storeUpdates(api.db, [messageUpdate(waba, number, { content })]);
  await read(1);
  const answer = await call();
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(answer.body).toContain(`"meta":${content}`);
});

it('keeps pages small, however large events are', async () => {
  const large = (size: number) => messageUpdate(waba, number, { text: 'x'.repeat(size) });
  const sizes = [2_000_000, 600_000, 300_000, 600_000, 10];
  await storeUpdates(api.db, sizes.map(large));
  await read(1);
  const pages: number[] = [];
  let after = '';
  for (let more = true; more; ) {
    const page: Feed = (await call(after)).json();
    pages.push(page.items.length);
    after = `?after=${page.items.at(-1)?.id}`;
    more = page.more;
  }
  expect(pages).toEqual([1, 2, 2]);
});

it('is the own account alone', async () => {
  await storeUpdates(api.db, [message('ours')]);
  const [event] = (await read(1)).items;
  const other = (await createAccount(api.db)).key;
  expect((await call('', other)).json()).toEqual({ items: [], more: false });
  expect(problemOf(await call(`?after=${event?.id}`, other))).toMatchObject({ code: 'malformed_request' });
});

it('says of an `after` that is none, or too old, what to do', async () => {
  for (const unknown of ['evt_0', newId('evt'), number.id, '']) {
    const problem = problemOf(await call(`?after=${unknown}`));
    expect(problem).toMatchObject({
      code: 'malformed_request',
      errors: [{ pointer: 'after', code: 'unknown' }],
    });
  }
  const old = `${firstId('evt', Date.now() - 31 * 24 * 3_600_000)}${randomUUID().replaceAll('-', '').slice(12)}`;
  const gone = await call(`?after=${old}`);
  expect([gone.statusCode, problemOf(gone).code]).toEqual([410, 'events_gone']);
  await api.db.delete(events).where(eq(events.accountId, accountId));
  expect((await call()).json()).toEqual({ items: [], more: false });
});
