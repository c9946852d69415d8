/** Numbers name pictures of their own account, which are then where `imageUrl` says. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { images, numbers } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { form, png } from '../support/pictures.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let other: Awaited<ReturnType<typeof createAccount>>;

beforeAll(async () => {
  api = await startTestApi({ PUBLIC_URL: 'https://numbers.example/' });
  account = await createAccount(api.db);
  other = await createAccount(api.db, 'Other');
});
afterAll(() => api.close());

async function upload(key = account.key): Promise<string> {
  const { body, headers } = form({ content: await png(192) });
  const response = await api.call(key, 'POST', '/v1/images', body, headers);
  expect(response.statusCode, response.body).toBe(201);
  return response.json().id;
}

/** As if it had been uploaded, or last been given to a number, so many hours ago. */
async function age(id: string, hours: number, usedHours: number | null = null): Promise<void> {
  const ago = (n: number) => sql`now() - ${n} * interval '1 hour'`;
  const usedAt = usedHours === null ? null : ago(usedHours);
  await api.db
    .update(images)
    .set({ createdAt: ago(hours), usedAt })
    .where(eq(images.id, id));
}

const faultsOf = (response: Parameters<typeof problemOf>[0]) =>
  problemOf(response).errors.map(({ pointer, code }) => [pointer, code]);
const UNKNOWN = [['/imageId', 'unknown']];

describe('a number', () => {
  it('says where its picture is, under the public address, wherever it is shown', async () => {
    const imageId = await upload();
    const imageUrl = `https://numbers.example/v1/images/${imageId}`;
    const number = await submit(api.call, account.key, { imageId });
    expect(number).toMatchObject({ imageId, imageUrl });
    const { key } = await createStaff(api.db, 'support');
    const shown = await Promise.all([
      api.call(account.key, 'GET', `/v1/numbers/${number.id}`).then((answer) => answer.json()),
      api.call(account.key, 'GET', '/v1/numbers').then((answer) => answer.json().items[0]),
      api.call(key, 'GET', '/v1/reviews').then((answer) => answer.json().items[0].number),
    ]);
    expect(shown.map((view) => view.imageUrl)).toEqual([imageUrl, imageUrl, imageUrl]);
    expect((await api.call(account.key, 'GET', new URL(imageUrl).pathname)).statusCode).toBe(200);
    expect((await submit(api.call, account.key)).imageUrl).toBeNull();
  });

  it('names a picture of its own account; any other is unknown', async () => {
    const foreign = await upload(other.key);
    const expired = await upload();
    await age(expired, 25);
    for (const imageId of [foreign, expired, `img_${'0'.repeat(32)}`]) {
      const response = await api.call(account.key, 'POST', '/v1/numbers', submission({ imageId }));
      expect([response.statusCode, faultsOf(response)]).toEqual([422, UNKNOWN]);
    }
  });

  it('is edited and resubmitted by the same rule', async () => {
    const foreign = await upload(other.key);
    const { id } = await submit(api.call, account.key);
    const is = (status: 'APPROVED' | 'REJECTED') =>
      api.db.update(numbers).set({ status }).where(eq(numbers.id, id));
    await is('APPROVED');
    const edited = await api.call(account.key, 'PATCH', `/v1/numbers/${id}`, { imageId: foreign });
    expect([edited.statusCode, faultsOf(edited)]).toEqual([422, UNKNOWN]);
    await is('REJECTED');
    const resubmission = `/v1/numbers/${id}/resubmission`;
    const refused = await api.call(account.key, 'POST', resubmission, { imageId: foreign });
    expect([refused.statusCode, faultsOf(refused)]).toEqual([422, UNKNOWN]);
    const imageId = await upload();
    const taken = await api.call(account.key, 'POST', resubmission, { imageId });
    expect(taken.json()).toMatchObject({ imageId, attempt: 2 });
  });

  it('keeps its picture for ever, and it can be given to another', async () => {
    const imageId = await upload();
    await submit(api.call, account.key, { imageId });
    await age(imageId, 1_000, 1_000);
    expect((await submit(api.call, account.key, { imageId })).imageId).toBe(imageId);
  });

  it('is given a day more for the picture by an edit that comes to nothing', async () => {
    const imageId = await upload();
    await age(imageId, 23);
    const { id } = await submit(api.call, account.key);
    await api.db.update(numbers).set({ status: 'APPROVED' }).where(eq(numbers.id, id));
    // Temporal is down.
    const edited = await api.call(account.key, 'PATCH', `/v1/numbers/${id}`, { imageId });
    expect(edited.statusCode).toBe(503);
    const [image] = await api.db.select().from(images).where(eq(images.id, imageId));
    expect(image?.usedAt?.getTime()).toBeGreaterThan(Date.now() - 3_600_000);
  });
});
