/** Mail servers that are away or do not answer: numbers go their way, and the emails follow in order. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readEmails } from '../support/accepted.ts';
import { callOk, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { startSmtp } from '../support/smtp.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole, messageIdsOf } from './checks.ts';

vi.setConfig({ testTimeout: 150_000 });

let stack: TestStack;
let api: ProductProcess;
let customer: { key: string };
let support: { key: string };

beforeAll(async () => {
  // Overdue at once, so that there is something to tell support of.
  stack = await startStack({ worker: false, env: { VERIFICATION_DUE_HOURS: '0.0001' } });
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  api = await startApi(stack.env);
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

const submit = () => callOk(api, customer.key, 'POST /v1/numbers', submission());
const decide = (id: string, stage: 'verification' | 'facebook-decision', body: object) =>
  callOk(api, support.key, `POST /v1/numbers/${id}/${stage}`, body);

test('down from before the first submission, through twelve attempts: all emails, in order, once each', async () => {
  await stack.smtp.stop();
  const worker = await startWorker(stack.env);
  const { id } = await submit();
  const wanted = ['1.submitted'];
  for (let attempt = 1; attempt <= 11; attempt++) {
    const reason = `Reason ${attempt}`;
    expect(await decide(id, 'verification', { outcome: 'rejected', reason })).toMatchObject({
      status: 'REJECTED',
      attempt,
    });
    const next = await callOk(api, customer.key, `POST /v1/numbers/${id}/resubmission`, {});
    expect(next).toMatchObject({ status: 'PENDING_VERIFICATION', attempt: attempt + 1 });
    wanted.push(`${attempt}.rejected`, `${attempt + 1}.submitted`);
  }
  await decide(id, 'verification', { outcome: 'approved' });
  expect((await decide(id, 'facebook-decision', { outcome: 'approved' })).status).toBe('APPROVED');
  wanted.push('12.verified', '12.approved');
  expect((await readEmails(stack.db, id)).map((email) => email.state)).toEqual(wanted.map(() => 'unsent'));
  expect(messageIdsOf(stack.smtp, id)).toEqual([]);

  await stack.smtp.start();
  await expectWhole(stack, [id]);
  const sent = messageIdsOf(stack.smtp, id).map((messageId) => messageId.split('.').slice(1, 3).join('.'));
  expect(sent).toEqual(wanted);
  const reasons = stack.smtp.mails.flatMap(({ parsed }) => /Reason \d+/.exec(parsed.text ?? '')?.[0] ?? []);
  expect(reasons).toEqual(Array.from({ length: 11 }, (_, index) => `Reason ${index + 1}`));
  await worker.stop();
});

// In this order: the digest is written once a day, and a refused one is not tried again.
test.each<['never answers' | 'refuses']>([['never answers'], ['refuses']])(
  'a support mailbox that %s delays nobody',
  async (fault) => {
    let tried = false;
    const smtp = await startSmtp({
      async beforeAnswer(mail) {
        if (!mail.to.some(isSupport)) return;
        tried = true;
        await new Promise(() => {});
      },
    });
    if (fault === 'refuses') {
      smtp.faults.rcpt = (address) => {
        if (!isSupport(address)) return undefined;
        tried = true;
        return 550;
      };
    }
    const worker = await startWorker({ ...stack.env, SMTP_URL: smtp.url });
    try {
      const waiting = await submit();
      await stack.client.schedule.getHandle('review-digest').trigger();
      await expect.poll(() => tried, { timeout: 60_000 }).toBe(true);

      const ids = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const { id } = await submit();
          await decide(id, 'verification', { outcome: 'approved' });
          await decide(id, 'facebook-decision', { outcome: 'approved' });
          return id;
        }),
      );
      await expectWhole({ ...stack, smtp }, [...ids, waiting.id]);
    } finally {
      await worker.stop();
      await smtp.stop();
    }
  },
);

function isSupport(address: string): boolean {
  return address === 'support@numbers.example';
}
