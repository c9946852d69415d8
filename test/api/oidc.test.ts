/** Signing in at a real OpenID Connect provider, for staff that exist already. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { auditEvents, credentials, people } from '../../db/schema.ts';
import { startProvider, type Visitor } from '../support/oidc.ts';
import { Browser, createUser, type TestPerson } from '../support/people.ts';
import { startTestApi, type TestApi } from './harness.ts';

const PUBLIC_URL = 'http://numbers.example';

let provider: Awaited<ReturnType<typeof startProvider>>;
let api: TestApi;
let support: TestPerson;

beforeAll(async () => {
  provider = await startProvider(`${PUBLIC_URL}/v1/session/oidc/callback`);
  api = await startTestApi({ PUBLIC_URL, STAFF_TWO_FACTOR: 'required', ...provider.env });
  support = await createUser(api.db, 'support');
});
afterAll(async () => {
  await api.close();
  provider.stop();
});

const visitorOf = ({ email }: { email: string }, changes: Partial<Visitor> = {}): Visitor => ({
  sub: newId('op'),
  email,
  verified: true,
  ...changes,
});

/** Signs in as far as it goes: the browser, and what our callback answered. */
async function visit(visitor: Visitor, query = '') {
  const browser = new Browser(api.app);
  const start = await browser.call('GET', `/v1/session/oidc${query}`);
  expect(start.statusCode, start.body).toBe(303);
  const back = await provider.visit(String(start.headers['location']), visitor);
  expect(back).toContain(`${PUBLIC_URL}/v1/session/oidc/callback?`);
  const path = back.slice(PUBLIC_URL.length);
  return { browser, path, answer: await browser.call('GET', path) };
}

const credentialsOf = (personId: string) =>
  api.db.select().from(credentials).where(eq(credentials.personId, personId));

it('signs staff in by the address that the provider has verified, and then by their id there', async () => {
  const visitor = visitorOf(support);
  const { browser, answer } = await visit(visitor);
  expect([answer.statusCode, answer.headers['location']]).toEqual([303, '/docs/']);
  // The second factor is the provider's matter.
  expect((await browser.call('GET', '/v1/session')).json()).toMatchObject({
    person: { id: support.id, name: 'A support' },
    twoFactorNeeded: false,
  });
  expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
  const tied = (await credentialsOf(support.id)).find(({ providerId }) => providerId === 'oidc');
  expect(tied).toMatchObject({
    accountId: visitor.sub,
    accessToken: null,
    refreshToken: null,
    idToken: null,
  });

  const later = await visit({ ...visitor, email: 'renamed@people.example' }, '?returnTo=/console');
  expect(later.answer.headers['location']).toBe('/console');
  expect((await later.browser.call('GET', '/v1/session')).json().person.id).toBe(support.id);
  const events = await api.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, support.id))
    .orderBy(auditEvents.seq);
  expect(events.map(({ type, data }) => [type, data['by']])).toEqual([
    ['session.started', 'oidc'],
    ['session.started', 'oidc'],
  ]);
});

it('makes nobody, and lets in no customers, no unverified addresses and no disabled staff', async () => {
  const customer = await createUser(api.db);
  const disabled = await createUser(api.db, 'support');
  await api.db.update(people).set({ banned: true }).where(eq(people.id, disabled.id));
  const unverified = await createUser(api.db, 'support');
  const before = await api.db.$count(people);
  for (const visitor of [
    visitorOf({ email: 'stranger@people.example' }),
    visitorOf(customer),
    visitorOf(disabled),
    visitorOf(unverified, { verified: false }),
  ]) {
    const { browser, answer } = await visit(visitor);
    expect([answer.statusCode, answer.body]).toEqual([403, expect.stringContaining('You are not signed in')]);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
  }
  expect(await api.db.$count(people)).toBe(before);
  expect((await credentialsOf(customer.id)).map(({ providerId }) => providerId)).toEqual(['credential']);
  const refused = await api.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.type, 'session.refused'))
    .orderBy(auditEvents.seq);
  expect(refused.map(({ data }) => data)).toEqual([
    { by: 'oidc', why: 'signup-disabled' },
    { by: 'oidc', why: 'not-staff' },
    { by: 'oidc', why: 'banned-user' },
    { by: 'oidc', why: 'account-not-linked' },
  ]);
});

it('takes an answer of the provider once, in the browser that asked', async () => {
  const { path } = await visit(visitorOf(support));
  for (const browser of [new Browser(api.app), (await visit(visitorOf(support))).browser]) {
    const answer = await browser.call('GET', path);
    expect([answer.statusCode, answer.headers['set-cookie'] ?? '']).toEqual([
      403,
      expect.not.stringContaining('session_token'),
    ]);
  }
});

it('notes whatever reason the provider gives', async () => {
  const browser = new Browser(api.app);
  const start = await browser.call('GET', '/v1/session/oidc');
  const state = new URL(String(start.headers['location'])).searchParams.get('state');
  // The 64th character of the reason is half of one.
  const reason = encodeURIComponent(`${'x'.repeat(63)}😀`);
  const answer = await browser.call('GET', `/v1/session/oidc/callback?state=${state}&error=${reason}`);
  expect(answer.statusCode).toBe(403);
});

it.each(['https://evil.example/', '//evil.example', '/\\evil.example', '/a b', ''])(
  'sends nobody to %j afterwards',
  async (returnTo) => {
    const { answer } = await visit(visitorOf(support), `?returnTo=${encodeURIComponent(returnTo)}`);
    expect(answer.headers['location']).toBe('/docs/');
  },
);

it('says so while the provider cannot be reached, and is not there where none is configured', async () => {
  const env = { ...provider.env, OIDC_ISSUER: 'http://127.0.0.1:9' };
  const away = await startTestApi({ PUBLIC_URL, ...env });
  const answer = await away.call(null, 'GET', '/v1/session/oidc');
  expect([answer.statusCode, answer.body]).toEqual([503, expect.stringContaining('cannot be reached')]);
  await away.close();
  const without = await startTestApi();
  expect((await without.call(null, 'GET', '/v1/session/oidc')).statusCode).toBe(404);
  await without.close();
});
