/** Comments, questions to the customer and their answers, through two API processes' worth of app and a real worker. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { workflowId } from '../../contract/messages.ts';
import { emails, numbers } from '../../db/schema.ts';
import { createMailWorkflows } from '../../temporal/mail.ts';
import { acceptNumber, readEmails, readEvents, readNumber } from '../support/accepted.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import {
  type Call,
  caller,
  MAIL_DOWN,
  problemOf,
  startTestApi,
  startTwoApps,
  submit as submitWith,
  TEMPORAL_DOWN,
} from './harness.ts';

let stack: TestStack;
let apps: FastifyInstance[];
let calls: [Call, Call];
let account: Awaited<ReturnType<typeof createAccount>>;
let anna: Awaited<ReturnType<typeof createStaff>>;
let olga: Awaited<ReturnType<typeof createStaff>>;

beforeAll(async () => {
  // Support works an hour a day: what is left of its time cannot be by the clock.
  const env = { WORKING_HOURS: '10:00-11:00', VERIFICATION_DUE_HOURS: '2' };
  stack = await startStack({ env });
  const { db } = stack;
  const [one, two] = await startTwoApps(stack, createMailWorkflows(stack));
  apps = [one, two];
  calls = [caller(one), caller(two)];
  account = await createAccount(db);
  anna = await createStaff(db, 'support');
  olga = await createStaff(db, 'operator');
});
afterAll(async () => {
  for (const app of apps ?? []) await app.close();
  await stack?.close();
});

const call: Call = (...request) => calls[0](...request);
const submit = () => submitWith(call, account.key);
const comment = (id: string, body: object, key = anna.key, via = call, headers = {}) =>
  via(key, 'POST', `/v1/numbers/${id}/comments`, body, headers);
const QUESTION = { text: 'Which shop?', awaitReply: true, fields: ['address'] };
const ask = (id: string, changes: object = {}, via = call, headers = {}) =>
  comment(id, { ...QUESTION, ...changes }, anna.key, via, headers);
const reply = (id: string, text = 'That one.', via = call, headers = {}) =>
  comment(id, { text }, account.key, via, headers);
const verify = (id: string, outcome = 'approved', via = call) =>
  via(anna.key, 'POST', `/v1/numbers/${id}/verification`, {
    outcome,
    ...(outcome === 'rejected' && { reason: 'No such shop' }),
  });
const read = async (id: string, key = account.key) => (await call(key, 'GET', `/v1/numbers/${id}`)).json();
const timeline = async (id: string, key = account.key) =>
  (await call(key, 'GET', `/v1/numbers/${id}/events`)).json().items;
const dueTime = async (id: string) => Date.parse((await readNumber(stack.db, id)).dueAt ?? '');
const typesOf = async (id: string) => (await readEvents(stack.db, id)).map((event) => event.type);
const kindsOf = async (id: string) => (await readEmails(stack.db, id)).map((email) => email.kind);

function created(response: LightMyRequestResponse) {
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

function refused(response: LightMyRequestResponse, status: number, code: string) {
  expect(response.statusCode, response.body).toBe(status);
  const problem = problemOf(response);
  expect(problem.code).toBe(code);
  return problem;
}

describe('a comment', () => {
  it('of support reaches the customer by email, in order with the others of the number', async () => {
    const { id } = await submit();
    const event = created(await comment(id, { text: '  Two\nlines  ' }));
    expect(event).toMatchObject({
      type: 'comment',
      actor: { type: 'support', id: anna.id },
      attempt: 1,
      data: { text: 'Two\nlines' },
    });
    created(await comment(id, { text: 'And another' }));
    const emails = () => readEmails(stack.db, id);
    await expect
      .poll(async () => (await emails()).map(({ kind, state }) => [kind, state]), { timeout: 20_000 })
      .toEqual([
        ['submitted', 'sent'],
        ['comment', 'sent'],
        ['comment', 'sent'],
      ]);
    const sent = stack.smtp.mails.filter(({ parsed }) => parsed.messageId?.includes(id));
    expect(sent.map(({ parsed }) => parsed.messageId)).toEqual(
      (await emails()).map(({ messageId }) => `<${messageId}>`),
    );
    expect(sent[1]?.parsed.text).toContain('Two\nlines');
    expect([sent[1]?.parsed.to].flat()[0]?.text).toBe(account.email);
  });

  it('changes nothing of the number, and shows customers no names of staff', async () => {
    const { id } = await submit();
    const before = await read(id);
    const event = created(await comment(id, { text: 'Hello' }));
    expect(await read(id)).toEqual(before);
    expect((await timeline(id)).at(-1)).toEqual({ ...event, actor: { type: 'support', id: null } });
  });

  it('of a customer is for everyone, and emailed to support', async () => {
    const { id, mobileNumber, displayName } = await submit();
    const event = created(await reply(id, 'Hello <b>you</b>\nBcc: victim@example.org'));
    expect(event).toMatchObject({ type: 'comment', actor: { type: 'customer', id: account.keyId } });
    expect((await timeline(id, anna.key)).at(-1)).toEqual(event);
    const sent = () => stack.smtp.mails.filter(({ parsed }) => parsed.text?.includes(id));
    const toSupport = () => sent().filter(({ parsed }) => parsed.subject?.includes('commented'));
    await expect.poll(() => toSupport().length, { timeout: 20_000 }).toBe(1);
    const [mail] = toSupport();
    expect(mail?.parsed.subject).toBe(`A customer commented: …${mobileNumber.slice(-4)}, ${displayName}`);
    expect([mail?.parsed.to].flat()[0]?.text).toBe('support@numbers.example');
    expect(mail?.parsed.text).toContain('> Hello <b>you</b>\n> Bcc: victim@example.org');
    expect(mail?.parsed.html).toContain('Hello &lt;b&gt;you&lt;/b&gt;');
    expect(mail?.parsed.text).toContain('Status: waits for verification');
    expect(mail?.parsed.text).not.toContain(mobileNumber);
    // What comes of it is not told in the customer's timeline.
    expect(await kindsOf(id)).toEqual(['submitted']);
  });

  it('of a customer is one email to support an hour, and another once they have answered', async () => {
    const api = await startTestApi({ SUPPORT_EMAIL: 'support@numbers.example' });
    onTestFinished(async () => {
      vi.useRealTimers();
      await api.close();
    });
    const { key, id: accountId } = await createAccount(api.db);
    const [{ id }, { id: another }] = [
      await acceptNumber(api.db, accountId),
      await acceptNumber(api.db, accountId),
    ];
    const staff = await createStaff(api.db, 'support');
    const says = async (text: string, by = key, rest = {}, number = id) =>
      created(await comment(number, { text, ...rest }, by, api.call));
    const told = async () =>
      (await api.db.select().from(emails).where(eq(emails.kind, 'customer-comment')).orderBy(emails.seq)).map(
        ({ data, lane }) => [data['text'], lane],
      );
    const hour = 3_600_000;
    const start = Math.ceil(Date.now() / hour) * hour;
    vi.useFakeTimers({ toFake: ['Date'], now: start });
    await Promise.all([says('One'), says('One')]);
    vi.setSystemTime(start + hour - 1);
    await says('Two');
    await says('Of another number', key, {}, another);
    vi.setSystemTime(start + hour);
    await says('Three');
    await says('Four');
    await says('Between us', staff.key, { internal: true });
    await says('Five');
    await says('We see.', staff.key);
    await says('Six');
    await says('Seven');
    const expected = ['One', 'Of another number', 'Three', 'Six'];
    expect(await told()).toEqual(
      expected.map((text) => [text, `support:${text === 'Of another number' ? another : id}`]),
    );
  });

  it('of a customer is one of twenty emails an hour, of all numbers of the account', async () => {
    const api = await startTestApi({ SUPPORT_EMAIL: 'support@numbers.example' });
    onTestFinished(() => api.close());
    const { key, id: accountId } = await createAccount(api.db);
    const neighbour = await createAccount(api.db);
    const says = async (by: { key: string; id: string }) => {
      const { id } = await acceptNumber(api.db, by.id);
      created(await comment(id, { text: 'Hello' }, by.key, api.call));
      return id;
    };
    const many = (count: number) =>
      Promise.all(Array.from({ length: count }, () => says({ key, id: accountId })));
    const lastOnes = async () =>
      (await api.db.select().from(emails).where(eq(emails.accountId, accountId)).orderBy(emails.seq)).map(
        ({ data }) => data['lastForNow'],
      );
    const twenty = [...Array(19).fill(false), true];
    await many(25);
    expect(await lastOnes()).toEqual(twenty);
    const id = await says({ key, id: accountId });
    expect((await readEvents(api.db, id)).map(({ type }) => type)).toContain('comment');
    expect(await lastOnes()).toEqual(twenty);
    await says(neighbour);
    expect(await api.db.$count(emails, eq(emails.accountId, neighbour.id))).toBe(1);
    const age = (minutes: number) => sql`${emails.createdAt} - make_interval(mins => ${minutes})`;
    await api.db
      .update(emails)
      .set({ createdAt: age(59) })
      .where(eq(emails.accountId, accountId));
    await says({ key, id: accountId });
    expect(await lastOnes()).toEqual(twenty);
    await api.db
      .update(emails)
      .set({ createdAt: age(2) })
      .where(eq(emails.accountId, accountId));
    await says({ key, id: accountId });
    expect(await lastOnes()).toEqual([...twenty, false]);
  });

  it('of a customer is emailed to nobody where support has no address', async () => {
    const api = await startTestApi();
    onTestFinished(() => api.close());
    const { key, id: accountId } = await createAccount(api.db);
    const { id } = await acceptNumber(api.db, accountId);
    created(await comment(id, { text: 'Hello' }, key, api.call));
    expect((await readEmails(api.db, id)).map(({ kind }) => kind)).toEqual(['submitted']);
    expect(await api.db.select().from(emails).where(eq(emails.kind, 'customer-comment'))).toEqual([]);
  });

  it('that is internal is for staff, and nobody is emailed', async () => {
    const { id } = await submit();
    for (const { key } of [anna, olga]) {
      const event = created(await comment(id, { text: 'Between us', internal: true }, key));
      expect(event.type).toBe('comment.internal');
      expect((await timeline(id, anna.key)).at(-1)).toEqual(event);
    }
    expect((await timeline(id)).map((event: { type: string }) => event.type)).toEqual(['submitted']);
    expect(await kindsOf(id)).toEqual(['submitted']);
  });

  it('can be made in every status', async () => {
    const { id } = await submit();
    await verify(id, 'rejected');
    created(await reply(id, 'Why?'));
    created(await comment(id, { text: 'Because.' }));
    expect(await typesOf(id)).toEqual(['submitted', 'verification.rejected', 'comment', 'comment']);
  });

  it.each([
    ['internal of a customer', 'customer', { internal: true }, '/internal'],
    ['a question of a customer', 'customer', { awaitReply: true }, '/awaitReply'],
    ['to the customer of an operator', 'operator', {}, '/internal'],
    ['a question of an operator', 'operator', { internal: true, awaitReply: true }, '/awaitReply'],
    ['an internal question', 'support', { internal: true, awaitReply: true }, '/awaitReply'],
    ['with fields and no question', 'support', { fields: ['address'] }, '/fields'],
    ['with a due time and no question', 'support', { dueHours: 5 }, '/dueHours'],
    ['due at once', 'support', { awaitReply: true, dueHours: 0 }, '/dueHours'],
    ['about a field that there is not', 'support', { awaitReply: true, fields: ['colour'] }, '/fields/0'],
    ['of nothing', 'support', { text: ' ' }, '/text'],
    ['without a text', 'support', { text: undefined }, '/text'],
    ['too long', 'support', { text: 'x'.repeat(2_001) }, '/text'],
    ['with control characters', 'support', { text: 'a\u0007b' }, '/text'],
    ['with an unknown field', 'support', { mood: 'good' }, '/mood'],
  ])('is refused: %s', async (_, role, changes, pointer) => {
    const { id } = await submit();
    const keys: Record<string, string> = { customer: account.key, operator: olga.key, support: anna.key };
    const body = { text: 'x', ...changes };
    const problem = refused(await comment(id, body, keys[role]), 422, 'invalid_request');
    expect(problem.errors.map((error) => error.pointer)).toEqual([pointer]);
    expect(await typesOf(id)).toEqual(['submitted']);
  });

  it('with one key is one comment, also many times at once and after a process died', async () => {
    const { id } = await submit();
    const key = randomUUID();
    const send = (via: Call) => comment(id, { text: 'Once' }, anna.key, via, { 'idempotency-key': key });
    const responses = await Promise.all(Array.from({ length: 6 }, (_, i) => send(calls[i % 2 ? 1 : 0])));
    const first = created(responses[0] as LightMyRequestResponse);
    for (const response of responses) expect(created(response)).toEqual(first);
    // As a process leaves it that dies right after its commit.
    await forgetAnswer(key);
    expect(created(await send(call))).toEqual(first);
    expect(await typesOf(id)).toEqual(['submitted', 'comment']);
    expect(await kindsOf(id)).toEqual(['submitted', 'comment']);
  });

  it('is not looked for in the timeline before it is written', async () => {
    // With a database of its own, all of whose statements are of these requests.
    const api = await startTestApi();
    onTestFinished(() => api.close());
    const { key, id: accountId } = await createAccount(api.db);
    const staff = await createStaff(api.db, 'support');
    const { id } = await acceptNumber(api.db, accountId);
    const query = vi.spyOn(pg.Client.prototype, 'query');
    onTestFinished(() => query.mockRestore());
    for (const by of [key, staff.key]) {
      created(await comment(id, { text: 'Hello' }, by, api.call));
      created(await comment(id, { text: 'Hello' }, by, api.call, { 'idempotency-key': randomUUID() }));
    }
    const database = new URL(api.config.DATABASE_URL).pathname.slice(1);
    const own = query.mock.calls.filter(
      (_, i) => (query.mock.contexts[i] as pg.Client).database === database,
    );
    const statements = (own as unknown as [string | { text: string }][]).map(([sent]) =>
      typeof sent === 'string' ? sent : sent.text,
    );
    const insert = 'insert into "number_events"';
    expect(statements.filter((text) => text.startsWith(insert))).toHaveLength(4);
    // Whatever else names the table reads it, also within another statement.
    const others = statements.map((text) => (text.startsWith(insert) ? text.slice(insert.length) : text));
    expect(others.filter((text) => text.includes('number_events'))).toEqual([]);
  });

  it('needs neither Temporal nor the mail server', async () => {
    const { db, config } = stack;
    const app = await buildApp({ db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
    const { id } = await submit();
    created(await comment(id, { text: 'Hello' }, anna.key, caller(app)));
    await app.close();
    expect(await kindsOf(id)).toEqual(['submitted', 'comment']);
  });
});

describe('a question', () => {
  it('passes the turn to the customer, whose next comment answers it', async () => {
    const { id, dueAt: due } = await asked();
    const number = await read(id);
    expect(number).toMatchObject({
      status: 'PENDING_VERIFICATION',
      waitingFor: 'customer',
      revision: 2,
      nextAction: { type: 'reply', fields: ['address'], dueAt: due },
      question: { text: 'Which shop?', dueAt: due, by: { type: 'support', id: null } },
    });
    expect(await read(id, anna.key)).toMatchObject({ question: { by: { type: 'support', id: anna.id } } });
    const event = created(await reply(id));
    expect(event).toMatchObject({ type: 'question.answered', data: { text: 'That one.' } });
    expect(await read(id)).toMatchObject({ waitingFor: 'support', revision: 3, question: null });
    expect(created(await reply(id, 'One more thing')).type).toBe('comment');
    expect(await typesOf(id)).toEqual(['submitted', 'question.asked', 'question.answered', 'comment']);
  });

  it('is due when it says, by the clock; otherwise when the setting says', async () => {
    const hoursOf = async (changes: object) => {
      const { id, dueAt, at } = await asked(changes);
      expect((await readNumber(stack.db, id)).dueAt).toBe(dueAt);
      return Math.round((Date.parse(dueAt) - Date.parse(at)) / 3_600_000);
    };
    expect([await hoursOf({}), await hoursOf({ dueHours: 5 })]).toEqual([72, 5]);
  });

  it('lets the working time of support stand still, and the clock of Facebook', async () => {
    const { id } = await submit();
    const before = await dueTime(id);
    created(await ask(id));
    const question = (await readNumber(stack.db, id)).question;
    // Two working hours, at an hour a day; a test within that hour has used some of it.
    expect(question?.remainingMs).toBeGreaterThan(3_600_000);
    expect(question?.remainingMs).toBeLessThanOrEqual(7_200_000);
    created(await reply(id));
    const after = await dueTime(id);
    expect(Math.abs(after - before)).toBeLessThan(60_000);

    await verify(id);
    const facebookDue = await dueTime(id);
    created(await ask(id));
    created(await reply(id));
    expect((await readNumber(stack.db, id)).status).toBe('PENDING_FACEBOOK_APPROVAL');
    const moved = (await dueTime(id)) - facebookDue;
    expect(moved).toBeGreaterThanOrEqual(0);
    expect(moved).toBeLessThan(60_000);
  });

  it('is only for a pending number', async () => {
    const { id } = await submit();
    await verify(id, 'rejected');
    const problem = refused(await ask(id), 409, 'not_pending');
    expect(problem['decision']).toMatchObject({ outcome: 'rejected', by: { id: anna.id } });
    expect(await kindsOf(id)).toEqual(['submitted', 'rejected']);
  });

  it('is one at a time: a second one is refused until the first is answered', async () => {
    const { id } = await asked();
    const headers = { 'idempotency-key': randomUUID() };
    for (const changes of [{ text: 'Which town?' }, {}]) {
      const problem = refused(await ask(id, changes), 409, 'already_exists');
      expect(problem.detail).toMatch(/Wait for that, or comment without awaitReply/);
    }
    refused(await ask(id, { text: 'And?' }, call, headers), 409, 'already_exists');
    expect(await read(id)).toMatchObject({ question: { text: 'Which shop?' }, revision: 2 });
    created(await comment(id, { text: 'Take your time.' }));
    expect(await kindsOf(id)).toEqual(['submitted', 'comment', 'comment']);
    created(await reply(id));
    created(await ask(id, { text: 'Which town?' }));
    expect(await read(id)).toMatchObject({ question: { text: 'Which town?' }, revision: 4 });
  });

  it('can be decided over and withdrawn', async () => {
    const { id } = await asked();
    expect((await verify(id)).json()).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      waitingFor: 'facebook',
      question: null,
    });
    expect(created(await reply(id)).type).toBe('comment');
    created(await ask(id));
    const withdrawn = await call(account.key, 'POST', `/v1/numbers/${id}/withdrawal`);
    expect(withdrawn.json()).toMatchObject({ status: 'WITHDRAWN', question: null });
    expect(await kindsOf(id)).toEqual(['submitted', 'comment', 'verified', 'comment']);
  });

  it('falls away with the first of two approvals, and the working time goes on', async () => {
    const { id } = await submitWith(call, account.key, { businessCategory: 'ALCOHOL' });
    const before = await dueTime(id);
    created(await ask(id));
    expect((await verify(id)).json()).toMatchObject({
      status: 'PENDING_VERIFICATION',
      waitingFor: 'support',
      question: null,
      approvals: [{ by: { id: anna.id } }],
    });
    const after = await dueTime(id);
    expect(Math.abs(after - before)).toBeLessThan(60_000);
  });

  it('shows in the lists as the turn of the customer', async () => {
    const other = await createAccount(stack.db);
    const own = await submitWith(call, other.key);
    const plain = await submitWith(call, other.key);
    created(await ask(own.id));
    const list = async (waitingFor: string) =>
      (await call(other.key, 'GET', `/v1/numbers?waitingFor=${waitingFor}`))
        .json()
        .items.map((number: { id: string }) => number.id);
    expect(await list('customer')).toEqual([own.id]);
    expect(await list('support')).toEqual([plain.id]);
    await verify(plain.id);
    created(await ask(plain.id));
    expect(await list('customer')).toEqual([plain.id, own.id]);
    expect([await list('support'), await list('facebook')]).toEqual([[], []]);
  });

  it('that is not answered in time counts as an overdue reply', async () => {
    const { id } = await asked();
    const gauge = async () =>
      /^numbers_overdue\{stage="reply"\} (\d+)$/m.exec((await apps[0]?.metrics.metrics()) ?? '')?.[1];
    expect(await gauge()).toBe('0');
    await stack.db
      .update(numbers)
      .set({ dueAt: new Date(0).toISOString() })
      .where(eq(numbers.id, id));
    expect(await gauge()).toBe('1');
    await stack.db.update(numbers).set({ dueAt: '2090-01-01T00:00:00.000Z' }).where(eq(numbers.id, id));
  });
});

describe('one key', () => {
  it('is one question and one answer, at once and later, and after a process died', async () => {
    const { id } = await submit();
    const [one, two] = [randomUUID(), randomUUID()];
    const asking = () => twice((via) => ask(id, {}, via, { 'idempotency-key': one }));
    const replying = () => twice((via) => reply(id, 'That one.', via, { 'idempotency-key': two }));
    const question = await asking();
    const answered = await replying();
    await forgetAnswer(one);
    await forgetAnswer(two);
    // Long after: what was asked is not open any more, and is not asked again.
    expect(await asking()).toEqual(question);
    expect(await replying()).toEqual(answered);
    expect(await typesOf(id)).toEqual(['submitted', 'question.asked', 'question.answered']);
  });

  /** Sends through both at once, expects one answer. */
  async function twice(send: (via: Call) => Promise<LightMyRequestResponse>) {
    const [left, right] = await Promise.all(calls.map(send));
    const event = created(left as LightMyRequestResponse);
    expect(created(right as LightMyRequestResponse)).toEqual(event);
    return event;
  }

  it('answers the question that the first try saw, not one that came meanwhile', async () => {
    const { db, config } = stack;
    const cutOff = await buildApp({ db, config, workflows: TEMPORAL_DOWN, mail: MAIL_DOWN });
    const { id } = await asked();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await reply(id, 'That one.', caller(cutOff), headers), 503, 'unavailable');
    await cutOff.close();
    created(await reply(id, 'This one.'));
    created(await ask(id, { text: 'Which town?' }));
    expect(created(await reply(id, 'That one.', call, headers)).type).toBe('comment');
    expect(await read(id)).toMatchObject({ question: { text: 'Which town?' } });
  });
});

describe('in the same instant', () => {
  const ROUNDS = 13;

  it('an answer and a decision both count: the answer as such, or as a comment', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { id } = await asked();
      const both = [() => reply(id, 'That one.', calls[0]), () => verify(id, 'approved', calls[1])];
      const responses = await Promise.all((round % 2 ? both : both.toReversed()).map((send) => send()));
      expect(responses.map(({ statusCode }) => statusCode).toSorted()).toEqual([200, 201]);
      const row = await readNumber(stack.db, id);
      expect(row).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL', question: null });
      const types = (await typesOf(id)).slice(2).toSorted();
      expect([
        ['question.answered', 'verification.approved'],
        ['comment', 'verification.approved'],
      ]).toContainEqual(types);
    }
  });

  it('two answers are one answer and one comment', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { id } = await asked();
      const responses = await Promise.all(calls.map((via, i) => reply(id, `Answer ${i}`, via)));
      expect(responses.map((response) => created(response).type).toSorted()).toEqual([
        'comment',
        'question.answered',
      ]);
      expect(await read(id)).toMatchObject({ revision: 3, question: null });
    }
  });

  it('two questions that were both told to the workflow are both asked, and the later one stands', async () => {
    const { id, mobileNumber } = await submit();
    const keys = [randomUUID(), randomUUID()];
    const send = (via: Call, i: number) =>
      ask(id, { text: i ? 'Which town?' : 'Which shop?' }, via, { 'idempotency-key': keys[i] });
    // Away until both have looked at the number, so that neither sees the other's question.
    await stack.stopWorker();
    const sent = calls.map(send);
    try {
      const signals = async () =>
        (await historyOf(id, mobileNumber)).events?.filter(
          (event) => event.workflowExecutionSignaledEventAttributes,
        ).length;
      await expect.poll(signals, { timeout: 30_000 }).toBe(2);
    } finally {
      await stack.startWorker();
    }
    await Promise.all(sent);
    // On a slow machine the first answer may have been that it takes too long: a repeat finds it.
    for (const again of await Promise.all(calls.map(send))) created(again);
    expect(await typesOf(id)).toEqual(['submitted', 'question.asked', 'question.asked']);
    const last = (await readEvents(stack.db, id)).at(-1);
    expect(await read(id)).toMatchObject({ revision: 3, question: { text: last?.data['text'] } });
    expect(await kindsOf(id)).toEqual(['submitted', 'comment', 'comment']);
  });

  it('two questions are asked as they are answered: one or both, and the last of them stands', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { id } = await submit();
      const texts = ['Which shop?', 'Which town?'];
      const responses = await Promise.all(texts.map((text, i) => ask(id, { text }, calls[i ? 1 : 0])));
      const late = responses.filter(({ statusCode }) => statusCode === 409);
      for (const response of late) refused(response, 409, 'already_exists');
      const count = responses.length - late.length;
      expect(count).toBeGreaterThan(0);
      expect(await typesOf(id)).toEqual(['submitted', ...Array(count).fill('question.asked')]);
      const last = (await readEvents(stack.db, id)).at(-1);
      expect(await read(id)).toMatchObject({ revision: 1 + count, question: { text: last?.data['text'] } });
      expect(await kindsOf(id)).toEqual(['submitted', ...Array(count).fill('comment')]);
    }
  });
});

async function asked(changes: object = {}) {
  const { id } = await submit();
  const event = created(await ask(id, changes));
  return { id, at: event.at as string, dueAt: event.data.dueAt as string };
}

const historyOf = (id: string, mobileNumber: string) =>
  stack.client.workflow.getHandle(workflowId({ id, mobileNumber, attempt: 1 })).fetchHistory();

async function forgetAnswer(key: string): Promise<void> {
  await stack.db.execute(
    `update idempotency_records set status = null, headers = null, body = null, locked_until = now() where key = '${key}'`,
  );
}
