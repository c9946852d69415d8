/**
 * Processes killed at named points, with no client that tries again: what was accepted goes on. The points are
 * made by proxies between a process and its servers.
 */
import { eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { workflowId } from '../../contract/messages.ts';
import { emailAttempts, numbers } from '../../db/schema.ts';
import { readEmails, readEvents, readNumber } from '../support/accepted.ts';
import { call, callOk, insist, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { type Point, startProxy, type TestProxy } from '../support/proxy.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole, messageIdsOf } from './checks.ts';

let stack: TestStack;
let postgres: TestProxy;
let temporal: TestProxy;
/** Environment of the processes that are to be killed. */
let doomed: Record<string, string>;
let customer: { key: string };
let support: { key: string };
const running = new Set<ProductProcess>();

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { SWEEP_SECONDS: '1' } });
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  postgres = await startProxy(stack.config.DATABASE_URL);
  temporal = await startProxy(stack.config.TEMPORAL_ADDRESS);
  doomed = {
    ...stack.env,
    DATABASE_URL: postgres.through(stack.config.DATABASE_URL),
    TEMPORAL_ADDRESS: temporal.address,
  };
});
afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill()));
  running.clear();
});
afterAll(async () => {
  await Promise.all([postgres.close(), temporal.close()]);
  await stack.close();
});

async function keep(starting: Promise<ProductProcess>): Promise<ProductProcess> {
  const started = await starting;
  running.add(started);
  return started;
}

/** The request that nobody will hear the answer of. */
function sendUnheard(...request: Parameters<typeof call>): void {
  call(...request).catch(() => {});
}

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`Not within ${ms} ms: ${what}`)), ms).unref();
    }),
  ]);
}

async function kill(victim: ProductProcess, reached: Promise<void>): Promise<void> {
  await within(20_000, 'the named point', reached);
  await victim.kill();
  running.delete(victim);
}

const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 60_000, interval: 100 });
const findByMobile = async (mobileNumber: string) =>
  (await stack.db.select().from(numbers).where(eq(numbers.mobileNumber, mobileNumber)))[0];

const COMMITTED: Point = { seen: ['insert into "numbers"', 'commit'], hold: 'answer' };
/** The statement that saves, by its name. */
const SAVE = ['advance_number'];

describe('the API is killed', { timeout: 150_000 }, () => {
  test.each([
    ['after the commit and before the start', false],
    ['after the start and before the answer', true],
  ])('%s of a submission', async (_, started) => {
    const body = submission();
    const headers = { 'idempotency-key': `submit ${started}`.replace(' ', '-') };
    const api = await keep(startApi(doomed));
    const { reached } = started
      ? temporal.hold({ seen: [body.mobileNumber.slice(1)], hold: 'answer' })
      : postgres.hold(COMMITTED);
    sendUnheard(api, customer.key, 'POST /v1/numbers', body, headers);
    await within(20_000, 'the named point', reached);
    await poll(() => findByMobile(body.mobileNumber)).toBeDefined();
    const row = await findByMobile(body.mobileNumber);
    if (!row) throw new Error('not accepted');
    const workflow = stack.client.workflow.getHandle(workflowId(row));
    if (started) await poll(async () => (await workflow.describe()).status.name).toBe('RUNNING');
    else await expect(workflow.describe()).rejects.toThrow();
    expect((await readNumber(stack.db, row.id)).startedAttempt).toBe(0);
    await kill(api, reached);

    await keep(startWorker(stack.env));
    await expectWhole(stack, [row.id]);
    const second = await keep(startApi(stack.env));
    const again = await call(second, customer.key, 'POST /v1/numbers', body, headers);
    expect(again).toMatchObject({ status: 201, body: { id: row.id } });
    expect(again.headers.get('location')).toContain(row.id);
  });

  test('while a decision is under way: the signal was sent', async () => {
    const [api, other] = await Promise.all([keep(startApi(doomed)), keep(startApi(stack.env))]);
    const { id } = await callOk(other, customer.key, 'POST /v1/numbers', submission());
    const headers = { 'idempotency-key': 'unheard-decision' };
    const body = { outcome: 'rejected', reason: 'marker-of-this-signal' };
    const path = `POST /v1/numbers/${id}/verification` as const;
    const { reached } = temporal.hold({ seen: ['marker-of-this-signal'], hold: 'answer' });
    sendUnheard(api, support.key, path, body, headers);
    await kill(api, reached);

    await keep(startWorker(stack.env));
    await expectWhole(stack, [id]);
    expect((await readNumber(stack.db, id)).status).toBe('REJECTED');
    const again = await insist(other, support.key, path, body, headers);
    expect(again).toMatchObject({ status: 200, body: { id, status: 'REJECTED', revision: 2 } });
  });
});

describe('the worker is killed', { timeout: 150_000 }, () => {
  /** From the commit of a save on, it cannot talk to, or hear, Temporal. */
  function cutOffAtSave(direction: 'request' | 'answer') {
    const reached = postgres.hold({ seen: SAVE, hold: 'nothing' }).reached;
    return { reached: reached.then(() => temporal.holdAll(direction)) };
  }

  test.each<[string, () => { reached: Promise<void>; commits?: boolean }]>([
    [
      'before its save reaches the database',
      () => ({ ...postgres.hold({ seen: SAVE, hold: 'request' }), commits: false }),
    ],
    ['when the save is committed, unheard', () => postgres.hold({ seen: SAVE, hold: 'answer' })],
    ['when it has saved, before Temporal is told', () => cutOffAtSave('request')],
    ['when it has saved and Temporal is told, unheard', () => cutOffAtSave('answer')],
  ])('%s', async (_, hold) => {
    const api = await keep(startApi(stack.env));
    const { id } = await callOk(api, customer.key, 'POST /v1/numbers', submission());
    const worker = await keep(startWorker(doomed));
    await poll(async () => (await readEmails(stack.db, id)).map((email) => email.state)).toEqual(['sent']);
    const { reached, commits = true } = hold();
    sendUnheard(api, support.key, `POST /v1/numbers/${id}/verification`, { outcome: 'approved' });
    await within(20_000, 'the named point', reached);
    if (commits) await poll(async () => (await readNumber(stack.db, id)).revision).toBe(2);
    await kill(worker, reached);
    expect((await readNumber(stack.db, id)).revision).toBe(commits ? 2 : 1);

    await keep(startWorker(stack.env));
    await poll(async () => (await readNumber(stack.db, id)).status).toBe('PENDING_FACEBOOK_APPROVAL');
    await expectWhole(stack, [id]);
    expect((await readEvents(stack.db, id)).map((event) => event.type)).toEqual([
      'submitted',
      'verification.approved',
    ]);
    expect((await readEmails(stack.db, id)).map((email) => email.kind)).toEqual(['submitted', 'verified']);
  });

  test('when the mail server has said 250 and that is not recorded: a double has the same Message-ID', async () => {
    const [api, worker] = await Promise.all([keep(startApi(stack.env)), keep(startWorker(doomed))]);
    const { reached } = postgres.hold({ seen: ['update "email_attempts" set'], hold: 'request' });
    const { id } = await callOk(api, customer.key, 'POST /v1/numbers', submission());
    await kill(worker, reached);
    expect(messageIdsOf(stack.smtp, id)).toHaveLength(1);
    expect((await readEmails(stack.db, id)).map((email) => email.state)).toEqual(['unsent']);

    await keep(startWorker(stack.env));
    await expectWhole(stack, [id]);
    const [email] = await readEmails(stack.db, id);
    if (!email) throw new Error('no email');
    expect(messageIdsOf(stack.smtp, id)).toEqual([email.messageId, email.messageId]);
    const ledger = await stack.db.select().from(emailAttempts).where(eq(emailAttempts.emailId, email.id));
    expect(ledger.map((attempt) => attempt.outcome)).toEqual(['ambiguous', 'sent']);
  });
});

describe('during an edit', { timeout: 150_000 }, () => {
  async function approved(api: ProductProcess): Promise<string> {
    const { id } = await callOk(api, customer.key, 'POST /v1/numbers', submission());
    const body = { outcome: 'approved' };
    await callOk(api, support.key, `POST /v1/numbers/${id}/verification`, body);
    await callOk(api, support.key, `POST /v1/numbers/${id}/facebook-decision`, body);
    await poll(async () => (await readEmails(stack.db, id)).every((email) => email.state === 'sent')).toBe(
      true,
    );
    return id;
  }

  test.each<['API' | 'worker']>([['API'], ['worker']])(
    'the %s is killed: the same key finds it',
    async (victim) => {
      const [api, doomedApi, worker] = await Promise.all([
        keep(startApi(stack.env)),
        keep(startApi(doomed)),
        keep(startWorker(victim === 'worker' ? doomed : stack.env)),
      ]);
      const id = await approved(api);
      const website = `https://${victim.toLowerCase()}.example`;
      const headers = { 'idempotency-key': `edit-${victim}` };
      const edit = [customer.key, `PATCH /v1/numbers/${id}`, { website }, headers] as const;
      const { reached } =
        victim === 'API'
          ? temporal.hold({ seen: [website], hold: 'answer' })
          : postgres.hold({ seen: SAVE, hold: 'answer' });
      sendUnheard(victim === 'API' ? doomedApi : api, ...edit);
      await within(20_000, 'the named point', reached);
      await poll(async () => (await readNumber(stack.db, id)).revision).toBe(4);
      await kill(victim === 'API' ? doomedApi : worker, reached);

      if (victim === 'worker') await keep(startWorker(stack.env));
      await expectWhole(stack, [id]);
      expect(await insist(api, ...edit)).toMatchObject({ status: 200, body: { id, website, revision: 4 } });
      expect(await readEvents(stack.db, id)).toHaveLength(4);
    },
  );
});
