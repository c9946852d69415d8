/** Invitations: sent, revoked and accepted, on the page that the email leads to and as JSON. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { createLogger } from '../../api/logging.ts';
import { newId } from '../../contract/ids.ts';
import { createApiKey, type Scope } from '../../db/api-keys.ts';
import { INVITATIONS_A_DAY, OPEN_INVITATIONS } from '../../db/invitations.ts';
import { auditEvents, emails, invitations, memberships, people } from '../../db/schema.ts';
import { waitingForLocks } from '../support/database.ts';
import { Browser, createUser, PASSWORD, signIn, tokenFor } from '../support/people.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { MAIL_DOWN, problemOf, startTestApi, TEMPORAL_DOWN, type TestApi } from './harness.ts';

let api: TestApi;
const ALL: Scope[] = ['read', 'write', 'admin'];
const LONG = 'a long enough password';

beforeAll(async () => {
  api = await startTestApi({ PUBLIC_URL: 'https://numbers.example' });
});
afterAll(() => api.close());

async function adminOf(name = 'Widgets Inc.') {
  const account = await createAccount(api.db, name);
  const { key } = await createApiKey(api.db, { organizationId: account.id, name: 'admin', scopes: ALL });
  return { accountId: account.id, key, member: account.key };
}
let count = 0;
const freshAddress = () => `invited-${count++}@widgets.example`;
const invite = (key: string, body: object) => api.call(key, 'POST', '/v1/invitations', body);
const open = async (key: string) => (await api.call(key, 'GET', '/v1/invitations')).json().items;

async function invited(key: string, body: { role?: string; email?: string } = {}) {
  const email = body.email ?? freshAddress();
  const response = await invite(key, { ...body, email });
  expect(response.statusCode, response.body).toBe(201);
  return { email, id: response.json().id, token: await tokenFor(api.db, email) };
}
const accept = (token: string, body: object) =>
  api.call(null, 'POST', `/v1/invitations/${token}/acceptance`, body);
const membersOf = (accountId: string) =>
  api.db.select().from(memberships).where(eq(memberships.organizationId, accountId));
const waiting = () => waitingForLocks(api.db);
const expire = (id: string) =>
  api.db.update(invitations).set({ expiresAt: sql`now()` }).where(eq(invitations.id, id));

describe('inviting', () => {
  it('writes an email with a link of which only a hash is kept', async () => {
    const { accountId, key } = await adminOf();
    const response = await invite(key, { email: 'Wanda.One@Widgets.example', role: 'admin' });
    expect(response.json()).toMatchObject({ accountId, email: 'wanda.one@widgets.example', role: 'admin' });
    const { id, createdAt, expiresAt } = response.json();
    expect(Math.round((Date.parse(expiresAt) - Date.parse(createdAt)) / 60_000)).toBe(7 * 24 * 60);
    const token = await tokenFor(api.db, 'wanda.one@widgets.example');
    expect(token).toHaveLength(43);
    const [letter] = await api.db
      .select()
      .from(emails)
      .where(eq(emails.recipient, 'wanda.one@widgets.example'));
    expect(letter?.data['link']).toBe(`https://numbers.example/invitations?token=${token}`);
    const [row] = await api.db.select().from(invitations).where(eq(invitations.id, id));
    expect(JSON.stringify(row)).not.toContain(token);
    expect(await open(key)).toMatchObject([{ id }]);
    const [audit] = await api.db.select().from(auditEvents).where(eq(auditEvents.targetId, id));
    expect(audit).toMatchObject({ type: 'invitation.created', accountId });
    expect(JSON.stringify(audit)).not.toContain(token);
  });

  it('names the member who invites', async () => {
    const { accountId } = await adminOf();
    const admin = await createUser(api.db, 'user', { [accountId]: 'admin' });
    const email = freshAddress();
    await (await signIn(api.app, admin)).call('POST', '/v1/invitations', { email });
    const [row] = await api.db.select().from(emails).where(eq(emails.recipient, email));
    expect(row?.data).toMatchObject({ invitedBy: 'A user', role: 'member', accountName: 'Widgets Inc.' });
  });

  it('is for admins, and refuses members, whatever the capitals of their address', async () => {
    const { accountId, key, member } = await adminOf();
    expect(problemOf(await invite(member, { email: freshAddress() })).code).toBe('forbidden');
    const { id, email } = await createUser(api.db, 'user', { [accountId]: 'member' });
    // As `deploy/keys.ts` may have written it.
    await api.db.update(people).set({ email: email.toUpperCase() }).where(eq(people.id, id));
    expect(problemOf(await invite(key, { email })).code).toBe('already_exists');
    expect(problemOf(await invite(key, { email: 'nobody' })).errors[0]?.pointer).toBe('/email');
    const { accountId: another } = await adminOf();
    expect(problemOf(await invite(key, { email: freshAddress(), accountId: another })).code).toBe(
      'forbidden',
    );
  });

  it('again ends the invitation before', async () => {
    const { key } = await adminOf();
    const first = await invited(key);
    const second = await invited(key, { email: first.email });
    expect(problemOf(await accept(first.token, { password: LONG, name: 'W' })).code).toBe('link_not_valid');
    expect(await open(key)).toMatchObject([{ id: second.id }]);
    expect((await accept(second.token, { password: LONG, name: 'W' })).statusCode).toBe(200);
  });

  it(`ends at ${OPEN_INVITATIONS} open ones`, async () => {
    const { key } = await adminOf();
    for (let sent = 0; sent < OPEN_INVITATIONS; sent += 1) await invited(key);
    expect(problemOf(await invite(key, { email: freshAddress() }))).toMatchObject({
      code: 'limit_reached',
      detail: expect.stringMatching(/Revoke one that is not needed any more: DELETE/),
    });
  });

  it(`ends at ${INVITATIONS_A_DAY} a day, whatever came of them`, async () => {
    const { key, accountId: organizationId } = await adminOf();
    const rows = Array.from({ length: INVITATIONS_A_DAY }, () => ({
      id: newId('inv'),
      organizationId,
      email: freshAddress(),
      status: 'revoked' as const,
      expiresAt: new Date(),
    }));
    await api.db.insert(invitations).values(rows);
    expect(problemOf(await invite(key, { email: freshAddress() }))).toMatchObject({
      code: 'limit_reached',
      detail: expect.stringMatching(/Invite again when the first of them is a day old/),
    });
    const yesterday = new Date(Date.now() - 24 * 3_600_000);
    await api.db
      .update(invitations)
      .set({ createdAt: yesterday })
      .where(eq(invitations.organizationId, organizationId));
    await invited(key);
  });

  it('is also for operators, who name the account', async () => {
    const { id } = await createStaff(api.db, 'operator');
    const { key } = await createApiKey(api.db, { personId: id, name: 'admin', scopes: ALL });
    const { accountId } = await adminOf();
    const email = freshAddress();
    const sent = (await invite(key, { email, role: 'admin', accountId })).json();
    const list = await api.call(key, 'GET', `/v1/invitations?accountId=${accountId}`);
    expect(list.json().items).toEqual([sent]);
    expect(problemOf(await api.call(key, 'GET', '/v1/invitations')).errors[0]?.pointer).toBe('accountId');
    expect(problemOf(await invite(key, { email })).errors[0]?.pointer).toBe('/accountId');
    expect(problemOf(await invite(key, { email, accountId: 'org_unknown' })).errors[0]?.pointer).toBe(
      '/accountId',
    );
    expect((await api.call(key, 'DELETE', `/v1/invitations/${sent.id}`)).statusCode).toBe(204);
  });
});

describe('revoking', () => {
  it('ends the link; what is not open is not found, nor is what another account sent', async () => {
    const [mine, other] = [await adminOf(), await adminOf()];
    const { id, token } = await invited(mine.key);
    const revoke = (key: string) => api.call(key, 'DELETE', `/v1/invitations/${id}`);
    expect(problemOf(await revoke(other.key)).code).toBe('not_found');
    expect(await open(other.key)).toEqual([]);
    expect((await revoke(mine.key)).statusCode).toBe(204);
    expect(problemOf(await revoke(mine.key)).code).toBe('not_found');
    expect(problemOf(await accept(token, { password: LONG, name: 'W' })).code).toBe('link_not_valid');
    expect(await open(mine.key)).toEqual([]);
  });
});

describe('accepting', () => {
  it('makes somebody new a member who can be signed in, once', async () => {
    const { accountId, key } = await adminOf();
    const { email, token, id } = await invited(key, { role: 'admin' });
    const answers = await Promise.all([1, 2, 3].map(() => accept(token, { name: 'Wanda', password: LONG })));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 410, 410]);
    const accepted = answers.find(({ statusCode }) => statusCode === 200)?.json();
    expect(accepted).toMatchObject({
      account: { id: accountId, name: 'Widgets Inc.' },
      email,
      role: 'admin',
    });
    const [person] = await api.db.select().from(people).where(eq(people.email, email));
    expect(person).toMatchObject({ id: accepted.personId, name: 'Wanda', emailVerified: true, role: 'user' });
    const members = await membersOf(accountId);
    expect(members).toMatchObject([{ personId: accepted.personId, role: 'admin' }]);
    const browser = await signIn(api.app, { email }, LONG);
    expect((await browser.call('GET', '/v1/account')).json().id).toBe(accountId);
    const audit = await api.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.targetId, id))
      .orderBy(auditEvents.seq);
    expect(audit.map(({ type }) => type)).toEqual(['invitation.created', 'invitation.accepted']);
  });

  it('takes a name and a long enough password of somebody new', async () => {
    const { token } = await invited((await adminOf()).key);
    const pointers = async (body: object) =>
      problemOf(await accept(token, body)).errors.map((one) => one.pointer);
    expect(await pointers({ password: LONG })).toEqual(['/name']);
    expect(await pointers({ name: 'Wanda', password: 'short' })).toEqual(['/password']);
    expect(await pointers({ name: 'Wanda' })).toEqual(['/password']);
    expect((await accept(token, { name: 'Wanda', password: LONG })).statusCode).toBe(200);
  });

  it('stays open where somebody signs up with its address meanwhile, for their password', async () => {
    const { accountId, key } = await adminOf();
    const { email, token } = await invited(key);
    // The account's lock holds the acceptance where it has found the address to be nobody's.
    const accepting = await api.db.transaction(async (tx) => {
      await tx.execute(sql`select from organizations where id = ${accountId} for update`);
      const answer = accept(token, { name: 'Wanda', password: LONG });
      await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
      const { id } = await createUser(api.db);
      await api.db.update(people).set({ email }).where(eq(people.id, id));
      return { answer };
    });
    expect(problemOf(await accepting.answer).code).toBe('already_exists');
    expect(await membersOf(accountId)).toEqual([]);
    expect((await accept(token, { password: PASSWORD })).statusCode).toBe(200);
    expect(await membersOf(accountId)).toHaveLength(1);
  });

  it('takes the password of somebody known, and no other', async () => {
    const { accountId, key } = await adminOf();
    const person = await createUser(api.db);
    await api.db.update(people).set({ emailVerified: false }).where(eq(people.id, person.id));
    const { token } = await invited(key, { email: person.email });
    expect(problemOf(await accept(token, { name: 'Wanda', password: LONG })).code).toBe('wrong_credentials');
    expect(await membersOf(accountId)).toEqual([]);
    const refused = await api.db.select().from(auditEvents).where(eq(auditEvents.targetId, person.id));
    expect(refused).toMatchObject([{ type: 'session.refused', accountId }]);
    expect((await accept(token, { password: PASSWORD })).json().personId).toBe(person.id);
    const [after] = await api.db.select().from(people).where(eq(people.id, person.id));
    expect(after).toMatchObject({ name: 'A user', emailVerified: true });
  });

  it('refuses who is disabled or has no password, as wrong', async () => {
    const { key } = await adminOf();
    const banned = await createUser(api.db);
    await api.db.update(people).set({ banned: true }).where(eq(people.id, banned.id));
    const { id } = await createStaff(api.db, 'support');
    for (const email of [banned.email, `${id}@staff.example`]) {
      const { token } = await invited(key, { email });
      expect(problemOf(await accept(token, { password: PASSWORD })).code).toBe('wrong_credentials');
    }
  });

  it('refuses a link that has expired, is unknown, or leads to a closed account', async () => {
    const { key } = await adminOf();
    const expired = await invited(key);
    await expire(expired.id);
    for (const token of [expired.token, 'x', 'A'.repeat(43)]) {
      expect(problemOf(await accept(token, { name: 'W', password: LONG })).code).toBe('link_not_valid');
    }
    expect(await open(key)).toEqual([]);
  });
});

describe('the page', () => {
  const show = (token: string) => api.call(null, 'GET', `/invitations?token=${token}`);
  const send = (fields: Record<string, string>) => new Browser(api.app).submit('/invitations', fields);

  it('shows account and role, changes nothing when it is opened, and accepts by its form', async () => {
    const { accountId, key } = await adminOf('<b>Widgets & Co');
    const { token, email } = await invited(key, { role: 'admin' });
    for (let opened = 0; opened < 2; opened += 1) {
      const page = await show(token);
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(page.headers['referrer-policy']).toBe('same-origin');
      expect(page.body).toContain('&lt;b&gt;Widgets &amp; Co');
      expect(page.body).toContain('as an admin');
      expect(page.body).toContain(email);
      expect(page.body).toContain('new-password');
    }
    expect((await api.app.inject({ method: 'HEAD', url: `/invitations?token=${token}` })).statusCode).toBe(
      200,
    );
    expect(await membersOf(accountId)).toEqual([]);
    const username = email;
    const short = await send({ token, username, name: 'Wanda "W"', password: 'short' });
    expect(short.statusCode).toBe(422);
    expect(short.body).toContain('id="password-fault">Password: Must have at least 12 characters.');
    expect(short.body).toContain('aria-describedby="password-fault hint" aria-invalid="true" autofocus>');
    expect(short.body).toContain('name="name" value="Wanda &quot;W&quot;"');
    expect(short.body).not.toContain('value="short"');
    const blank = await send({ token, username, name: ' ', password: LONG });
    expect([blank.statusCode, blank.body]).toEqual([
      422,
      expect.stringContaining('id="name-fault">Name: Must'),
    ]);
    const welcome = await send({ token, username, name: 'Wanda', password: LONG });
    expect([welcome.statusCode, welcome.body.includes('<h1>Welcome</h1>')]).toEqual([200, true]);
    expect(welcome.body).toContain('Sign in at https://numbers.example with');
    expect(await membersOf(accountId)).toHaveLength(1);
    expect((await send({ token, username, name: 'Wanda', password: LONG })).statusCode).toBe(410);
    const again = await show(token);
    expect([again.statusCode, again.body]).toEqual([
      410,
      expect.stringContaining('ask an admin of the account to invite you again'),
    ]);
  });

  it('asks somebody known for their password', async () => {
    const { accountId, key } = await adminOf();
    const { email, id } = await createUser(api.db);
    const { token } = await invited(key, { email });
    expect((await show(token)).body).toContain('current-password');
    const wrong = await send({ token, password: LONG });
    expect([wrong.statusCode, wrong.body.includes('role="alert" id="password-fault"')]).toEqual([422, true]);
    expect((await send({ token, password: PASSWORD })).statusCode).toBe(200);
    expect(await membersOf(accountId)).toMatchObject([{ personId: id, role: 'member' }]);
  });

  it('refuses another site, and what is no link of ours', async () => {
    const { token } = await invited((await adminOf()).key);
    const elsewhere = new Browser(api.app, { 'sec-fetch-site': 'cross-site' });
    const foreign = await elsewhere.submit('/invitations', { token, name: 'W', password: LONG });
    expect(foreign.statusCode).toBe(403);
    expect((await api.call(null, 'GET', '/invitations')).statusCode).toBe(410);
    expect((await send({ name: 'W' })).statusCode).toBe(410);
  });

  it('leaves no token in the logs', async () => {
    let text = '';
    const write = (line: string) => {
      text += line;
    };
    const logger = createLogger({ LOG_LEVEL: 'trace' }, { write });
    const app = await buildApp({
      ...api,
      workflows: TEMPORAL_DOWN,
      mail: MAIL_DOWN,
      logger,
    });
    const { token } = await invited((await adminOf()).key);
    await app.inject({ url: `/invitations?token=${token}` });
    const url = `/v1/invitations/${token}/acceptance`;
    await app.inject({ method: 'POST', url, payload: { password: 'x' } });
    await app.close();
    expect(text).toContain('/v1/invitations/:token/acceptance');
    expect(text).not.toContain(token);
  });
});
