/** A number's whole life through the API, with a real worker behind it. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventView, NumberView } from '../../contract/views.ts';
import { readEmails } from '../support/accepted.ts';
import { call, callOk, submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';

vi.setConfig({ testTimeout: 90_000 });

let stack: TestStack;
let api: ProductProcess;
let customer: { id: string; email: string; key: string; keyId: string };
let sam: { id: string; key: string };
let sasha: { id: string; key: string };

beforeAll(async () => {
  stack = await startStack();
  [customer, sam, sasha] = await Promise.all([
    createAccount(stack.db),
    createStaff(stack.db, 'support'),
    createStaff(stack.db, 'support'),
  ]);
  api = await startApi(stack.env);
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

const approve = { outcome: 'approved' };
const reject = {
  outcome: 'rejected',
  reason: 'The <b>website</b> is another shop',
  fields: ['website'],
  code: 'site',
};
const submit = (changes = {}) => callOk(api, customer.key, 'POST /v1/numbers', submission(changes));
const verify = (id: string, body: object = approve, by = sam) =>
  call(api, by.key, `POST /v1/numbers/${id}/verification`, body);
const facebook = (id: string, body: object = approve, by = sam) =>
  call(api, by.key, `POST /v1/numbers/${id}/facebook-decision`, body);
const read = (id: string, key = customer.key) => callOk(api, key, `GET /v1/numbers/${id}`);
const kindsOf = async (id: string) => (await readEmails(stack.db, id)).map((email) => email.kind);

async function approved(): Promise<NumberView> {
  const { id } = await submit();
  await verify(id);
  return (await facebook(id)).body;
}

test('from submission over a rejection to approval, an edit and the release', async () => {
  const body = submission({ website: 'https://widgets.example', displayName: 'Café 漢字 🚀' });
  const submitted = await call(api, customer.key, 'POST /v1/numbers', body);
  const { id } = submitted.body;
  expect(submitted.headers.get('location')).toBe(`http://numbers.example/v1/numbers/${id}`);
  expect(submitted.body).toMatchObject({ status: 'PENDING_VERIFICATION', waitingFor: 'support', attempt: 1 });
  expect(await read(id)).toEqual(submitted.body);

  const rejected = await verify(id, reject);
  expect(rejected.body).toMatchObject({ status: 'REJECTED', waitingFor: 'customer', revision: 2 });
  expect((await read(id)).rejection).toMatchObject({ by: 'support', ...withoutOutcome(reject) });

  const again = await callOk(api, customer.key, `POST /v1/numbers/${id}/resubmission`, {
    website: 'https://better.example',
  });
  expect(again).toMatchObject({ status: 'PENDING_VERIFICATION', attempt: 2, revision: 3, rejection: null });
  expect((await verify(id, { ...approve, attempt: 1 })).body.code).toBe('stale_attempt');
  expect((await verify(id, { ...approve, attempt: 2 })).body).toMatchObject({
    status: 'PENDING_FACEBOOK_APPROVAL',
    waitingFor: 'facebook',
    account: { id: customer.id },
  });
  expect((await facebook(id)).body).toMatchObject({ status: 'APPROVED', waitingFor: null, revision: 5 });

  const edited = await call(api, customer.key, `PATCH /v1/numbers/${id}`, {
    address: 'Main Street 1',
    website: null,
  });
  expect(edited).toMatchObject({
    status: 200,
    body: { address: 'Main Street 1', website: null, revision: 6, status: 'APPROVED' },
  });
  expect(edited.headers.get('etag')).toBe('"6"');
  expect(await read(id)).toEqual(edited.body);
  const list = await call(api, customer.key, 'GET /v1/numbers?status=APPROVED');
  expect(list.body.items).toContainEqual(edited.body);

  const released = await call(api, customer.key, `DELETE /v1/numbers/${id}`);
  expect(released).toMatchObject({ status: 204, body: null });
  expect((await read(id)).status).toBe('RELEASED');

  const { items } = (await call(api, customer.key, `GET /v1/numbers/${id}/events`)).body;
  expect(items.map((event: EventView) => [event.type, event.attempt, event.actor.id])).toEqual([
    ['submitted', 1, customer.keyId],
    ['verification.rejected', 1, null],
    ['resubmitted', 2, customer.keyId],
    ['verification.approved', 2, null],
    ['facebook.approved', 2, null],
    ['edited', 2, customer.keyId],
    ['released', 2, customer.keyId],
  ]);
  const staffs = (await call(api, sasha.key, `GET /v1/numbers/${id}/events`)).body.items;
  expect(staffs[1].actor).toEqual({ type: 'support', id: sam.id });

  const wanted = ['submitted', 'rejected', 'submitted', 'verified', 'approved'];
  expect(await kindsOf(id)).toEqual(wanted);
  const mails = () => stack.smtp.mails.filter((mail) => mail.parsed.messageId?.includes(id));
  await expect.poll(() => mails().length, { timeout: 20_000 }).toBe(wanted.length);
  const rejection = mails()[1]?.parsed;
  expect(mails()[1]?.to).toEqual([customer.email]);
  expect(rejection?.text).toContain(reject.reason);
  expect(rejection?.html).toContain('The &lt;b&gt;website&lt;/b&gt; is another shop');
  expect((await callOk(api, customer.key, 'POST /v1/numbers', { ...body, displayName: 'Anew' })).status).toBe(
    'PENDING_VERIFICATION',
  );
});

function withoutOutcome({ outcome: _, ...rest }: typeof reject) {
  return rest;
}

describe('decisions', () => {
  test('the first stands; another person hears whose it was, the same person the same again', async () => {
    const { id } = await submit();
    const first = await verify(id);
    const repeated = await verify(id);
    expect(repeated).toMatchObject({ status: 200, body: first.body });
    const late = await verify(id, reject, sasha);
    expect(late).toMatchObject({
      status: 409,
      body: {
        code: 'already_decided',
        decision: { outcome: 'approved', by: { type: 'support', id: sam.id } },
      },
    });
    expect((await verify(id, reject)).body.code).toBe('already_decided');
    expect(await read(id)).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL', revision: 2 });
  });

  test("Facebook's is kept until support approves, whose answer is then the final status", async () => {
    const { id } = await submit();
    expect((await facebook(id)).body).toMatchObject({
      status: 'PENDING_VERIFICATION',
      revision: 2,
      facebookDecision: { outcome: 'approved', held: true },
    });
    expect((await facebook(id, reject, sasha)).body.code).toBe('already_decided');
    expect((await verify(id)).body).toMatchObject({
      status: 'APPROVED',
      facebookDecision: { held: false },
    });
    expect(await kindsOf(id)).toEqual(['submitted', 'verified', 'approved']);
  });

  test("Facebook's rejection that was kept is the answer to support's approval", async () => {
    const { id } = await submit();
    await facebook(id, reject);
    expect((await verify(id)).body).toMatchObject({ status: 'REJECTED', rejection: { by: 'facebook' } });
    expect(await kindsOf(id)).toEqual(['submitted', 'verified', 'rejected']);
  });

  test("support's rejection discards Facebook's: the next attempt gets its own", async () => {
    const { id } = await submit();
    await facebook(id);
    expect((await verify(id, reject)).body).toMatchObject({ status: 'REJECTED', facebookDecision: null });
    await callOk(api, customer.key, `POST /v1/numbers/${id}/resubmission`);
    expect((await verify(id)).body.status).toBe('PENDING_FACEBOOK_APPROVAL');
    expect((await facebook(id, reject)).body).toMatchObject({ status: 'REJECTED', attempt: 2 });
  });

  test('on a withdrawn or released number there is nothing to decide', async () => {
    const { id } = await submit();
    const withdrawn = await call(api, customer.key, `POST /v1/numbers/${id}/withdrawal`);
    expect(withdrawn).toMatchObject({ status: 200, body: { status: 'WITHDRAWN', revision: 2 } });
    expect((await call(api, customer.key, `POST /v1/numbers/${id}/withdrawal`)).body.code).toBe(
      'not_pending',
    );
    expect(await verify(id)).toMatchObject({
      status: 409,
      body: { code: 'not_pending', decision: { outcome: 'withdrawn', by: { id: customer.keyId } } },
    });
    const released = await approved();
    await call(api, customer.key, `DELETE /v1/numbers/${released.id}`);
    expect((await facebook(released.id)).body.code).toBe('not_pending');
    expect((await call(api, customer.key, `DELETE /v1/numbers/${released.id}`)).body.code).toBe(
      'not_approved',
    );
  });
});

describe('edits', () => {
  test('only of an approved number', async () => {
    const { id } = await submit();
    const edit = () => call(api, customer.key, `PATCH /v1/numbers/${id}`, { address: 'Here' });
    expect(await edit()).toMatchObject({ status: 409, body: { code: 'not_approved' } });
    await verify(id, reject);
    expect((await edit()).body.code).toBe('not_approved');
  });

  test('If-Match: the revision that was read, or 412', async () => {
    const { id, revision } = await approved();
    const edit = (ifMatch: string, address: string) =>
      call(api, customer.key, `PATCH /v1/numbers/${id}`, { address }, { 'if-match': ifMatch });
    const at = [await Promise.all([edit(`"${revision}"`, 'A'), edit(`"${revision}"`, 'B')])].flat();
    expect(at.map((answer) => answer.status).toSorted()).toEqual([200, 412]);
    expect(await edit(`"${revision}"`, 'C')).toMatchObject({
      status: 412,
      body: { code: 'revision_conflict' },
    });
    expect((await edit('*', 'D')).status).toBe(200);
  });

  test('one that changes nothing is answered and makes no revision', async () => {
    const before = await approved();
    const { id, displayName, revision } = before;
    const same = await callOk(api, customer.key, `PATCH /v1/numbers/${id}`, { displayName });
    expect(same.revision).toBe(revision);
    expect((await callOk(api, customer.key, `PATCH /v1/numbers/${id}`, {})).revision).toBe(revision);
  });

  test('the same key is applied once and gets the same answer', async () => {
    const { id } = await approved();
    const edit = (address: string) =>
      call(api, customer.key, `PATCH /v1/numbers/${id}`, { address }, { 'idempotency-key': `edit-${id}` });
    const first = await edit('Once');
    await callOk(api, customer.key, `PATCH /v1/numbers/${id}`, { address: 'Other' });
    const again = await edit('Once');
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'));
    expect((await edit('Twice')).body.code).toBe('idempotency_key_reused');
    expect((await read(id)).address).toBe('Other');
  });
});

test('the queue shows what waits, the longest first, and forgets what is decided', async () => {
  const [one, two] = [await submit(), await submit()];
  const idsOf = async (stage: string) =>
    (await call(api, sam.key, `GET /v1/reviews?stage=${stage}&limit=100`)).body.items.map(
      (item: { number: NumberView }) => item.number.id,
    );
  expect((await idsOf('verification')).slice(-2)).toEqual([one.id, two.id]);
  await verify(two.id);
  expect(await idsOf('verification')).not.toContain(two.id);
  expect((await idsOf('facebook')).at(-1)).toBe(two.id);
});
