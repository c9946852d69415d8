/** Decision links, as far as they need no workflow: who gets one, what its page shows, and whom it refuses. */
import { hkdfSync } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDecisionTokens } from '../../auth/decision-tokens.ts';
import { newId } from '../../contract/ids.ts';
import type { Actor, Decision, EventType, Question } from '../../contract/number.ts';
import { deleteExpiredDecisionLinks } from '../../db/decision-links.ts';
import {
  auditEvents,
  claims,
  decisionLinks,
  emails,
  memberships,
  numberEvents,
  numbers,
  people,
} from '../../db/schema.ts';
import { form as multipart, png } from '../support/pictures.ts';
import { AUTH_SECRET, createAccount, createStaff } from '../support/stack.ts';
import { startTestApi, submit, type TestApi } from './harness.ts';

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let sam: { id: string; key: string };
let reader: { id: string; key: string };

/** The signer of the product, with the key of the tests' secret. */
const tokens = createDecisionTokens([Buffer.from(hkdfSync('sha256', AUTH_SECRET, '', 'decision links', 32))]);

beforeAll(async () => {
  api = await startTestApi({ PUBLIC_URL: 'https://numbers.example', DECISION_LINK_HOURS: '48' });
  account = await createAccount(api.db, 'Widgets <b>Inc.</b>');
  reader = await createStaff(api.db, 'support');
});
afterAll(() => api.close());
beforeEach(async () => {
  await api.db.update(people).set({ decisionEmails: false });
  sam = await wants(await createStaff(api.db, 'support'));
});

async function wants<T extends { id: string }>(person: T): Promise<T> {
  await api.db.update(people).set({ decisionEmails: true }).where(eq(people.id, person.id));
  return person;
}

const requestsFor = (numberId: string) =>
  api.db
    .select()
    .from(emails)
    .where(eq(emails.kind, 'review-request'))
    .then((rows) => rows.filter(({ data }) => data['numberId'] === numberId));

/** Submits a number, and returns it with the token that the person was sent. */
async function submitted(changes: Record<string, unknown> = {}, person = sam) {
  const number = await submit(api.call, account.key, changes);
  const sent = (await requestsFor(number.id)).find(({ lane }) => lane === person.id);
  const token = new URL(String(sent?.data['link'])).searchParams.get('token') ?? '';
  const [link] = await api.db
    .select()
    .from(decisionLinks)
    .where(eq(decisionLinks.id, tokens.idOf(token)));
  return { number, token, link: link ?? expect.fail('no link') };
}

const open = (token: string, method: 'GET' | 'HEAD' = 'GET') =>
  api.app.inject({ method, url: `/decisions?token=${token}` });
const press = (token: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  api.app.inject({
    method: 'POST',
    url: '/decisions',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      ...headers,
    },
    payload: new URLSearchParams({ token, outcome: 'approved', ...fields }).toString(),
  });

/** Everything that a decision would change. */
const state = async (numberId: string) => [
  await api.db.select().from(numbers).where(eq(numbers.id, numberId)),
  await api.db.select().from(decisionLinks).where(eq(decisionLinks.numberId, numberId)),
  await api.db.$count(auditEvents),
];

async function expectRefused(token: string, status: number, words: string): Promise<void> {
  for (const response of [await open(token), await press(token)]) {
    expect(response.statusCode, response.body).toBe(status);
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(response.body).toContain(words);
    expect(response.body).not.toContain('<form');
  }
}

const decision = (changes: Partial<Decision> = {}): Decision => ({
  decisionId: newId('op'),
  outcome: 'approved',
  reason: null,
  code: null,
  fields: [],
  by: { type: 'support', id: 'usr_other', name: 'Olga' },
  at: '2026-11-23T08:00:00.000Z',
  ...changes,
});

describe('a submission', () => {
  it('is told to each supporter who wants it and may decide on it, with a link of their own', async () => {
    const [anna, disabled, member, operator] = await Promise.all([
      createStaff(api.db, 'support').then(wants),
      createStaff(api.db, 'support').then(wants),
      createStaff(api.db, 'support', account.id).then(wants),
      createStaff(api.db, 'operator').then(wants),
    ]);
    await api.db.update(people).set({ banned: true }).where(eq(people.id, disabled.id));
    const { number, token, link } = await submitted();
    const sent = await requestsFor(number.id);
    expect(sent.map(({ lane }) => lane).sort()).toEqual([sam.id, anna.id].sort());
    expect([disabled.id, member.id, operator.id]).not.toContain(link.personId);
    expect(sent.map(({ recipient }) => recipient)).toContain(`${sam.id}@staff.example`);
    expect(sent[0]).toMatchObject({
      accountId: account.id,
      data: { attempt: 1, lastFour: `…${number.mobileNumber.slice(-4)}`, category: 'Shopping and Retail' },
    });
    expect(new Set(sent.map(({ data }) => data['link'])).size).toBe(2);
    expect(link).toMatchObject({ numberId: number.id, attempt: 1, stage: 'verification', personId: sam.id });
    const hours = (link.expiresAt.getTime() - link.createdAt.getTime()) / 3_600_000;
    expect(Math.round(hours)).toBe(48);
    expect(tokens.fits(token, link)).toBe(true);
  });

  it('that is refused is told to nobody', async () => {
    const { number } = await submitted();
    const before = await api.db.$count(decisionLinks);
    const again = { mobileNumber: number.mobileNumber, displayName: 'Again', businessCategory: 'RETAIL' };
    expect((await api.call(account.key, 'POST', '/v1/numbers', again)).statusCode).toBe(409);
    expect(await api.db.$count(decisionLinks)).toBe(before);
  });
});

describe('the page', () => {
  it('shows the submission and two forms, and nothing but them runs or leaves', async () => {
    const { number, token } = await submitted({
      displayName: '<script>alert(1)</script>',
      address: 'Via Roma 1',
      contactEmail: 'widgets@gmail.com',
    });
    const response = await open(token);
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
      'x-robots-tag': 'noindex',
    });
    const policy = String(response.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toContain('script-src');
    const { body } = response;
    expect(body).not.toContain('<script');
    expect(body).not.toContain('<b>Inc');
    for (const shown of [
      '&lt;script&gt;alert(1)',
      'Widgets &lt;b&gt;Inc.',
      number.mobileNumber,
      'Via Roma 1',
      'Shopping and Retail',
      'attempt 1',
      'gmail.com gives addresses to anybody',
    ]) {
      expect(body).toContain(shown);
    }
    expect(body.match(/<form method="post" action="\/decisions">/g)).toHaveLength(2);
    expect(body.match(/<input type="checkbox"/g)).toHaveLength(10);
    expect(body).not.toContain('/decisions/picture');
    // Addresses and descriptions have lines.
    expect(body).toContain('dd, .said { white-space: pre-line; }');
  });

  it('changes nothing however often it is opened, by whatever method', async () => {
    const { number, token } = await submitted();
    const before = await state(number.id);
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD'] as const) {
      expect((await open(token, method)).statusCode).toBe(200);
    }
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const) {
      const response = await api.app.inject({ method, url: `/decisions?token=${token}` });
      expect(response.statusCode).toBe(405);
    }
    expect(await state(number.id)).toEqual(before);
  });

  it('shows the picture to whoever has the link', async () => {
    const { body, headers } = multipart({ content: await png() });
    const { id: imageId } = (await api.call(account.key, 'POST', '/v1/images', body, headers)).json();
    const { token } = await submitted({ imageId });
    const [, source = ''] = /<img src="([^"]+)"/.exec((await open(token)).body) ?? [];
    const picture = await api.app.inject({ method: 'GET', url: source });
    expect([picture.statusCode, picture.headers['content-type'], picture.headers['cache-control']]).toEqual([
      200,
      'image/png',
      'no-store',
    ]);
    expect(picture.headers['content-security-policy']).toContain('sandbox');
    const without = await submitted();
    const none = await api.app.inject({ method: 'GET', url: `/decisions/picture?token=${without.token}` });
    expect(none.statusCode).toBe(404);
    const wrong = await api.app.inject({ method: 'GET', url: '/decisions/picture?token=x' });
    expect(wrong.statusCode).toBe(410);
  });

  it('of a resubmission says why it was rejected and what has changed since', async () => {
    const { number } = await submitted({ address: 'Old' });
    const rejection = decision({ outcome: 'rejected', reason: 'Not your address', fields: ['address'] });
    await reject(number.id, rejection);
    const again = await api.call(account.key, 'POST', `/v1/numbers/${number.id}/resubmission`, {
      address: 'New',
    });
    expect(again.statusCode, again.body).toBe(200);
    const sent = (await requestsFor(number.id)).find(({ data }) => data['attempt'] === 2);
    const token = new URL(String(sent?.data['link'])).searchParams.get('token') ?? '';
    const { body } = await open(token);
    for (const shown of ['attempt 2', 'Not your address', 'Address: Old → <strong>New</strong>']) {
      expect(body).toContain(shown);
    }
  });

  it('has no forms while somebody else has the review', async () => {
    const { number, token } = await submitted();
    const claim = { numberId: number.id, personId: reader.id, attempt: 1, stage: 'verification' } as const;
    await api.db.insert(claims).values({ ...claim, expiresAt: new Date(Date.now() + 3_600_000) });
    const { statusCode, body } = await open(token);
    expect([statusCode, body.includes('<form')]).toEqual([200, false]);
    expect(body).toContain('has claimed the review until');
    const pressed = await press(token);
    expect(pressed.statusCode).toBe(409);
    expect(pressed.body).toContain('has claimed the review');
    await api.db.update(claims).set({ personId: sam.id }).where(eq(claims.numberId, number.id));
    expect((await open(token)).body).toContain('<form');
  });

  it('offers only to reject to whoever gave the first of two approvals', async () => {
    const { number, token } = await submitted({ businessCategory: 'ALCOHOL' });
    const mine = decision({ by: { type: 'support', id: sam.id, name: 'Sam' } });
    await api.db
      .update(numbers)
      .set({ approvals: [mine] })
      .where(eq(numbers.id, number.id));
    const { body } = await open(token);
    expect(body).toContain('this category needs two');
    expect(body.match(/<form/g)).toHaveLength(1);
    expect(body).toContain('Reason to reject');
    const pressed = await press(token);
    expect(pressed.statusCode).toBe(409);
    expect(pressed.body).toContain('has to come from somebody else');
  });
});

/** Rejects as the workflow does. */
async function reject(id: string, rejection: Decision): Promise<void> {
  await api.db
    .update(numbers)
    .set({ status: 'REJECTED', revision: 2, verification: rejection, decidedAt: rejection.at })
    .where(eq(numbers.id, id));
  const { reason, code, fields } = rejection;
  await api.db.insert(numberEvents).values({
    id: newId('evt'),
    numberId: id,
    attempt: 1,
    revision: 2,
    type: 'verification.rejected',
    at: new Date(rejection.at),
    actor: rejection.by,
    data: { reason, code, fields },
    operationId: rejection.decisionId,
  });
}

/** Writes what was said into the timeline. */
async function say(numberId: string, type: EventType, text: string, by: Actor, operationId = newId('op')) {
  const event = { id: newId('evt'), numberId, attempt: 1, revision: null, type, at: new Date(), actor: by };
  await api.db.insert(numberEvents).values({ ...event, data: { text }, operationId });
}

/** Where the texts are on a page: each once, in this order. */
function expectInOrder(body: string, texts: string[]): void {
  const places = texts.map((text) => {
    expect(body.split(text), text).toHaveLength(2);
    return body.indexOf(text);
  });
  expect(places).toEqual(places.toSorted((one, other) => one - other));
}

describe('the page tells before its buttons', () => {
  const become = (id: string, changes: Partial<typeof numbers.$inferInsert>) =>
    api.db.update(numbers).set(changes).where(eq(numbers.id, id));

  it('what Facebook has decided already, and what an approval comes to', async () => {
    const { number, token } = await submitted();
    const by = { type: 'facebook', id: null } as const;
    const rejected = decision({ outcome: 'rejected', reason: 'Name <is> taken', by });
    await become(number.id, { facebookDecision: rejected });
    const { body } = await open(token);
    expectInOrder(body, [
      'Facebook has already rejected it, on 2026-11-23 08:00 UTC: Name &lt;is&gt; taken',
      'Approving it ends in a rejection for that reason.',
      '<button>Approve</button>',
    ]);
    await become(number.id, { facebookDecision: decision({ by }) });
    expectInOrder((await open(token)).body, ['Facebook has already approved it', '<button>Approve</button>']);
  });

  it('as whom one decides, and when the review is due', async () => {
    const { number, token } = await submitted();
    await api.db.update(people).set({ name: 'Sam <S>' }).where(eq(people.id, sam.id));
    await become(number.id, { dueAt: '2026-11-25T16:30:00.000Z' });
    const { body } = await open(token);
    expect(body).toContain('The review is due 2026-11-25 16:30 UTC.');
    expectInOrder(body, ['You decide as Sam &lt;S&gt;.', '<button>Approve</button>']);
    expect(body).not.toContain('Latest comments');
  });

  it('the open question, and until when the customer has to answer it', async () => {
    const { number, token } = await submitted();
    const question = {
      operationId: newId('op'),
      text: 'Which <shop>?',
      fields: ['address'],
      at: '2026-11-23T08:00:00.000Z',
      by: { type: 'support', id: 'usr_other', name: 'Olga' },
      remainingMs: 1,
    } satisfies Question;
    await become(number.id, { question, dueAt: '2026-11-27T08:00:00.000Z' });
    await say(number.id, 'question.asked', question.text, question.by, question.operationId);
    const { body } = await open(token);
    expectInOrder(body, [
      'The review waits for the customer.',
      'Olga asked the customer on 2026-11-23 08:00 UTC about Address:',
      'Which &lt;shop&gt;?',
      'The customer has until 2026-11-27 08:00 UTC to answer.',
      '<button>Approve</button>',
    ]);
    expect(body).not.toContain('The review is due');
  });

  it('the latest ten comments, internal ones and the answer of the customer as well, newest last', async () => {
    const { number, token } = await submitted();
    const olga: Actor = { type: 'support', id: 'usr_other', name: 'Olga' };
    const customer: Actor = { type: 'customer', id: 'usr_customer' };
    await say(number.id, 'comment', 'Too old', olga);
    for (let n = 1; n <= 7; n++) await say(number.id, 'comment', `Comment ${n}`, olga);
    await say(number.id, 'comment.internal', 'Looks <odd>', olga);
    await say(number.id, 'question.asked', 'Where is it?', olga);
    await say(number.id, 'edited', 'no comment', customer);
    await say(number.id, 'question.answered', 'In Rome', customer);
    const { body } = await open(token);
    expect(body).not.toContain('Too old');
    expect(body).not.toContain('no comment');
    expectInOrder(body, [
      'Comment 1',
      'Comment 7',
      'Olga, internal (',
      'Looks &lt;odd&gt;',
      'Where is it?',
      'The customer, an answer (',
      'In Rome',
      '<button>Approve</button>',
    ]);
    const faulty = await press(token, { outcome: 'rejected', reason: 'x' });
    expect([faulty.statusCode, faulty.body.includes('In Rome')]).toEqual([422, true]);
  });
});

describe('a link that was used', () => {
  /** As the workflow writes what the link has decided. */
  async function used(link: { id: string }, numberId: string, type: EventType, reason: string | null = null) {
    const outcome = type === 'verification.rejected' ? 'rejected' : 'approved';
    const mine = decision({
      decisionId: link.id,
      outcome,
      reason,
      by: { type: 'support', id: sam.id, name: 'Sam' },
    });
    await api.db.insert(numberEvents).values({
      id: newId('evt'),
      numberId,
      attempt: 1,
      revision: 2,
      type,
      at: new Date(mine.at),
      actor: mine.by,
      data: { outcome, reason },
      operationId: link.id,
    });
    return mine;
  }

  async function expectTold(token: string, texts: string[]): Promise<string> {
    const { statusCode, body } = await open(token);
    expect([statusCode, body.includes('<form')]).toEqual([410, false]);
    expectInOrder(body, ['<h1>You have decided</h1>', ...texts]);
    return body;
  }

  it('tells what was decided, when and by whom, and what Facebook made of it', async () => {
    const { number, token, link } = await submitted();
    const mine = await used(link, number.id, 'verification.approved');
    const become = (changes: Partial<typeof numbers.$inferInsert>) =>
      api.db.update(numbers).set(changes).where(eq(numbers.id, number.id));
    await become({ status: 'PENDING_FACEBOOK_APPROVAL', verification: mine });
    await expectTold(token, ['It waits for Facebook.', 'Sam approved it on 2026-11-23 08:00 UTC.']);
    const by = { type: 'facebook', id: null } as const;
    const facebookDecision = decision({ outcome: 'rejected', reason: 'Name taken', by });
    await become({ status: 'REJECTED', facebookDecision });
    const told = ['It is rejected.', 'Sam approved it on', 'Facebook rejected it on', 'Reason: Name taken'];
    await expectTold(token, told);
    // The page after the button was pressed says the same.
    const pressed = await press(token);
    expect(pressed.statusCode).toBe(200);
    expectInOrder(pressed.body, told);
  });

  it('tells the first of two approvals that it waits for the second', async () => {
    const { number, token, link } = await submitted({ businessCategory: 'ALCOHOL' });
    const mine = await used(link, number.id, 'verification.first_approval');
    await api.db
      .update(numbers)
      .set({ approvals: [mine] })
      .where(eq(numbers.id, number.id));
    await expectTold(token, ['Sam approved it on', 'Another supporter has to approve, too.']);
    const second = decision();
    await api.db
      .update(numbers)
      .set({ status: 'PENDING_FACEBOOK_APPROVAL', approvals: [mine, second], verification: second })
      .where(eq(numbers.id, number.id));
    const body = await expectTold(token, ['Sam approved it on', 'Olga approved it on']);
    expect(body).not.toContain('has to approve, too');
  });

  it.each(['there is another attempt', 'it has expired'])(
    'tells only what it decided once %s',
    async (end) => {
      const { number, token, link } = await submitted();
      await used(link, number.id, 'verification.rejected', 'No such <shop>');
      // The state of now, none of which the link has to do with.
      const by = { type: 'facebook', id: null } as const;
      await api.db
        .update(numbers)
        .set({
          attempt: end === 'it has expired' ? 1 : 2,
          approvals: [decision()],
          facebookDecision: decision({ outcome: 'rejected', reason: 'Name taken', by }),
        })
        .where(eq(numbers.id, number.id));
      let shown = token;
      if (end === 'it has expired') {
        const expiresAt = new Date(Date.now() - 1_000);
        await api.db.update(decisionLinks).set({ expiresAt }).where(eq(decisionLinks.id, link.id));
        shown = tokens.tokenOf({ ...link, expiresAt });
      }
      const told = ['Sam rejected attempt 1 on 2026-11-23 08:00 UTC.', 'Reason: No such &lt;shop&gt;'];
      const opened = await expectTold(shown, told);
      const pressed = await press(shown);
      expect(pressed.statusCode).toBe(200);
      expectInOrder(pressed.body, told);
      for (const body of [opened, pressed.body]) {
        for (const hidden of ['Olga', 'Facebook', 'Name taken', 'attempt 2', 'waits', number.mobileNumber]) {
          expect(body).not.toContain(hidden);
        }
      }
    },
  );
});

describe('a link is refused', () => {
  it('where it is not ours, or was changed', async () => {
    const { token, link } = await submitted();
    const other = await submitted();
    const [, mac = ''] = token.split('.');
    const words = 'Open it from the email once more, or decide in the review queue';
    for (const wrong of [
      '',
      'x',
      link.id,
      `${link.id}.`,
      `${link.id}.${mac.slice(0, -2)}`,
      `${link.id}.${mac.startsWith('A') ? 'B' : 'A'}${mac.slice(1)}`,
      `${other.link.id}.${mac}`,
      `${newId('lnk')}.${mac}`,
      tokens.tokenOf({ ...link, personId: reader.id }),
      createDecisionTokens([Buffer.alloc(32)]).tokenOf(link),
    ]) {
      await expectRefused(wrong, 410, words);
    }
    // The row says something else than what was signed.
    await api.db.update(decisionLinks).set({ personId: reader.id }).where(eq(decisionLinks.id, link.id));
    await expectRefused(token, 410, words);
  });

  it('where it has expired; a week later it is deleted', async () => {
    const { number, link } = await submitted();
    const madeExpire = async (ms: number) => {
      const expiresAt = new Date(Date.now() - ms);
      await api.db.update(decisionLinks).set({ expiresAt }).where(eq(decisionLinks.id, link.id));
      return tokens.tokenOf({ ...link, expiresAt });
    };
    await expectRefused(
      await madeExpire(1_000),
      410,
      'it is in the queue: decide there, or leave it to a colleague',
    );
    await madeExpire(6 * 24 * 3_600_000);
    await deleteExpiredDecisionLinks(api.db);
    expect(await api.db.$count(decisionLinks, eq(decisionLinks.numberId, number.id))).toBe(1);
    const old = await madeExpire(8 * 24 * 3_600_000);
    expect(await deleteExpiredDecisionLinks(api.db)).toBe(1);
    await expectRefused(old, 410, 'very old');
  });

  it('where its person is disabled, no supporter any more, or of the account', async () => {
    const { token } = await submitted();
    const become = (changes: Partial<typeof people.$inferInsert>) =>
      api.db.update(people).set(changes).where(eq(people.id, sam.id));
    await become({ banned: true });
    await expectRefused(token, 403, 'not of the support staff any more');
    await become({ banned: false, role: 'operator' });
    await expectRefused(token, 403, 'not of the support staff any more');
    await become({ role: 'user' });
    await expectRefused(token, 403, 'If that is a mistake, ask an operator');
    await become({ role: 'support' });
    const member = { id: newId('mem'), organizationId: account.id, personId: sam.id };
    await api.db.insert(memberships).values(member);
    await expectRefused(token, 403, 'Nobody decides on a number of an account that they belong to');
    await api.db.delete(memberships).where(eq(memberships.id, member.id));
    expect((await open(token)).statusCode).toBe(200);
  });

  it('where the number was resubmitted, decided or withdrawn meanwhile', async () => {
    const { number, token } = await submitted();
    const become = (changes: Partial<typeof numbers.$inferInsert>) =>
      api.db.update(numbers).set(changes).where(eq(numbers.id, number.id));
    await become({ status: 'PENDING_FACEBOOK_APPROVAL', verification: decision() });
    await expectRefused(token, 409, 'Olga approved it on 2026-11-23 08:00 UTC');
    const rejection = decision({ outcome: 'rejected', reason: 'No such <shop>' });
    await become({ status: 'REJECTED', verification: rejection });
    await expectRefused(token, 409, 'Reason: No such &lt;shop&gt;');
    const ending = {
      operationId: 'op_1',
      by: { type: 'customer', id: 'usr_1' },
      at: '2026-11-24T09:00:00.000Z',
    } as const;
    await become({ status: 'WITHDRAWN', verification: null, ending });
    await expectRefused(token, 409, 'The customer withdrew it on 2026-11-24 09:00 UTC');
    await expectRefused(token, 409, 'There is nothing to decide any more');
    expect((await open(token)).body).not.toContain('faster');
    await become({ status: 'RELEASED', verification: decision() });
    await expectRefused(token, 409, 'The customer released it on 2026-11-24 09:00 UTC');
    await become({ status: 'PENDING_VERIFICATION', attempt: 2 });
    await expectRefused(token, 410, 'Open the one of the latest email, or decide in the review queue');
  });
});

describe('the button', () => {
  it('of another site decides nothing', async () => {
    const { number, token } = await submitted();
    const before = await state(number.id);
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none', origin: 'https://evil.example' },
    ]) {
      const response = await press(token, {}, headers);
      expect(response.statusCode).toBe(403);
      expect(response.body).toContain('Open the link from the email again, and use the button on that page.');
      expect(response.body).not.toContain('API key');
    }
    expect(await state(number.id)).toEqual(before);
  });

  it('asks for a reason to reject, and shows again what was typed', async () => {
    const { number, token } = await submitted();
    const before = await state(number.id);
    const sent = { outcome: 'rejected', reason: ' <', 'at-fault-address': 'on' };
    const response = await press(token, sent);
    expect(response.statusCode).toBe(422);
    expect(response.body).toMatch(
      /<p role="alert" id="reason-fault">Reason to reject: Must have at least 3 /,
    );
    const [field = ''] = /<textarea[^>]*>/.exec(response.body) ?? [];
    expect(field).toContain(' aria-describedby="reason-fault hint" aria-invalid="true" autofocus>');
    expect((await open(token)).body).not.toMatch(/aria-invalid|autofocus|<p role="alert"/);
    expect(response.body).toContain('> &lt;</textarea>');
    expect(response.body).toContain('name="at-fault-address" checked>');
    for (const wrong of [{ outcome: 'rejected' }, { outcome: 'perhaps' }, { outcome: '' }]) {
      expect((await press(token, wrong)).statusCode).toBe(422);
    }
    expect(await state(number.id)).toEqual(before);
  });

  it('sends no JSON and no more than a form', async () => {
    const { token } = await submitted();
    const json = await api.app.inject({
      method: 'POST',
      url: '/decisions',
      payload: { token, outcome: 'approved' },
    });
    expect(json.statusCode).toBe(415);
    expect((await press(token, { reason: 'x'.repeat(70_000) })).statusCode).toBe(413);
  });

  it('says so where the decision cannot be taken now', async () => {
    const { number, token } = await submitted();
    const before = await state(number.id);
    // Temporal is down.
    const response = await press(token);
    expect(response.statusCode).toBe(503);
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(response.headers['content-type']).toContain('text/html');
    expect(response.body).toContain('press the button again');
    expect(await state(number.id)).toEqual(before);
    expect((await open(token)).statusCode).toBe(200);
  });
});
