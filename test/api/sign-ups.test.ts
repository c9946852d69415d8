/** Signing up and setting passwords by the links in emails. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { auditEvents, emails, people, verifications } from '../../db/schema.ts';
import { Browser, createUser, PASSWORD, setUpTwoFactor, signIn, tokenFor } from '../support/people.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({ OPEN_SIGN_UP: 'true', PUBLIC_URL: 'http://numbers.example' });
});
afterAll(() => api.close());

const NEW_PASSWORD = 'another password of the tests';
const post = (url: string, body?: unknown) => api.call(null, 'POST', url, body);
const statusOf = async (url: string, body?: unknown) => (await post(url, body)).statusCode;
const signInStatus = async (email: string, password = PASSWORD) => {
  const response = await post('/v1/session', { email, password });
  return response.statusCode === 200 ? 200 : problemOf(response).code;
};
const lettersTo = async (address: string) =>
  (await api.db.select().from(emails)).filter(({ recipient }) => recipient === address);
const confirm = (token: string, password = PASSWORD) =>
  statusOf(`/v1/email-verifications/${token}`, { password });
const expireLinks = () => api.db.update(verifications).set({ expiresAt: new Date(Date.now() - 1000) });
const signUp = (email: string, changes: Record<string, unknown> = {}) =>
  post('/v1/sign-ups', {
    name: 'Wanda Widget',
    email,
    password: PASSWORD,
    accountName: 'Widgets Inc.',
    ...changes,
  });
const freshAddress = () => `${newId('usr')}@people.example`;

describe('signing up', () => {
  it('opens an account with its admin once the address is confirmed', async () => {
    const email = freshAddress();
    expect((await signUp(email)).statusCode).toBe(202);
    expect(await signInStatus(email)).toBe('email_not_verified');
    expect(await signInStatus(email, 'not the password')).toBe('wrong_credentials');

    const [letter] = await lettersTo(email);
    expect(letter).toMatchObject({ kind: 'verify-email', data: { name: 'Wanda Widget' } });
    const link = new URL(String(letter?.data['link']));
    expect(link.origin + link.pathname).toBe('http://numbers.example/verify-email');

    const browser = new Browser(api.app);
    // A mail scanner looks at it first.
    for (const method of ['HEAD', 'GET'] as const) {
      expect((await browser.call(method, link.pathname + link.search)).statusCode).toBe(200);
    }
    expect(await signInStatus(email)).toBe('email_not_verified');
    const token = link.searchParams.get('token') ?? '';
    const confirmed = await browser.submit('/verify-email', { token, password: PASSWORD });
    expect([confirmed.statusCode, confirmed.headers['content-type']]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect(confirmed.body).toContain('You can now sign in at http://numbers.example.');
    const session = (await (await signIn(api.app, { email })).call('GET', '/v1/session')).json();
    expect(session.accounts).toMatchObject([{ name: 'Widgets Inc.', role: 'admin' }]);

    const events = await api.db.select().from(auditEvents).orderBy(auditEvents.seq);
    const own = events.filter(({ actor }) => actor?.id === session.person.id).map(({ type }) => type);
    expect(own).toEqual(['person.created', 'email.verified', 'account.created', 'session.started']);
    expect(JSON.stringify(events)).not.toContain(token.split('.')[1]);
    expect(JSON.stringify(await api.db.select().from(verifications))).not.toContain(token.split('.')[1]);
  });

  it('takes a link once and in its time; another can be sent', async () => {
    const email = freshAddress();
    await signUp(email);
    const first = await tokenFor(api.db, email);
    await expireLinks();
    expect(await confirm(first)).toBe(410);
    expect(await statusOf('/v1/email-verifications', { email })).toBe(202);
    const second = await tokenFor(api.db, email);
    expect(await confirm(first)).toBe(410);
    const uses = await Promise.all([1, 2, 3].map(() => confirm(second)));
    expect(uses.sort()).toEqual([204, 410, 410]);
    expect(await signInStatus(email)).toBe(200);
    await post('/v1/email-verifications', { email });
    expect(await lettersTo(email)).toHaveLength(2);
  });

  it('tells nobody whose addresses are known, and changes nothing of theirs', async () => {
    const { email } = await createUser(api.db);
    const known = await signUp(email, { password: NEW_PASSWORD });
    const unknown = await signUp(freshAddress());
    expect([known.statusCode, known.body]).toEqual([unknown.statusCode, unknown.body]);
    expect([await signInStatus(email, NEW_PASSWORD), await signInStatus(email)]).toEqual([
      'wrong_credentials',
      200,
    ]);
  });

  it('with an address that has an account tells its mailbox, five times an hour', async () => {
    const { id, email } = await createUser(api.db);
    for (let tried = 0; tried < 6; tried++) expect((await signUp(email)).statusCode).toBe(202);
    const letters = await lettersTo(email);
    expect(letters).toHaveLength(5);
    expect(letters[0]).toMatchObject({ kind: 'reset-password', lane: id, data: { signedUp: true } });
    const events = await api.db.select().from(auditEvents).where(eq(auditEvents.targetId, id));
    expect(events[0]).toMatchObject({
      type: 'password.reset-requested',
      actor: null,
      data: { by: 'sign-up' },
    });
    // Resets are counted with them, and the last link works.
    await post('/v1/password-resets', { email });
    expect(await lettersTo(email)).toHaveLength(5);
    const reset = `/v1/password-resets/${await tokenFor(api.db, email)}`;
    expect(await statusOf(reset, { password: NEW_PASSWORD })).toBe(204);
    expect(await signInStatus(email, NEW_PASSWORD)).toBe(200);
  });

  it('with the address of somebody who is disabled sends nothing', async () => {
    const { id, email } = await createUser(api.db);
    await api.db.update(people).set({ banned: true }).where(eq(people.id, id));
    expect((await signUp(email)).statusCode).toBe(202);
    expect(await lettersTo(email)).toEqual([]);
  });

  it('belongs to the latest who signs up: an address that nobody confirmed keeps nobody out', async () => {
    const email = freshAddress();
    await signUp(email, {
      name: 'Mallory',
      password: 'a password of a stranger',
      accountName: 'Mallory Ltd.',
    });
    const strangers = await tokenFor(api.db, email);
    await signUp(email);
    expect(await confirm(strangers)).toBe(410);
    expect(await confirm(await tokenFor(api.db, email))).toBe(204);
    expect(await signInStatus(email, 'a password of a stranger')).toBe('wrong_credentials');
    const session = (await (await signIn(api.app, { email })).call('GET', '/v1/session')).json();
    expect(session).toMatchObject({
      person: { name: 'Wanda Widget' },
      accounts: [{ name: 'Widgets Inc.' }],
    });
  });

  it('lets in nobody who signed up later with the address of somebody else', async () => {
    const email = freshAddress();
    await signUp(email);
    await signUp(email, { password: 'a password of a stranger' });
    const token = await tokenFor(api.db, email);
    const browser = new Browser(api.app);
    const page = await browser.submit('/verify-email', { token, password: PASSWORD });
    expect([page.statusCode, page.body]).toEqual([422, expect.stringContaining('latest sign-up')]);
    expect(page.body).toContain('aria-describedby="password-fault hint" aria-invalid="true" autofocus>');
    const answer = await post(`/v1/email-verifications/${token}`, { password: PASSWORD });
    expect(problemOf(answer).errors).toMatchObject([{ pointer: '/password', code: 'wrong' }]);
    expect(await signInStatus(email, 'a password of a stranger')).toBe('email_not_verified');

    // Whoever reads the mailbox comes in all the same.
    await post('/v1/password-resets', { email });
    const reset = `/v1/password-resets/${await tokenFor(api.db, email)}`;
    expect(await statusOf(reset, { password: NEW_PASSWORD })).toBe(204);
    expect(await confirm(token, NEW_PASSWORD)).toBe(410);
    const session = (
      await (await signIn(api.app, { email }, NEW_PASSWORD)).call('GET', '/v1/session')
    ).json();
    expect(session.accounts).toMatchObject([{ name: 'Widgets Inc.', role: 'admin' }]);
  });

  it.each([
    ['/password', { password: 'too short' }],
    ['/password', { password: 'x'.repeat(129) }],
    ['/email', { email: 'nobody' }],
    ['/email', { email: 'no\u0000body@people.example' }],
    ['/accountName', { accountName: ' ' }],
    ['/name', { name: 'two\nlines' }],
  ])('refuses %s where it is not right', async (pointer, changes) => {
    expect(problemOf(await signUp(freshAddress(), changes)).errors).toMatchObject([{ pointer }]);
  });

  it('is not there unless it is open', async () => {
    const closed = await startTestApi();
    const body = { name: 'W', email: 'w@people.example', password: PASSWORD, accountName: 'Widgets' };
    expect((await closed.call(null, 'POST', '/v1/sign-ups', body)).statusCode).toBe(404);
    await closed.close();
  });
});

describe('a forgotten password', () => {
  it('is set anew by a link, once; all sessions end, and two-factor authentication stays', async () => {
    const person = await createUser(api.db);
    const browser = await signIn(api.app, person);
    await setUpTwoFactor(browser);
    expect(await statusOf('/v1/password-resets', { email: person.email })).toBe(202);
    const [letter] = await lettersTo(person.email);
    expect(letter?.kind).toBe('reset-password');
    const token = await tokenFor(api.db, person.email);
    const path = `/v1/password-resets/${token}`;
    expect(await statusOf(path, { password: 'too short' })).toBe(422);
    const uses = await Promise.all([1, 2, 3].map(() => statusOf(path, { password: NEW_PASSWORD })));
    expect(uses.sort()).toEqual([204, 410, 410]);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(401);
    expect(await signInStatus(person.email)).toBe('wrong_credentials');
    expect(await statusOf('/v1/session', { email: person.email, password: NEW_PASSWORD })).toBe(202);
    const events = await api.db.select().from(auditEvents).where(eq(auditEvents.targetId, person.id));
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['password.reset-requested', 'password.changed']),
    );
    for (const secret of [token.split('.')[1], NEW_PASSWORD]) {
      expect(JSON.stringify(events)).not.toContain(secret);
    }
  });

  it('is asked for as often as anybody likes, and mailed five times an hour: the last link works', async () => {
    const person = await createUser(api.db);
    const newcomer = freshAddress();
    await signUp(newcomer);
    for (let asked = 0; asked < 6; asked++) {
      expect(await statusOf('/v1/password-resets', { email: person.email })).toBe(202);
      expect(await statusOf('/v1/email-verifications', { email: newcomer })).toBe(202);
    }
    expect((await signUp(newcomer, { password: NEW_PASSWORD })).statusCode).toBe(202);
    expect([(await lettersTo(person.email)).length, (await lettersTo(newcomer)).length]).toEqual([5, 5]);
    const reset = `/v1/password-resets/${await tokenFor(api.db, person.email)}`;
    expect(await statusOf(reset, { password: NEW_PASSWORD })).toBe(204);
    expect(await confirm(await tokenFor(api.db, newcomer))).toBe(204);

    const anHourAgo = new Date(Date.now() - 3_600_000);
    await api.db.update(emails).set({ createdAt: anHourAgo }).where(eq(emails.recipient, person.email));
    await post('/v1/password-resets', { email: person.email });
    expect(await lettersTo(person.email)).toHaveLength(6);
  });

  it('tells nobody whose addresses are known', async () => {
    const person = await createUser(api.db);
    const known = await post('/v1/password-resets', { email: person.email });
    const unknown = await post('/v1/password-resets', { email: freshAddress() });
    expect([known.statusCode, known.body]).toEqual([unknown.statusCode, unknown.body]);
  });

  it('is not set by a link that has expired, was replaced, or is of a disabled person', async () => {
    const person = await createUser(api.db);
    const ask = async () => {
      await post('/v1/password-resets', { email: person.email });
      return tokenFor(api.db, person.email);
    };
    const use = (token: string) => statusOf(`/v1/password-resets/${token}`, { password: NEW_PASSWORD });
    const first = await ask();
    const second = await ask();
    expect(await use(first)).toBe(410);
    await expireLinks();
    expect(await use(second)).toBe(410);
    const third = await ask();
    await api.db.update(people).set({ banned: true }).where(eq(people.id, person.id));
    expect(await use(third)).toBe(410);
    for (const junk of ['x', '.', `${third}x`, `${third.split('.')[0]}.`, 'ver_1.%00']) {
      expect([400, 410]).toContain(await use(junk));
    }
  });

  it('cannot be set by the link that confirms an address, nor the other way round', async () => {
    const email = freshAddress();
    await signUp(email);
    const confirmation = await tokenFor(api.db, email);
    const body = { password: NEW_PASSWORD };
    expect(await statusOf(`/v1/password-resets/${confirmation}`, body)).toBe(410);
    await post('/v1/password-resets', { email });
    expect(await confirm(await tokenFor(api.db, email))).toBe(410);
  });

  it('has a page, which changes nothing before its button is pressed', async () => {
    const person = await createUser(api.db);
    await post('/v1/password-resets', { email: person.email });
    const token = await tokenFor(api.db, person.email);
    const browser = new Browser(api.app, { 'sec-fetch-site': 'same-origin' });
    const page = await browser.call('GET', `/reset-password?token=${token}`);
    expect(page.body).toContain(`value="${token}"`);
    expect(page.headers).toMatchObject({
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringContaining("form-action 'self'"),
    });
    const short = await browser.submit('/reset-password', { token, password: 'short' });
    expect([short.statusCode, short.body]).toEqual([422, expect.stringContaining('at least 12 characters')]);
    expect(short.body).toContain('id="password-fault">Password: ');
    expect(short.body).toContain('aria-describedby="password-fault hint" aria-invalid="true" autofocus>');
    const set = await browser.submit('/reset-password', { token, password: NEW_PASSWORD });
    expect([set.statusCode, set.body]).toEqual([200, expect.stringContaining('Your password is set')]);
    expect(set.body).toContain('You can now sign in at http://numbers.example with it.');
    const again = await browser.submit('/reset-password', { token, password: PASSWORD });
    expect([again.statusCode, again.body]).toEqual([410, expect.stringContaining('not valid any more')]);
    expect(again.body).toContain('ask for a new link where you sign in, or ask an operator for one');
    expect(await signInStatus(person.email, NEW_PASSWORD)).toBe(200);
    const foreign = new Browser(api.app, { 'sec-fetch-site': 'cross-site' });
    const refused = await foreign.submit('/reset-password', { token, password: PASSWORD });
    expect([refused.statusCode, refused.headers['content-type']]).toEqual([403, 'text/html; charset=utf-8']);
    for (const path of ['/reset-password', '/verify-email']) {
      const strange = await browser.submit(path, { token: 'ver_\u0000.\u0000', password: NEW_PASSWORD });
      expect(strange.statusCode).toBe(410);
    }
    const unknown = await browser.call('GET', '/verify-email?token=x');
    expect(unknown.body).toContain('ask for a new link where you signed up, or sign up again');
    const junk = await browser.call('GET', `/reset-password?token=${encodeURIComponent('"><script>')}`);
    expect([junk.statusCode, junk.body]).toEqual([410, expect.not.stringContaining('<script')]);
  });
});

describe('one’s own password', () => {
  it('is changed with the current one, and ends the other sessions and the link to set it', async () => {
    const person = await createUser(api.db);
    const [browser, other] = [await signIn(api.app, person), await signIn(api.app, person)];
    const change = (currentPassword: string) =>
      browser.call('PATCH', '/v1/person', { currentPassword, newPassword: NEW_PASSWORD, name: 'Wanda W.' });
    expect(problemOf(await change('not the password')).errors).toMatchObject([
      { pointer: '/currentPassword', code: 'wrong' },
    ]);
    await post('/v1/password-resets', { email: person.email });
    const reset = `/v1/password-resets/${await tokenFor(api.db, person.email)}`;
    expect((await change(PASSWORD)).json()).toMatchObject({ id: person.id, name: 'Wanda W.' });
    expect(await statusOf(reset, { password: PASSWORD })).toBe(410);
    expect((await browser.call('GET', '/v1/session')).statusCode).toBe(200);
    expect((await other.call('GET', '/v1/session')).statusCode).toBe(401);
    expect(await signInStatus(person.email, NEW_PASSWORD)).toBe(200);
  });

  it('is changed with both, and notices of decisions by staff alone', async () => {
    const customer = await signIn(api.app, await createUser(api.db));
    const alone = await customer.call('PATCH', '/v1/person', { newPassword: NEW_PASSWORD });
    expect(problemOf(alone).errors).toMatchObject([{ pointer: '/currentPassword' }]);
    const notices = await customer.call('PATCH', '/v1/person', { decisionEmails: true });
    expect(problemOf(notices).errors).toMatchObject([{ pointer: '/decisionEmails' }]);
    const support = await signIn(api.app, await createUser(api.db, 'support'));
    await support.call('PATCH', '/v1/person', { decisionEmails: true });
    expect((await support.call('GET', '/v1/session')).json().person.decisionEmails).toBe(true);
  });
});
