/** Reading: pages, filters, timelines, the review queue, entity tags. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import type { Actor, Decision, EventType } from '../../contract/number.ts';
import type { ReviewView } from '../../contract/reviews.ts';
import type { NumberView } from '../../contract/views.ts';
import { numberEvents, numbers } from '../../db/schema.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let keyId: string;
let accountId: string;
let support: { id: string; key: string };

beforeAll(async () => {
  api = await startTestApi();
  ({ key, keyId, id: accountId } = await createAccount(api.db));
  support = await createStaff(api.db, 'support');
});
afterAll(() => api.close());

async function list<T = NumberView>(query: string, as = key, path = '/v1/numbers'): Promise<T[]> {
  const response = await api.call(as, 'GET', `${path}${query}`);
  expect(response.statusCode, response.body).toBe(200);
  return response.json().items;
}

/** Follows `Link: rel="next"` to the end. */
async function allPages(path: string, as = key): Promise<{ id?: string }[][]> {
  const pages: { id?: string }[][] = [];
  for (let url: string | undefined = path; url; ) {
    const response = await api.call(as, 'GET', url);
    expect(response.statusCode, response.body).toBe(200);
    pages.push(response.json().items);
    const link: string | undefined = /^<(.+)>; rel="next"$/.exec(String(response.headers['link'] ?? ''))?.[1];
    expect(link === undefined).toBe(response.json().nextCursor === null);
    url = link;
  }
  return pages;
}

const set = (id: string, values: Partial<typeof numbers.$inferInsert>) =>
  api.db.update(numbers).set(values).where(eq(numbers.id, id));

const decision = (by: Actor, changes: Partial<Decision> = {}): Decision => ({
  decisionId: newId('op'),
  outcome: 'approved',
  reason: null,
  code: null,
  fields: [],
  by,
  at: '2026-11-03T10:00:00.000Z',
  ...changes,
});

describe('pages of numbers', () => {
  it('hold each number once, newest first, also while others come in', async () => {
    const account = await createAccount(api.db);
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift((await submit(api.call, account.key)).id);
    const pages = await allPages('/v1/numbers?limit=3', account.key);
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(pages.flat().map((item) => item.id)).toEqual(ids);

    const first = (await api.call(account.key, 'GET', '/v1/numbers?limit=3')).json();
    await submit(api.call, account.key);
    const second = await list(`?limit=3&cursor=${first.nextCursor}`, account.key);
    expect(second.map((item) => item.id)).toEqual(ids.slice(3, 6));
  });

  it('end with a full one', async () => {
    const account = await createAccount(api.db);
    for (let i = 0; i < 4; i++) await submit(api.call, account.key);
    const pages = await allPages('/v1/numbers?limit=2&status=PENDING_VERIFICATION', account.key);
    expect(pages.map((page) => page.length)).toEqual([2, 2]);
  });
});

describe('filters', () => {
  it('by status, one or several, and by whom it waits for', async () => {
    const account = await createAccount(api.db);
    const by: Record<string, string> = {};
    for (const status of [
      'PENDING_VERIFICATION',
      'PENDING_FACEBOOK_APPROVAL',
      'REJECTED',
      'APPROVED',
    ] as const) {
      const { id } = await submit(api.call, account.key);
      await set(id, { status });
      by[status] = id;
    }
    const ids = async (query: string) => (await list(query, account.key)).map((item) => item.id).sort();
    const pick = (...statuses: string[]) => statuses.map((status) => by[status]).sort();
    expect(await ids('?status=REJECTED')).toEqual(pick('REJECTED'));
    expect(await ids('?status=REJECTED&status=APPROVED')).toEqual(pick('REJECTED', 'APPROVED'));
    expect(await ids('?waitingFor=support')).toEqual(pick('PENDING_VERIFICATION'));
    expect(await ids('?waitingFor=facebook')).toEqual(pick('PENDING_FACEBOOK_APPROVAL'));
    expect(await ids('?waitingFor=customer')).toEqual(pick('REJECTED'));
    expect(await ids('?waitingFor=customer&status=APPROVED')).toEqual([]);
    await set(by['APPROVED'] ?? '', { qualityRating: 'CONNECTED' });
    expect(await ids('?qualityRating=CONNECTED')).toEqual(pick('APPROVED'));
    expect(await ids('?qualityRating=FLAGGED')).toEqual([]);
  });

  it('by number, as people write it', async () => {
    const number = await submit(api.call, key);
    for (const typed of [
      encodeURIComponent(number.mobileNumber),
      number.mobileNumber,
      encodeURIComponent(`+1 (415) ${number.mobileNumber.slice(5, 8)}-${number.mobileNumber.slice(8)}`),
    ]) {
      expect((await list(`?mobileNumber=${typed}`)).map((item) => item.id)).toEqual([number.id]);
    }
  });

  it('by part of a name or number, literally', async () => {
    const plain = await submit(api.call, key, { displayName: 'Größe XL Müller' });
    const odd = await submit(api.call, key, { displayName: '100%_sale\\now' });
    const find = async (q: string) => (await list(`?q=${encodeURIComponent(q)}`)).map((item) => item.id);
    expect(await find('größe')).toEqual([plain.id]);
    expect(await find('xl mü')).toEqual([plain.id]);
    expect(await find('xl mu\u0308ll')).toEqual([plain.id]);
    expect(await find('0%_s')).toEqual([odd.id]);
    expect(await find('e\\n')).toEqual([odd.id]);
    expect(await find('%%%')).toEqual([]);
    expect(await find('___')).toEqual([]);
    expect(await find(plain.mobileNumber.slice(-7))).toEqual([plain.id]);
    expect(await find(`${plain.mobileNumber.slice(0, 5)} ${plain.mobileNumber.slice(5)}`)).toEqual([
      plain.id,
    ]);
    expect(await find('<script>')).toEqual([]);
  });

  it('by time of the last change', async () => {
    const account = await createAccount(api.db);
    const old = await submit(api.call, account.key);
    const fresh = await submit(api.call, account.key);
    await set(old.id, { updatedAt: '2026-01-01T00:00:00.000Z' });
    const since = encodeURIComponent('2026-06-01T02:00:00+02:00');
    expect((await list(`?updatedSince=${since}`, account.key)).map((item) => item.id)).toEqual([fresh.id]);
  });
});

describe('one number', () => {
  it('answers 304 to the ETag that it has', async () => {
    const { id } = await submit(api.call, key);
    const get = (tag?: string) =>
      api.call(key, 'GET', `/v1/numbers/${id}`, undefined, tag === undefined ? {} : { 'if-none-match': tag });
    expect((await get()).headers['etag']).toBe('"1"');
    for (const tag of ['"1"', 'W/"1"', '"7", "1"', '*']) {
      const response = await get(tag);
      expect([response.statusCode, response.body]).toEqual([304, '']);
      expect(response.headers['etag']).toBe('"1"');
    }
    for (const tag of ['"2"', '1', '']) expect((await get(tag)).statusCode).toBe(200);
  });

  it('shows staff the account and the decisions, customers neither', async () => {
    const { id } = await submit(api.call, key);
    const by = { type: 'support', id: support.id } as const;
    await set(id, { facebookDecision: decision(by) });
    const staffView = (await api.call(support.key, 'GET', `/v1/numbers/${id}`)).json();
    expect(staffView).toMatchObject({
      account: { id: accountId, name: 'Widgets Inc.' },
      verification: null,
      facebookDecision: { outcome: 'approved', by, held: true },
      submittedBy: { type: 'customer', id: keyId },
    });
    const response = await api.call(key, 'GET', `/v1/numbers/${id}`);
    expect(response.json()).not.toHaveProperty('account');
    expect(response.json()).not.toHaveProperty('facebookDecision');
    expect(response.body).not.toContain(support.id);
    const listed = await list(`?accountId=${accountId}&limit=1`, support.key);
    expect(listed[0]).toMatchObject({ account: { id: accountId } });
  });

  it('says who rejected it and why, and who is next', async () => {
    const { id } = await submit(api.call, key);
    const by = { type: 'support', id: support.id } as const;
    const reason = 'The address is not yours <b>';
    const rejected = decision(by, { outcome: 'rejected', reason, code: 'address', fields: ['address'] });
    await set(id, { status: 'REJECTED', verification: rejected, dueAt: null, waitingSince: null });
    const view = (await api.call(key, 'GET', `/v1/numbers/${id}`)).json();
    expect(view).toMatchObject({
      waitingFor: 'customer',
      nextAction: { type: 'resubmit', fields: ['address'], dueAt: null },
      rejection: { by: 'support', reason, code: 'address', fields: ['address'], at: rejected.at },
    });
    await set(id, { verification: decision(by), facebookDecision: { ...rejected, fields: [] } });
    const facebook = (await api.call(key, 'GET', `/v1/numbers/${id}`)).json();
    expect(facebook).toMatchObject({ rejection: { by: 'facebook', reason, fields: [] } });
  });
});

describe('timelines', () => {
  it('come oldest first, in pages, and show customers no staff', async () => {
    const { id } = await submit(api.call, key);
    const add = (type: EventType, revision: number | null, visibility: 'everyone' | 'staff') =>
      api.db.insert(numberEvents).values({
        id: newId('evt'),
        numberId: id,
        attempt: 1,
        revision,
        type,
        at: new Date(),
        actor: { type: 'operator', id: support.id },
        data: { note: type },
        visibility,
        operationId: newId('op'),
      });
    await add('verification.approved', 2, 'everyone');
    await add('email.refused', null, 'staff');
    await add('withdrawn', 3, 'everyone');

    const staffView = await allPages(`/v1/numbers/${id}/events?limit=2`, support.key);
    expect(staffView.flat()).toMatchObject([
      { type: 'submitted', attempt: 1, actor: { type: 'customer', id: keyId } },
      { type: 'verification.approved', actor: { type: 'operator', id: support.id } },
      { type: 'email.refused' },
      { type: 'withdrawn', data: { note: 'withdrawn' } },
    ]);
    expect(staffView.map((page) => page.length)).toEqual([2, 2]);
    const customerView = (await allPages(`/v1/numbers/${id}/events?limit=1`)).flat();
    expect(customerView).toMatchObject([
      { type: 'submitted', actor: { type: 'customer', id: keyId } },
      { type: 'verification.approved', actor: { type: 'support', id: null } },
      { type: 'withdrawn', actor: { type: 'support', id: null } },
    ]);
    expect(JSON.stringify(customerView)).not.toContain(support.id);
  });
});

describe('reviews', () => {
  const HOUR = 3_600_000;

  it('list what waits, the longest waiting first, with warnings', async () => {
    await api.db.delete(numberEvents);
    await api.db.delete(numbers);
    const waiting = [];
    for (const [status, hours] of [
      ['PENDING_VERIFICATION', 3],
      ['PENDING_FACEBOOK_APPROVAL', 5],
      ['PENDING_VERIFICATION', 1],
      ['APPROVED', 9],
      ['PENDING_VERIFICATION', 3],
    ] as const) {
      const { id } = await submit(api.call, key);
      await set(id, {
        status,
        waitingSince: new Date(Date.UTC(2026, 10, 3) - hours * HOUR).toISOString(),
        dueAt: new Date(Date.now() + (hours === 5 ? -HOUR : HOUR)).toISOString(),
      });
      waiting.push(id);
    }
    const [a, b, c, , e] = waiting;
    const queue = async (query = '') =>
      (await list<ReviewView>(query, support.key, '/v1/reviews')).map((item) => item.number.id);
    expect(await queue()).toEqual([b, a, e, c]);
    expect(await queue('?stage=verification')).toEqual([a, e, c]);
    expect(await queue('?stage=facebook')).toEqual([b]);
    expect(await queue('?overdue=true')).toEqual([b]);
    expect(await queue('?overdue=false')).toEqual([a, e, c]);
    expect(await queue(`?claimedBy=${support.id}`)).toEqual([]);
    const pages = await allPages('/v1/reviews?limit=1', support.key);
    expect(pages.flat().map((item) => (item as ReviewView).number.id)).toEqual([b, a, e, c]);
    const [first] = await list<ReviewView>('?stage=verification', support.key, '/v1/reviews');
    expect(first).toMatchObject({
      stage: 'verification',
      claimedBy: null,
      claimExpiresAt: null,
      warnings: [],
      number: { id: a, account: { id: accountId } },
    });
  });

  it('warn of a number that is possible but not valid', async () => {
    const { id } = await submit(api.call, key, { mobileNumber: '+1 (555) 555-0123' });
    const reviews = await list<ReviewView>('?limit=100', support.key, '/v1/reviews');
    const review = reviews.find((item) => item.number.id === id);
    expect(review?.warnings).toMatchObject([{ code: 'number_not_valid' }]);
  });
});

it.each([
  ['/v1/numbers?waitingFor=me', 'waitingFor', 'Send one of support, facebook, customer.'],
  ['/v1/numbers?qualityRating=GOOD', 'qualityRating', 'Send one of CONNECTED, FLAGGED, RESTRICTED.'],
  ['/v1/reviews?stage=second', 'stage', 'Send one of verification, facebook.'],
  ['/v1/reviews?overdue=yes', 'overdue', 'Send one of true, false.'],
  ['/v1/reviews?claimedBy=nobody', 'claimedBy', 'Send `me`, `none`, or the id of a person.'],
  ['/v1/reviews?claimedBy=key_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d', 'claimedBy', expect.any(String)],
  ['/v1/numbers?q=abc&q=def', 'q', 'Send a text.'],
])('%s is told what to send', async (url, pointer, detail) => {
  const { code, errors } = problemOf(await api.call(support.key, 'GET', url));
  expect(code).toBe('malformed_request');
  expect(errors).toEqual([expect.objectContaining({ pointer, detail })]);
});

it('lists the business categories for anyone', async () => {
  const { items } = (await api.call(null, 'GET', '/v1/business-categories')).json();
  expect(items).toContainEqual({ id: 'RETAIL', label: 'Shopping and Retail' });
});
