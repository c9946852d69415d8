/** What an operator does with the `temporal` CLI has a defined meaning, and never wedges a number. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { workflowId } from '../../contract/messages.ts';
import type { NumberView } from '../../contract/views.ts';
import { readEmails, readEvents, readNumber } from '../support/accepted.ts';
import { call, callOk, submission } from '../support/http.ts';
import { type ProductProcess, startApi, startWorker } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import { expectWhole } from './checks.ts';

vi.setConfig({ testTimeout: 150_000 });

let stack: TestStack;
let api: ProductProcess;
let worker: ProductProcess;
let customer: { key: string };
let support: { id: string; key: string };

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { SWEEP_SECONDS: '1' } });
  customer = await createAccount(stack.db);
  support = await createStaff(stack.db, 'support');
  [api, worker] = await Promise.all([startApi(stack.env), startWorker(stack.env)]);
});
afterAll(async () => {
  await Promise.all([api.stop(), worker.stop()]);
  await stack.close();
});

const run = promisify(execFile);

/** `temporal workflow <command>` on the number's workflow. Throws when the CLI does. */
async function temporal(number: NumberView, command: string, ...args: string[]): Promise<void> {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = stack.config;
  await run(inject('temporalCli'), [
    ...['workflow', command, '--workflow-id', workflowId(number), ...args],
    ...['--address', TEMPORAL_ADDRESS, '--namespace', TEMPORAL_NAMESPACE],
  ]);
}

const submit = () => callOk(api, customer.key, 'POST /v1/numbers', submission());
const decide = (
  id: string,
  stage: 'verification' | 'facebook-decision',
  body: object = { outcome: 'approved' },
) => callOk(api, support.key, `POST /v1/numbers/${id}/${stage}`, body);
const edit = (id: string, changes: object) => callOk(api, customer.key, `PATCH /v1/numbers/${id}`, changes);

async function approved(): Promise<NumberView> {
  const { id } = await submit();
  await decide(id, 'verification');
  return decide(id, 'facebook-decision');
}

const typesOf = async (id: string) => (await readEvents(stack.db, id)).map((event) => event.type);
const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 60_000, interval: 100 });
const runIdOf = async (number: NumberView) =>
  (await stack.client.workflow.getHandle(workflowId(number)).describe()).runId;

describe('a signal', () => {
  const JUNK: [string, string, ...string[]][] = [
    [
      'that nobody can decode',
      'supportVerification',
      '--input',
      'x',
      '--input-meta',
      'encoding=binary/encrypted',
    ],
    ['of another encoding', 'facebookApproval', '--input', '{}', '--input-meta', 'encoding=json/protobuf'],
    ['that nobody knows', 'approveEverything', '--input', '{"outcome":"approved"}'],
    ['with wrong types', 'supportVerification', '--input', '{"outcome":true,"reason":{"a":1},"fields":7}'],
    ['with a wrong actor', 'supportVerification', '--input', '{"outcome":"approved","by":"me"}'],
    ['for another attempt', 'supportVerification', '--input', '{"outcome":"approved","attempt":9}'],
    [
      'with a reason that cannot be stored',
      'supportVerification',
      '--input',
      '{"outcome":"rejected","reason":"\\u0000"}',
    ],
    ['without a payload', 'supportVerification'],
    ['with two payloads', 'release', '--input', '1', '--input', '2'],
    ['of an approved number', 'release', '--input', '{}'],
    ['with null', 'facebookApproval', '--input', 'null'],
  ];

  test('junk of all kinds is ignored, and the number goes its way', async () => {
    const number = await submit();
    for (const [, name, ...args] of JUNK) await temporal(number, 'signal', '--name', name, ...args);
    const verified = await decide(number.id, 'verification');
    expect(verified.status).toBe('PENDING_FACEBOOK_APPROVAL');
    await decide(number.id, 'facebook-decision');
    for (const [, name, ...args] of JUNK) {
      if (name !== 'release') await temporal(number, 'signal', '--name', name, ...args);
    }
    expect(await edit(number.id, { website: 'https://goes-on.example' })).toMatchObject({ revision: 4 });
    await expectWhole(stack, [number.id]);
  });

  test('by hand decides, in the name of an operator', async () => {
    const number = await submit();
    const input = '{"outcome":"rejected","reason":"Not a shop"}';
    await temporal(number, 'signal', '--name', 'supportVerification', '--input', input);
    await poll(async () => (await readNumber(stack.db, number.id)).status).toBe('REJECTED');
    expect((await readEvents(stack.db, number.id)).at(-1)?.actor).toEqual({ type: 'operator', id: null });
    await expectWhole(stack, [number.id]);
  });

  test('an update with junk is refused, and the number goes on', async () => {
    const number = await approved();
    for (const input of ['7', '{"changes":{"mobileNumber":"+1"}}', '{"changes":{"displayName":""}}']) {
      const sent = temporal(number, 'update', 'execute', '--name', 'editNumber', '--input', input);
      await expect(sent).rejects.toThrow();
    }
    expect(await edit(number.id, { address: 'Main Street 1' })).toMatchObject({ revision: 4 });
    await expectWhole(stack, [number.id]);
  });
});

describe('a cancel', () => {
  test('withdraws a pending number, which can be submitted anew', async () => {
    const number = await submit();
    await temporal(number, 'cancel');
    await poll(async () => (await readNumber(stack.db, number.id)).status).toBe('WITHDRAWN');
    await expectWhole(stack, [number.id]);
    expect((await readEvents(stack.db, number.id)).at(-1)).toMatchObject({
      type: 'withdrawn',
      actor: { type: 'operator', id: null },
    });
    expect((await readEmails(stack.db, number.id)).map((email) => email.kind)).toEqual([
      'submitted',
      'withdrawn',
    ]);
    const late = await call(api, support.key, `POST /v1/numbers/${number.id}/verification`, {
      outcome: 'approved',
    });
    expect(late).toMatchObject({ status: 409, body: { code: 'not_pending' } });
    const again = submission({ mobileNumber: number.mobileNumber });
    const anew = await callOk(api, customer.key, 'POST /v1/numbers', again);
    expect((await decide(anew.id, 'verification')).status).toBe('PENDING_FACEBOOK_APPROVAL');
  });

  test('does nothing to an approved number', async () => {
    const number = await approved();
    await temporal(number, 'cancel');
    expect(await edit(number.id, { website: 'https://still.example' })).toMatchObject({
      status: 'APPROVED',
      revision: 4,
    });
    await expectWhole(stack, [number.id]);
  });
});

describe('a terminate', () => {
  test('with no request after it, the sweeper starts the workflow again', async () => {
    const [pending, live] = await Promise.all([submit(), approved()]);
    await temporal(pending, 'terminate', '--reason', 'test');
    await temporal(live, 'terminate', '--reason', 'test');
    await expectWhole(stack, [pending.id, live.id]);
    await decide(pending.id, 'verification');
    await edit(live.id, { website: 'https://swept.example' });
    await expectWhole(stack, [pending.id, live.id]);
  });

  test('a decision and an edit right after it are taken', async () => {
    const [pending, live] = await Promise.all([submit(), approved()]);
    await temporal(pending, 'terminate', '--reason', 'test');
    expect((await decide(pending.id, 'verification')).status).toBe('PENDING_FACEBOOK_APPROVAL');
    await temporal(live, 'terminate', '--reason', 'test');
    expect((await edit(live.id, { website: 'https://at-once.example' })).revision).toBe(4);
    await expectWhole(stack, [pending.id, live.id]);
  });
});

describe('a reset', () => {
  const toStart = ['--type', 'FirstWorkflowTask', '--reason', 'test'];

  test.each(['All', 'None'])('of a pending number, signals reapplied: %s', async (reapply) => {
    const number = await submit();
    await decide(number.id, 'verification');
    await temporal(number, 'reset', ...toStart, '--reapply-type', reapply);
    expect((await decide(number.id, 'facebook-decision')).status).toBe('APPROVED');
    await expectWhole(stack, [number.id]);
    expect(await typesOf(number.id)).toEqual(['submitted', 'verification.approved', 'facebook.approved']);
    expect((await readEmails(stack.db, number.id)).map((email) => email.kind)).toEqual([
      'submitted',
      'verified',
      'approved',
    ]);
  });

  test.each(['All', 'None'])(
    'of an approved number, edited at once, signals reapplied: %s',
    async (reapply) => {
      const number = await approved();
      await edit(number.id, { website: 'https://before.example' });
      await temporal(number, 'reset', ...toStart, '--reapply-type', reapply);
      const edited = await edit(number.id, { address: 'After Street 1' });
      expect(edited).toMatchObject({
        status: 'APPROVED',
        revision: 5,
        website: 'https://before.example',
        address: 'After Street 1',
      });
      await expectWhole(stack, [number.id]);
    },
  );

  test('of an approved number that nobody asks: the sweeper has it take the state of its row', async () => {
    const number = await approved();
    await edit(number.id, { website: 'https://kept.example' });
    const before = await runIdOf(number);
    await temporal(number, 'reset', ...toStart, '--reapply-type', 'None');
    await expectWhole(stack, [number.id]);
    expect(await runIdOf(number)).not.toBe(before);
    expect(await readNumber(stack.db, number.id)).toMatchObject({
      revision: 4,
      website: 'https://kept.example',
    });
  });

  test('of a rejected number: it ends as it was, and is resubmitted', async () => {
    const number = await submit();
    await decide(number.id, 'verification', { outcome: 'rejected', reason: 'No shop' });
    await expectWhole(stack, [number.id]);
    await temporal(number, 'reset', ...toStart, '--reapply-type', 'None');
    await expectWhole(stack, [number.id]);
    const again = await callOk(api, customer.key, `POST /v1/numbers/${number.id}/resubmission`, {});
    expect(again).toMatchObject({ status: 'PENDING_VERIFICATION', attempt: 2, revision: 3 });
    expect((await decide(number.id, 'verification')).status).toBe('PENDING_FACEBOOK_APPROVAL');
    await expectWhole(stack, [number.id]);
  });
});
