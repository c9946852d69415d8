/** Decisions by links in emails, on all real parts: each link is one decision, whoever presses how often. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { auditEvents, decisionLinks, emails, people } from '../../db/schema.ts';
import { readEvents, readNumber } from '../support/accepted.ts';
import { callOk, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole } from './checks.ts';

vi.setConfig({ testTimeout: 120_000 });

type Person = { id: string; key: string };

let stack: TestStack;
let apis: [ProductProcess, ProductProcess];
let worker: ProductProcess;
let customer: { key: string };
let sam: Person;
let sasha: Person;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  customer = await createAccount(stack.db);
  [sam, sasha] = await Promise.all([createStaff(stack.db, 'support'), createStaff(stack.db, 'support')]);
  await stack.db.update(people).set({ decisionEmails: true });
  apis = await Promise.all([startApi(stack.env), startApi(stack.env)]);
  worker = await startWorker(stack.env);
});
afterAll(async () => {
  await Promise.all([...apis, worker].map((one) => one.stop()));
  await stack.close();
});

/** Submits a number and opens the mailbox of each supporter: the tokens of their links. */
async function submitted(changes: Record<string, unknown> = {}) {
  const number = await callOk(apis[0], customer.key, 'POST /v1/numbers', submission(changes));
  const token = async ({ id }: Person) => {
    const find = () =>
      stack.smtp.mails.find(
        ({ to, parsed }) => to.includes(`${id}@staff.example`) && parsed.text?.includes(number.id),
      );
    await expect.poll(find, { timeout: 30_000 }).toBeDefined();
    const [, found = ''] =
      /http:\/\/numbers\.example\/decisions\?token=(\S+)/.exec(find()?.parsed.text ?? '') ?? [];
    return found;
  };
  return { number, sams: await token(sam), sashas: await token(sasha) };
}

interface Page {
  status: number;
  text: string;
}

/** Presses the button as a browser does; again where the answer is that it could not be decided yet. */
async function press(token: string, fields: Record<string, string> = {}, api = apis[0]): Promise<Page> {
  for (;;) {
    const response = await fetch(`${api.url}/decisions`, {
      method: 'POST',
      headers: { origin: 'null', 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ token, outcome: 'approved', ...fields }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (response.status !== 503) return { status: response.status, text };
  }
}

const open = async (token: string, method = 'GET'): Promise<Page> => {
  const response = await fetch(`${apis[1].url}/decisions?token=${token}`, { method });
  return { status: response.status, text: await response.text() };
};
const typesOf = async (id: string) => (await readEvents(stack.db, id)).map(({ type }) => type);
const audited = async (numberId: string) =>
  (await stack.db.select().from(auditEvents).where(eq(auditEvents.type, 'decision-link.used'))).filter(
    ({ data }) => data['numberId'] === numberId,
  );
const rejection = { outcome: 'rejected', reason: 'No such shop', 'at-fault-website': 'on' };

describe('a link', () => {
  it('comes by email, waits while it is only looked at, and approves by its button', async () => {
    const { number, sams } = await submitted();
    for (const method of ['HEAD', 'GET', 'HEAD', 'GET']) expect((await open(sams, method)).status).toBe(200);
    expect(await typesOf(number.id)).toEqual(['submitted']);

    const page = await press(sams);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('It waits for Facebook.') });
    const row = await readNumber(stack.db, number.id);
    const [link] = await stack.db
      .select()
      .from(decisionLinks)
      .where(eq(decisionLinks.id, sams.split('.')[0] ?? ''));
    expect(row).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      verification: { decisionId: link?.id, by: { type: 'support', id: sam.id }, outcome: 'approved' },
    });
    expect(link?.usedAt).not.toBeNull();
    expect(await audited(number.id)).toMatchObject([
      { actor: { id: sam.id }, targetId: link?.id, accountId: row.accountId, data: { attempt: 1 } },
    ]);
    const gone = await open(sams);
    expect([gone.status, gone.text.includes('each link decides once')]).toEqual([410, true]);
    // The link is not kept once it was sent.
    const kept = await stack.db.select().from(emails).where(eq(emails.kind, 'review-request'));
    expect(kept.filter(({ state, data }) => state === 'sent' && data['link'] !== undefined)).toEqual([]);
    await expectWhole(stack, [number.id]);
  });

  it('rejects with a reason and the fields at fault; the next attempt has links of its own', async () => {
    const { number, sams, sashas } = await submitted({ website: 'https://wrong.example' });
    expect((await press(sams, rejection)).text).toContain('Reason: No such shop');
    const read = await callOk(apis[0], customer.key, `GET /v1/numbers/${number.id}`);
    expect(read).toMatchObject({
      status: 'REJECTED',
      rejection: { by: 'support', reason: 'No such shop', fields: ['website'] },
    });
    await callOk(apis[0], customer.key, `POST /v1/numbers/${number.id}/resubmission`, { website: null });
    const late = await press(sashas);
    expect([late.status, late.text.includes('attempt 2 has links of its own')]).toEqual([410, true]);
    // Pressed once more: it says what came of it, and nothing else happens.
    expect(await press(sams)).toMatchObject({
      status: 200,
      text: expect.stringContaining('rejected attempt 1 on'),
    });
    expect(await typesOf(number.id)).toEqual(['submitted', 'verification.rejected', 'resubmitted']);
    await expectWhole(stack, [number.id]);
  });

  it('says what Facebook has decided already; an approval ends in that', async () => {
    const { number, sams } = await submitted();
    const facebook = { outcome: 'rejected', reason: 'The name is taken' };
    await callOk(apis[0], sam.key, `POST /v1/numbers/${number.id}/facebook-decision`, facebook);
    expect((await open(sams)).text).toContain('Approving it ends in a rejection for that reason.');
    const page = await press(sams);
    expect(page.status).toBe(200);
    for (const told of ['It is rejected.', 'Facebook rejected it on', 'Reason: The name is taken']) {
      expect(page.text).toContain(told);
    }
    await expectWhole(stack, [number.id]);
  });

  it('shows what is asked and answered', async () => {
    const { number, sams, sashas } = await submitted();
    const comment = (key: string, body: Record<string, unknown>) =>
      callOk(apis[0], key, `POST /v1/numbers/${number.id}/comments`, body);
    await comment(sasha.key, { text: 'Where is your shop?', awaitReply: true });
    const asked = (await open(sams)).text;
    expect(asked).toContain('An open question');
    expect(asked).toContain('The review waits for the customer.');
    await comment(customer.key, { text: 'In Rome' });
    const answered = (await open(sams)).text;
    for (const told of ['Where is your shop?', 'In Rome', 'The review is due'])
      expect(answered).toContain(told);
    expect(answered).not.toContain('An open question');
    await callOk(apis[0], customer.key, `POST /v1/numbers/${number.id}/withdrawal`);
    const late = await press(sashas);
    expect([late.status, late.text.includes('The customer withdrew it on')]).toEqual([409, true]);
    await expectWhole(stack, [number.id]);
  });

  it('is one decision, pressed 20 times at once by whichever button', async () => {
    for (let round = 0; round < 3; round++) {
      const { number, sams } = await submitted();
      const pages = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          press(sams, n % 2 === 0 ? {} : rejection, apis[n % apis.length] ?? apis[0]),
        ),
      );
      expect(pages.map(({ status }) => status)).toEqual(new Array(20).fill(200));
      const types = await typesOf(number.id);
      expect(types).toHaveLength(2);
      const { verification } = await readNumber(stack.db, number.id);
      for (const { text } of pages) expect(text).toContain(`${verification?.outcome} it on`);
      expect(await audited(number.id)).toHaveLength(1);
      await expectWhole(stack, [number.id]);
    }
  });

  it('gives way to another that was faster', async () => {
    const { number, sams, sashas } = await submitted();
    const pages = await Promise.all([press(sams), press(sashas, rejection, apis[1])]);
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 409]);
    const told = pages.find(({ status }) => status === 409);
    const { verification } = await readNumber(stack.db, number.id);
    expect(told?.text).toContain('Somebody was faster');
    expect(told?.text).toContain(`${verification?.by.name} ${verification?.outcome} it on`);
    expect(await audited(number.id)).toHaveLength(1);
    await expectWhole(stack, [number.id]);
  });

  it('gives one of two approvals where the category needs them, never both', async () => {
    const { number, sams, sashas } = await submitted({ businessCategory: 'ALCOHOL' });
    const first = await press(sams);
    expect(first).toMatchObject({
      status: 200,
      text: expect.stringContaining('Another supporter has to approve'),
    });
    expect((await press(sams)).status).toBe(200);
    expect((await readNumber(stack.db, number.id)).status).toBe('PENDING_VERIFICATION');
    expect((await press(sashas)).text).toContain('It waits for Facebook.');
    expect(await typesOf(number.id)).toEqual([
      'submitted',
      'verification.first_approval',
      'verification.approved',
    ]);

    const other = await submitted({ businessCategory: 'ALCOHOL' });
    await callOk(apis[0], sam.key, `POST /v1/numbers/${other.number.id}/verification`, {
      outcome: 'approved',
    });
    const refused = await press(other.sams);
    expect([refused.status, refused.text.includes('has to come from somebody else')]).toEqual([409, true]);
    await expectWhole(stack, [number.id, other.number.id]);
  });

  it('decides later what it could not while there was no worker', async () => {
    const { number, sams } = await submitted();
    await worker.stop();
    const waiting = press(sams);
    worker = await startWorker(stack.env);
    expect((await waiting).status).toBe(200);
    expect(await typesOf(number.id)).toEqual(['submitted', 'verification.approved']);
    await expectWhole(stack, [number.id]);
  });
});
