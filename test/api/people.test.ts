/** What operators do with people; and the API without its secret or its database. */
import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { ConfigError } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import { auditEvents, emails, people } from '../../db/schema.ts';
import { type Browser, createUser, PASSWORD, signIn, type TestPerson, tokenFor } from '../support/people.ts';
import { MAIL_DOWN, problemOf, startTestApi, TEMPORAL_DOWN, type TestApi } from './harness.ts';

let api: TestApi;
let operator: TestPerson;
let boss: Browser;

beforeAll(async () => {
  api = await startTestApi({ OPEN_SIGN_UP: 'true' });
  operator = await createUser(api.db, 'operator');
  boss = await signIn(api.app, operator);
});
afterAll(() => api.close());

const add = (body: Record<string, unknown>, headers?: Record<string, string>) =>
  boss.call('POST', '/v1/people', { name: 'Sam Support', role: 'support', ...body }, headers);
const auditOf = (targetId: string) =>
  api.db.select().from(auditEvents).where(eq(auditEvents.targetId, targetId)).orderBy(auditEvents.seq);

describe('a new staff person', () => {
  it('gets an email, sets a password and signs in', async () => {
    const email = `${newId('usr')}@staff.example`;
    const added = await add({ email });
    expect([added.statusCode, added.json()]).toMatchObject([
      201,
      { email, role: 'support', disabled: false, lastActiveAt: null },
    ]);
    const { id } = added.json();
    const letters = await api.db.select().from(emails).where(eq(emails.recipient, email));
    expect(letters).toMatchObject([{ kind: 'staff-invitation', lane: id, data: { role: 'support' } }]);
    const token = await tokenFor(api.db, email);
    const path = `/v1/password-resets/${token}`;
    expect((await api.call(null, 'POST', path, { password: PASSWORD })).statusCode).toBe(204);
    const browser = await signIn(api.app, { email });
    expect((await browser.call('GET', '/v1/reviews')).statusCode).toBe(200);
    expect((await auditOf(id)).map(({ type, actor }) => [type, actor?.id])).toEqual([
      ['person.created', operator.id],
      ['password.changed', id],
      ['session.started', id],
    ]);
  });

  it('keeps the link of the invitation when a stranger signs up with the address', async () => {
    const email = `${newId('usr')}@staff.example`;
    const { id } = (await add({ email })).json();
    const signUp = { name: 'Mallory', email, password: PASSWORD, accountName: 'Mallory Ltd.' };
    expect((await api.call(null, 'POST', '/v1/sign-ups', signUp)).statusCode).toBe(202);
    // As after signing in at the provider, without a password of ours.
    await api.db.update(people).set({ emailVerified: true }).where(eq(people.id, id));
    expect((await api.call(null, 'POST', '/v1/sign-ups', signUp)).statusCode).toBe(202);
    const letters = await api.db.select().from(emails).where(eq(emails.recipient, email));
    expect(letters.map(({ kind }) => kind)).toEqual(['staff-invitation']);
    const path = `/v1/password-resets/${await tokenFor(api.db, email)}`;
    expect((await api.call(null, 'POST', path, { password: PASSWORD })).statusCode).toBe(204);
    // Now there is a password that the email can speak of.
    await api.call(null, 'POST', '/v1/sign-ups', signUp);
    const after = await api.db.select().from(emails).where(eq(emails.recipient, email)).orderBy(emails.seq);
    expect(after.map(({ kind }) => kind)).toEqual(['staff-invitation', 'reset-password']);
  });

  it('has an address of their own, and is added once for an Idempotency-Key', async () => {
    const email = `${newId('usr')}@staff.example`;
    const headers = { 'idempotency-key': newId('op') };
    const [first, again] = [await add({ email }, headers), await add({ email }, headers)];
    expect(again.json()).toEqual(first.json());
    expect(problemOf(await add({ email })).code).toBe('already_exists');
    const { email: customers } = await createUser(api.db);
    expect(problemOf(await add({ email: customers })).code).toBe('already_exists');
  });
});

it('takes the address of a sign-up that nobody confirmed, whose password and link end', async () => {
  const email = `${newId('usr')}@staff.example`;
  const password = 'a password of a stranger';
  const signUp = { name: 'Mallory', email, password, accountName: 'Mallory Ltd.' };
  expect((await api.call(null, 'POST', '/v1/sign-ups', signUp)).statusCode).toBe(202);
  const strangers = await tokenFor(api.db, email);
  const added = await add({ email });
  expect(added.json()).toMatchObject({ name: 'Sam Support', role: 'support' });
  const confirm = `/v1/email-verifications/${strangers}`;
  expect((await api.call(null, 'POST', confirm, { password })).statusCode).toBe(410);
  const staffs = `/v1/password-resets/${await tokenFor(api.db, email)}`;
  expect((await api.call(null, 'POST', staffs, { password: PASSWORD })).statusCode).toBe(204);
  expect((await api.call(null, 'POST', '/v1/session', { email, password })).statusCode).toBe(401);
  await signIn(api.app, { email });
});

describe('the list of people', () => {
  it('shows staff, page by page, and customers where they are asked for', async () => {
    const [customer, support] = [await createUser(api.db), await createUser(api.db, 'support')];
    const idsOf = async (query: string) =>
      (await boss.call('GET', `/v1/people?${query}`)).json().items.map(({ id }: { id: string }) => id);
    expect(await idsOf('limit=1')).toEqual([support.id]);
    expect(await idsOf('role=operator')).toEqual([operator.id]);
    expect((await idsOf('role=customer'))[0]).toBe(customer.id);
    expect(await idsOf(`email=${customer.email}`)).toEqual([customer.id]);
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const page = (await boss.call('GET', `/v1/people?limit=2${cursor}`)).json();
      seen.push(...page.items.map(({ id }: { id: string }) => id));
      if (page.nextCursor === null) break;
      cursor = `&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual(await idsOf('limit=100'));
    expect(seen).not.toContain(customer.id);
  });
});

describe('changing a person', () => {
  const change = (id: string, body: unknown, by = boss) => by.call('PATCH', `/v1/people/${id}`, body);

  it('changes name and role, which count with the next request', async () => {
    const person = await createUser(api.db, 'support');
    const browser = await signIn(api.app, person);
    expect((await browser.call('GET', '/v1/people')).statusCode).toBe(403);
    const changed = await change(person.id, { name: 'Olga', role: 'operator' });
    expect(changed.json()).toMatchObject({ name: 'Olga', role: 'operator' });
    expect((await browser.call('GET', '/v1/people')).statusCode).toBe(200);
    expect((await auditOf(person.id)).at(-1)).toMatchObject({
      type: 'person.changed',
      actor: { type: 'operator', id: operator.id },
      data: { fields: ['name', 'role'], role: 'operator', roleBefore: 'support' },
    });
    await change(person.id, { role: 'support' });
    expect((await browser.call('GET', '/v1/people')).statusCode).toBe(403);
  });

  it('disables customers, too, and lets nobody disable or change the role of themselves', async () => {
    const customer = await createUser(api.db);
    const browser = await signIn(api.app, customer);
    expect(problemOf(await change(customer.id, { disabled: true })).errors).toMatchObject([
      { pointer: '/reason' },
    ]);
    expect((await change(customer.id, { disabled: true, reason: 'Spam.' })).statusCode).toBe(200);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
    expect((await auditOf(customer.id)).at(-1)).toMatchObject({
      type: 'person.disabled',
      data: { reason: 'Spam.' },
    });
    expect(problemOf(await change(customer.id, { role: 'support' })).errors).toMatchObject([
      { pointer: '/role' },
    ]);
    for (const body of [{ disabled: true, reason: 'Tired.' }, { role: 'support' }]) {
      expect(problemOf(await change(operator.id, body)).code).toBe('forbidden');
    }
    expect((await change(operator.id, { name: 'Olga Operator' })).statusCode).toBe(200);
    expect((await change(newId('usr'), { name: 'X' })).statusCode).toBe(404);
  });

  it('leaves an operator where two disable each other at once', async () => {
    const [one, two] = [await createUser(api.db, 'operator'), await createUser(api.db, 'operator')];
    const browsers = [await signIn(api.app, one), await signIn(api.app, two)];
    const answers = await Promise.all([
      change(two.id, { disabled: true, reason: 'Race.' }, browsers[0]),
      change(one.id, { disabled: true, reason: 'Race.' }, browsers[1]),
    ]);
    expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(1);
    const left = and(eq(people.role, 'operator'), eq(people.banned, false));
    const ids = (await api.db.select().from(people).where(left)).map(({ id }) => id);
    expect(ids.filter((id) => id === one.id || id === two.id)).toHaveLength(1);
  });
});

it('does not start without its secret', async () => {
  const config = { ...api.config, AUTH_SECRET: undefined };
  const starting = buildApp({ db: api.db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
  const error = await starting.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toMatch(/^AUTH_SECRET is not set\. [^\n]+$/);
});

it('does not start in production without the address that links lead to', async () => {
  const config = { ...api.config, NODE_ENV: 'production' as const };
  const starting = buildApp({ db: api.db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
  await expect(starting).rejects.toThrow(/^PUBLIC_URL is not set\. [^\n]+$/);
});

it('answers as unavailable while the database is away', async () => {
  const away = await startTestApi();
  const person = await createUser(away.db);
  const browser = await signIn(away.app, person);
  await away.db.close();
  const body = { email: person.email, password: PASSWORD };
  expect((await away.call(null, 'POST', '/v1/session', body)).statusCode).toBe(503);
  expect((await browser.call('GET', '/v1/session')).statusCode).toBe(503);
  expect((await browser.call('GET', '/reset-password?token=ver_x.y')).statusCode).toBe(503);
  await away.close();
});
