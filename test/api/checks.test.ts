/** Checking a submission before it is sent. */
import { count } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiKey } from '../../db/api-keys.ts';
import { emails, idempotencyRecords, numberEvents, numbers } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;
let accountId: string;

beforeAll(async () => {
  api = await startTestApi();
  ({ key, id: accountId } = await createAccount(api.db));
});
afterAll(() => api.close());

async function check(body: unknown, as = key): Promise<{ errors: unknown[]; warnings: unknown[] }> {
  const response = await api.call(as, 'POST', '/v1/numbers/check', body, {
    'content-type': 'application/json',
  });
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

it('finds nothing in a right submission', async () => {
  expect(await check(submission())).toEqual({ errors: [], warnings: [] });
});

it.each([
  [{ mobileNumber: 'x', displayName: '', businessCategory: 'SHOES' }],
  [{ ...submission(), displayName: 'x'.repeat(76), website: 'ftp://x', contactEmail: 'x' }],
  [{ ...submission(), imageId: 'x', color: 'red', 'a/b': 1 }],
  [{ ...submission(), incomingUrl: 'https://10.0.0.1/' }],
  [{ ...submission(), callbackProfileId: `cbp_${'0'.repeat(32)}`, imageId: `img_${'0'.repeat(32)}` }],
  [{}],
])('finds in %j what a submission is refused for', async (body) => {
  const refused = problemOf(await api.call(key, 'POST', '/v1/numbers', body));
  expect(refused.errors.length).toBeGreaterThan(0);
  expect((await check(body)).errors).toEqual(refused.errors);
});

it('finds all at once', async () => {
  const body = {
    displayName: 'x',
    incomingUrl: 'https://10.0.0.1/',
    callbackProfileId: `cbp_${'0'.repeat(32)}`,
  };
  const { errors } = await check(body);
  expect(errors).toMatchObject([
    { pointer: '/mobileNumber' },
    { pointer: '/displayName' },
    { pointer: '/businessCategory' },
    { pointer: '/callbackProfileId', code: 'unknown' },
    { pointer: '/incomingUrl', code: 'unsafe_target' },
  ]);
});

it.each([null, [], 'text', 7])('takes %j for a body, too', async (body) => {
  const { errors } = await check(JSON.stringify(body));
  expect(errors).toMatchObject([{ pointer: '', detail: 'Send a JSON object.' }]);
});

it("warns of the name and the number, with Meta's reason", async () => {
  const body = {
    displayName: 'OFFICIAL ACME',
    mobileNumber: '+1 (555) 555-0123',
    website: 'https://other.com',
  };
  const { warnings } = await check(body);
  expect(warnings).toMatchObject([
    { code: 'number_not_valid', field: 'mobileNumber', metaReason: null },
    { code: 'name_all_caps', field: 'displayName', metaReason: 'NAME_FORMAT_UNACCEPTABLE' },
    { code: 'name_reserved' },
    { code: 'name_not_website', metaReason: 'NAME_NOT_CONSISTENT' },
  ]);
  // The words are the customer's, too: nothing that only a reviewer does.
  const said = warnings.map((warning) => (warning as { detail: string }).detail);
  for (const detail of said) expect(detail).toMatch(/ (Check that|Meta refuses) [^.]+\.$/);
});

it('tells of a live number of the own account, and nothing of others', async () => {
  const other = await createAccount(api.db, 'Other');
  const { id, mobileNumber } = await submit(api.call, key);
  const { errors } = await check(submission({ mobileNumber }));
  expect(errors).toMatchObject([
    { pointer: '/mobileNumber', code: 'number_taken', detail: expect.stringContaining(id) },
  ]);
  expect(await check(submission({ mobileNumber }), other.key)).toEqual({ errors: [], warnings: [] });
});

it('stores nothing, and takes a key that may only read', async () => {
  const reader = await createApiKey(api.db, { organizationId: accountId, name: 'reader', scopes: ['read'] });
  const rows = async () =>
    Promise.all(
      [numbers, numberEvents, emails, idempotencyRecords].map((t) => api.db.select({ n: count() }).from(t)),
    );
  const before = await rows();
  await api.call(reader.key, 'POST', '/v1/numbers/check', submission(), { 'idempotency-key': 'check-1' });
  expect((await check(submission(), reader.key)).errors).toEqual([]);
  expect(await rows()).toEqual(before);
});

it('is refused to a page of another site', async () => {
  const headers = { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' };
  const response = await api.call(null, 'POST', '/v1/numbers/check', '{}', headers);
  expect(problemOf(response).code).toBe('cross_origin');
});
