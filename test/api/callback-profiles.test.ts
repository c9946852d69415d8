/** Callback profiles: their rules, who may name them in a number, and when they can be deleted. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import type { NumberStatus } from '../../contract/number.ts';
import { callbackProfiles, images, numbers } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let accountId: string;
let other: string;

beforeAll(async () => {
  api = await startTestApi();
  ({ key, id: accountId } = await createAccount(api.db));
  other = (await createAccount(api.db, 'Other')).key;
});
afterAll(() => api.close());

const URL = 'https://192.0.2.1.example.com/statuses';
const post = (body: object, as = key, headers = {}) =>
  api.call(as, 'POST', '/v1/callback-profiles', body, headers);
const at = (id: string) => `/v1/callback-profiles/${id}`;

async function create(changes: object = {}, as = key) {
  const response = await post({ name: 'Orders', url: URL, ...changes }, as);
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

/** Sets what the workflow would. */
const setStatus = (id: string, status: NumberStatus) =>
  api.db.update(numbers).set({ status }).where(eq(numbers.id, id));

describe('a callback profile', () => {
  it('is created, read, listed, changed and deleted', async () => {
    const response = await post({ name: ' Orders ', url: URL });
    const { secret, ...created } = response.json();
    expect(secret).toMatch(/^whsec_/);
    expect(response.headers['location']).toBe(at(created.id));
    expect(created).toEqual({
      id: expect.stringMatching(/^cbp_[0-9a-f]{32}$/),
      name: 'Orders',
      url: URL,
      statuses: ['delivered', 'read', 'failed'],
      active: true,
      target: expect.objectContaining({ state: 'on', offSince: null }),
      createdAt: expect.any(String),
      updatedAt: created.createdAt,
    });
    expect((await api.call(key, 'GET', at(created.id))).json()).toEqual(created);
    const merge = { 'content-type': 'application/merge-patch+json' };
    const changes = { statuses: ['failed'], active: false };
    const changed = (await api.call(key, 'PATCH', at(created.id), changes, merge)).json();
    expect(changed).toEqual({ ...created, ...changes, updatedAt: expect.any(String) });
    const [listed] = (await api.call(key, 'GET', '/v1/callback-profiles?limit=1')).json().items;
    expect(listed).toEqual(changed);
    expect((await api.call(key, 'DELETE', at(created.id))).statusCode).toBe(204);
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await api.call(key, method, at(created.id))).statusCode).toBe(404);
    }
    expect((await api.call(key, 'PATCH', at(created.id), { name: 'x' })).statusCode).toBe(404);
    const { items } = (await api.call(key, 'GET', '/v1/callback-profiles')).json();
    expect(items.map((item: { id: string }) => item.id)).not.toContain(created.id);
  });

  it.each([
    [{ url: URL }, '/name'],
    [{ name: ' ', url: URL }, '/name'],
    [{ name: 'x'.repeat(101), url: URL }, '/name'],
    [{ name: 'x' }, '/url'],
    [{ name: 'x', url: '' }, '/url'],
    [{ name: 'x', url: 'http://example.com' }, '/url'],
    [{ name: 'x', url: 'https://127.0.0.1/' }, '/url'],
    [{ name: 'x', url: 'https://db.internal/' }, '/url'],
    [{ name: 'x', url: URL, statuses: [] }, '/statuses'],
    [{ name: 'x', url: URL, statuses: ['read', 'read'] }, '/statuses'],
    [{ name: 'x', url: URL, statuses: ['seen'] }, '/statuses/0'],
    [{ name: 'x', url: URL, active: 'yes' }, '/active'],
    [{ name: 'x', url: URL, secret: 'x' }, '/secret'],
  ])('%j is refused at %s', async (body, pointer) => {
    const { code, errors } = problemOf(await post(body));
    expect([code, errors.map((error) => error.pointer)]).toEqual(['invalid_request', [pointer]]);
  });

  it('cannot be changed to an unsafe target', async () => {
    const { id } = await create();
    const refused = problemOf(await api.call(key, 'PATCH', at(id), { url: 'https://10.0.0.1/' }));
    expect(refused.errors).toMatchObject([{ pointer: '/url', code: 'unsafe_target' }]);
  });

  it('belongs to its account alone', async () => {
    const { id } = await create();
    for (const [method, body] of [['GET'], ['PATCH', { name: 'x' }], ['DELETE']] as const) {
      expect((await api.call(other, method, at(id), body)).statusCode).toBe(404);
    }
    expect((await api.call(other, 'GET', '/v1/callback-profiles')).json().items).toEqual([]);
    expect((await api.call(key, 'GET', at(id))).statusCode).toBe(200);
  });

  it('is created once for an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': newId('op') };
    const body = { name: 'Once', url: URL };
    const [first, second] = await Promise.all([post(body, key, headers), post(body, key, headers)]);
    expect(first?.json().id).toBe(second?.json().id);
  });

  it('is one of a hundred at most, also where many are created at once', async () => {
    const account = await createAccount(api.db);
    await api.db.insert(callbackProfiles).values(
      Array.from({ length: 97 }, (_, index) => ({
        id: newId('cbp'),
        accountId: account.id,
        name: `Profile ${index}`,
        url: URL,
        statuses: ['read' as const],
      })),
    );
    const responses = await Promise.all(
      Array.from({ length: 6 }, () => post({ name: 'x', url: URL }, account.key)),
    );
    const created = responses.filter((response) => response.statusCode === 201);
    expect(created).toHaveLength(3);
    const refused = responses.find((response) => response.statusCode !== 201) ?? expect.fail();
    expect(problemOf(refused).errors).toMatchObject([{ pointer: '', code: 'too_many' }]);
    await api.call(account.key, 'DELETE', at(created[0]?.json().id));
    expect((await post({ name: 'x', url: URL }, account.key)).statusCode).toBe(201);
  });
});

describe('deleting one', () => {
  it.each(['PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL', 'APPROVED'] as const)(
    'is refused while a number that is %s names it',
    async (status) => {
      const profile = await create();
      const number = await submit(api.call, key, { callbackProfileId: profile.id });
      await setStatus(number.id, status);
      const refused = problemOf(await api.call(key, 'DELETE', at(profile.id)));
      expect(refused).toMatchObject({ code: 'profile_in_use', numberIds: [number.id] });
      expect(refused.detail).toContain('wait for the decision on pending ones, or withdraw them');
      await setStatus(number.id, 'RELEASED');
      expect((await api.call(key, 'DELETE', at(profile.id))).statusCode).toBe(204);
    },
  );

  it('and naming it in the same moment never both succeed', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await create();
      const [submitted, deleted] = await Promise.all([
        api.call(key, 'POST', '/v1/numbers', submission({ callbackProfileId: id })),
        api.call(key, 'DELETE', at(id)),
      ]);
      expect([submitted?.statusCode, deleted?.statusCode]).toBeOneOf([
        [201, 409],
        [422, 204],
      ]);
    }
  });
});

describe('a number', () => {
  it("names its account's profiles and pictures only", async () => {
    const profile = await create();
    const foreign = await create({}, other);
    const deleted = await create();
    await api.call(key, 'DELETE', at(deleted.id));
    const imageId = newId('img');
    const picture = {
      contentType: 'image/png',
      width: 640,
      height: 640,
      bytes: 1,
      store: 'database',
    } as const;
    const createdBy = { type: 'customer', id: null } as const;
    await api.db.insert(images).values({ id: imageId, accountId, ...picture, createdBy });

    const named = { callbackProfileId: profile.id, imageId };
    expect(await submit(api.call, key, named)).toMatchObject(named);
    for (const [as, body, pointers] of [
      [key, { callbackProfileId: foreign.id }, ['/callbackProfileId']],
      [key, { callbackProfileId: deleted.id }, ['/callbackProfileId']],
      [key, { callbackProfileId: newId('cbp'), imageId: newId('img') }, ['/callbackProfileId', '/imageId']],
      [other, { imageId }, ['/imageId']],
    ] as const) {
      const refused = problemOf(await api.call(as, 'POST', '/v1/numbers', submission(body)));
      expect(refused.errors.map((error) => error.pointer)).toEqual(pointers);
      expect(refused.errors[0]).toMatchObject({
        code: 'unknown',
        detail: expect.stringContaining('no such'),
      });
    }
  });

  it('cannot be resubmitted with a profile that was deleted meanwhile, but without it', async () => {
    const profile = await create();
    const { id } = await submit(api.call, key, { callbackProfileId: profile.id });
    await setStatus(id, 'REJECTED');
    expect((await api.call(key, 'DELETE', at(profile.id))).statusCode).toBe(204);
    const resubmit = (body: object) => api.call(key, 'POST', `/v1/numbers/${id}/resubmission`, body);
    expect(problemOf(await resubmit({})).errors).toMatchObject([{ pointer: '/callbackProfileId' }]);
    expect((await resubmit({ callbackProfileId: null })).statusCode).toBe(200);
  });

  it('cannot be edited to name what is not there', async () => {
    const { id } = await submit(api.call, key);
    await setStatus(id, 'APPROVED');
    const refused = await api.call(key, 'PATCH', `/v1/numbers/${id}`, { callbackProfileId: newId('cbp') });
    expect(problemOf(refused).errors).toMatchObject([{ pointer: '/callbackProfileId', code: 'unknown' }]);
  });
});
