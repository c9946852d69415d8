/** The client against the product: API process, worker, Temporal, and a network that loses answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient, ProblemError } from '../../client/index.ts';
import { until } from '../../dev/until.ts';
import { submission } from '../support/http.ts';
import { png } from '../support/pictures.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let api: ProductProcess;
let proxy: TestProxy;
let customer: Client;
let other: Client;
let support: Client;
/** The customer over the proxy. */
let roaming: Client;

beforeAll(async () => {
  stack = await startStack();
  api = await startApi(stack.env);
  proxy = await startProxy(api.url);
  const { key } = await createAccount(stack.db);
  const client = (apiKey: string, baseUrl = api.url) =>
    createClient({ baseUrl, apiKey, backoff: { firstMs: 20, mostMs: 200 } });
  customer = client(key);
  roaming = client(key, `http://${proxy.address}`);
  other = client((await createAccount(stack.db, 'Other')).key);
  support = client((await createStaff(stack.db, 'support')).key);
});
afterAll(async () => {
  await proxy.close();
  await api.stop();
  await stack.close();
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a number', () => {
  it('goes through its life', async () => {
    const { id } = await customer.numbers.submit(submission({ address: 'Somewhere else 7' }));
    const rejected = await support.reviews.verify(id, {
      outcome: 'rejected',
      reason: 'Not yours.',
      fields: ['address'],
    });
    expect(rejected).toMatchObject({ status: 'REJECTED', rejection: { reason: 'Not yours.' } });
    expect((await customer.numbers.resubmit(id, { address: null })).attempt).toBe(2);
    await support.reviews.verify(id, { outcome: 'approved' });
    const approved = await support.reviews.recordFacebookDecision(id, { outcome: 'approved' });
    const edited = await customer.numbers.edit(id, { address: 'Via Roma 1' }, { ifMatch: approved.revision });
    expect(edited.address).toBe('Via Roma 1');
    await expect(
      customer.numbers.edit(id, { address: 'Via Roma 2' }, { ifMatch: approved.revision }),
    ).rejects.toMatchObject({ code: 'revision_conflict' });
    expect(await customer.numbers.release(id)).toBeUndefined();
    expect((await customer.numbers.get(id)).status).toBe('RELEASED');
    const story = (await all(customer.numbers.events(id))).map(({ type }) => type);
    expect([story[0], story.at(-1)]).toEqual(['submitted', 'released']);
  });

  it('is refused with all that the API tells', async () => {
    const error: ProblemError = await customer.numbers
      .submit({ ...submission(), displayName: 'x', website: 'ftp://x' })
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error.code).toBe('invalid_request');
    expect(error.errors.map(({ pointer }) => pointer).sort()).toEqual(['/displayName', '/website']);
    expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a picture', () => {
  it('is uploaded, given to an approved number, and read', async () => {
    const file = new Blob([(await png()) as Buffer<ArrayBuffer>]);
    const { id: imageId, url, warnings } = await customer.images.upload(file);
    expect(warnings).toEqual([]);
    const { id } = await customer.numbers.submit(submission());
    await support.reviews.verify(id, { outcome: 'approved' });
    await support.reviews.recordFacebookDecision(id, { outcome: 'approved' });
    const edited = await customer.numbers.edit(id, { imageId });
    expect(edited).toMatchObject({ imageId, imageUrl: url });
    const { contentType, bytes } = await support.images.get(imageId);
    expect([contentType, bytes[1]]).toEqual(['image/png', 'P'.charCodeAt(0)]);
    await expect(other.images.get(imageId)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a list', () => {
  it('is walked over its pages', async () => {
    const ids = [];
    for (let i = 0; i < 5; i++) ids.unshift((await other.numbers.submit(submission())).id);
    expect((await all(other.numbers.list({ limit: 2 }))).map(({ id }) => id)).toEqual(ids);
    const first = await other.numbers.list({ limit: 2, status: ['PENDING_VERIFICATION', 'APPROVED'] }).page();
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await other.numbers.list({ limit: 2 }).page(first.nextCursor ?? '');
    expect(second.items.map(({ id }) => id)).toEqual(ids.slice(2, 4));
    expect(await all(other.numbers.list({ status: 'REJECTED' }))).toEqual([]);
  });
});

describe('a lost answer', () => {
  it('to a submission is asked for again, and nothing is submitted twice', async () => {
    const body = submission();
    const lost = proxy.hold({ seen: ['POST /v1/numbers ', body.mobileNumber], hold: 'answer' });
    const submitting = roaming.numbers.submit(body);
    await lost.reached;
    const held = () => all(customer.numbers.list({ mobileNumber: body.mobileNumber }));
    await until(async () => expect(await held()).toHaveLength(1), AbortSignal.timeout(10_000));
    proxy.drop();
    const { id } = await submitting;
    expect((await held()).map((one) => one.id)).toEqual([id]);
    expect(await all(customer.numbers.events(id))).toHaveLength(1);
  });

  it('to an edit is asked for again, and nothing is edited twice', async () => {
    const { id } = await customer.numbers.submit(submission());
    await support.reviews.verify(id, { outcome: 'approved' });
    await support.reviews.recordFacebookDecision(id, { outcome: 'approved' });
    const lost = proxy.hold({ seen: ['PATCH /v1/numbers/', 'Via Roma'], hold: 'answer' });
    const editing = roaming.numbers.edit(id, { address: 'Via Roma 1' });
    await lost.reached;
    const edited = async () => expect((await customer.numbers.get(id)).address).toBe('Via Roma 1');
    await until(edited, AbortSignal.timeout(10_000));
    proxy.drop();
    expect((await editing).address).toBe('Via Roma 1');
    const edits = (await all(customer.numbers.events(id))).filter(({ type }) => type === 'edited');
    expect(edits).toHaveLength(1);
  });

  it('does not come before the request has arrived: that is sent again', async () => {
    const body = submission();
    const lost = proxy.hold({ seen: ['POST /v1/numbers '], hold: 'request' });
    const submitting = roaming.numbers.submit(body);
    await lost.reached;
    proxy.drop();
    expect((await submitting).mobileNumber).toBe(body.mobileNumber);
  });
});

describe('the stream', () => {
  it('tells of changes, and goes on where it was when the connection broke', async () => {
    const seen: string[] = [];
    const stop = new AbortController();
    const opened = Promise.withResolvers<void>();
    const listening = (async () => {
      for await (const { event, data } of roaming.stream({ signal: stop.signal, onOpen: opened.resolve })) {
        if (event === 'number') seen.push(`${data.id} ${data.status}`);
        if (event === 'comment') seen.push(`${data.numberId} ${data.type} ${data.data['text']}`);
      }
    })();
    const tells = (told: string) =>
      until(async () => expect(seen).toContain(told), AbortSignal.timeout(20_000));
    await Promise.race([opened.promise, listening]);
    const { id } = await customer.numbers.submit(submission());
    await tells(`${id} PENDING_VERIFICATION`);
    proxy.drop();
    await support.reviews.verify(id, { outcome: 'approved' });
    await tells(`${id} PENDING_FACEBOOK_APPROVAL`);
    await customer.numbers.comment(id, { text: 'Thank you' });
    await tells(`${id} comment Thank you`);
    stop.abort(new Error('Enough.'));
    await expect(listening).rejects.toThrow('Enough.');
  });

  it('ends with a problem where nobody may listen', async () => {
    const nobody = createClient({ baseUrl: api.url, apiKey: 'wna_nobody' });
    await expect(all(nobody.stream())).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
