/** Decisions, withdrawals, edits and releases, through two API processes' worth of app and a real worker. */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { createContext } from '../../api/context.ts';
import { workflowId } from '../../contract/messages.ts';
import type { NumberView } from '../../contract/views.ts';
import { claimRequest } from '../../db/idempotency.ts';
import { claims, memberships } from '../../db/schema.ts';
import { readEmails, readEvents, readNumber } from '../support/accepted.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';
import {
  type Call,
  caller,
  MAIL_DOWN,
  problemOf,
  startTwoApps,
  submit as submitWith,
  TEMPORAL_DOWN,
} from './harness.ts';

let stack: TestStack;
let apps: FastifyInstance[];
let calls: [Call, Call];
let account: Awaited<ReturnType<typeof createAccount>>;
let anna: Awaited<ReturnType<typeof createStaff>>;
let ben: Awaited<ReturnType<typeof createStaff>>;

beforeAll(async () => {
  stack = await startStack();
  const { db } = stack;
  // Each with its own line of edits.
  const [one, two] = await startTwoApps(stack);
  apps = [one, two];
  calls = [caller(one), caller(two)];
  account = await createAccount(db);
  anna = await createStaff(db, 'support');
  ben = await createStaff(db, 'support');
});
afterAll(async () => {
  for (const app of apps ?? []) await app.close();
  await stack?.close();
});

const call: Call = (...request) => calls[0](...request);
const submit = (changes: Record<string, unknown> = {}) => submitWith(call, account.key, changes);
const APPROVED = { outcome: 'approved' };
const REJECTED = {
  outcome: 'rejected',
  reason: 'The address is not yours',
  code: 'address',
  fields: ['address'],
};

const verify = (id: string, body: object, who = anna, via = call, headers = {}) =>
  via(who.key, 'POST', `/v1/numbers/${id}/verification`, body, headers);
const decideFacebook = (id: string, body: object, who = anna, via = call) =>
  via(who.key, 'POST', `/v1/numbers/${id}/facebook-decision`, body);
const withdraw = (id: string, via = call, headers = {}) =>
  via(account.key, 'POST', `/v1/numbers/${id}/withdrawal`, undefined, headers);
const edit = (id: string, body: object, headers = {}) =>
  call(account.key, 'PATCH', `/v1/numbers/${id}`, body, headers);
const release = (id: string, headers = {}) =>
  call(account.key, 'DELETE', `/v1/numbers/${id}`, undefined, headers);
const read = async (id: string): Promise<NumberView> =>
  (await call(account.key, 'GET', `/v1/numbers/${id}`)).json();

async function approved(changes: Record<string, unknown> = {}): Promise<NumberView> {
  const { id } = await submit(changes);
  ok(await verify(id, APPROVED));
  return ok(await decideFacebook(id, APPROVED));
}

function ok(response: LightMyRequestResponse) {
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

function refused(response: LightMyRequestResponse, status: number, code: string) {
  expect(response.statusCode, response.body).toBe(status);
  const problem = problemOf(response);
  expect(problem.code).toBe(code);
  return problem;
}

/** `temporal.api.enums.v1.ResetReapplyExcludeType.SIGNAL`. */
const RESET_EXCLUDES_SIGNALS = 1;

/** The event that ended a workflow's first task. */
async function firstTaskOf(workflow: string) {
  const { events = [] } = await stack.client.workflow.getHandle(workflow).fetchHistory();
  const completed = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  if (!completed?.eventId) throw new Error('no task was completed');
  return completed.eventId;
}

const typesOf = async (id: string) => (await readEvents(stack.db, id)).map((event) => event.type);

describe('a number', () => {
  it('goes its way: verified, approved, edited, released', async () => {
    const { id, mobileNumber } = await submit();
    expect(ok(await verify(id, APPROVED))).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      waitingFor: 'facebook',
      revision: 2,
      verification: { outcome: 'approved', by: { type: 'support', id: anna.id }, held: false },
    });
    const response = await decideFacebook(id, APPROVED);
    expect(ok(response)).toMatchObject({
      status: 'APPROVED',
      waitingFor: null,
      nextAction: null,
      revision: 3,
    });
    expect(response.headers['etag']).toBe('"3"');
    expect(ok(await edit(id, { address: 'Via Dante 1' }))).toMatchObject({
      address: 'Via Dante 1',
      revision: 4,
    });
    expect(await read(id)).toMatchObject({ address: 'Via Dante 1', revision: 4 });
    const released = await release(id);
    expect([released.statusCode, released.body]).toEqual([204, '']);
    expect(await read(id)).toMatchObject({ status: 'RELEASED', revision: 5 });
    expect((await submit({ mobileNumber })).id).not.toBe(id);
    expect(await typesOf(id)).toEqual([
      'submitted',
      'verification.approved',
      'facebook.approved',
      'edited',
      'released',
    ]);
  });

  it('is rejected with a reason, resubmitted and approved', async () => {
    const { id } = await submit();
    ok(await verify(id, REJECTED));
    expect(await read(id)).toMatchObject({
      status: 'REJECTED',
      waitingFor: 'customer',
      nextAction: { type: 'resubmit', fields: ['address'], dueAt: null },
      rejection: { by: 'support', reason: REJECTED.reason, code: 'address', fields: ['address'] },
    });
    ok(await call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, { address: 'Right' }));
    refused(await verify(id, { ...APPROVED, attempt: 1 }), 409, 'stale_attempt');
    refused(await verify(id, { ...APPROVED, attempt: 3 }), 422, 'invalid_request');
    ok(await verify(id, { ...APPROVED, attempt: 2 }));
    expect(ok(await decideFacebook(id, APPROVED))).toMatchObject({
      status: 'APPROVED',
      attempt: 2,
      revision: 5,
    });
  });

  it("is kept with Facebook's early decision, which support's approval puts in force", async () => {
    const { id } = await submit();
    const early = ok(await decideFacebook(id, APPROVED, ben));
    expect(early).toMatchObject({
      status: 'PENDING_VERIFICATION',
      facebookDecision: { outcome: 'approved', held: true, by: { type: 'support', id: ben.id } },
    });
    const problem = refused(await decideFacebook(id, REJECTED), 409, 'already_decided');
    expect(problem['decision']).toMatchObject({ outcome: 'approved', by: { id: ben.id } });
    expect(ok(await verify(id, APPROVED))).toMatchObject({
      status: 'APPROVED',
      facebookDecision: { held: false },
    });
    const kinds = (await readEmails(stack.db, id)).map((email) => email.kind);
    expect(kinds).toEqual(['submitted', 'verified', 'approved']);
  });

  it("drops Facebook's early decision when support rejects", async () => {
    const { id } = await submit();
    ok(await decideFacebook(id, APPROVED));
    expect(ok(await verify(id, REJECTED))).toMatchObject({ status: 'REJECTED', facebookDecision: null });
    const problem = refused(await decideFacebook(id, APPROVED), 409, 'not_pending');
    expect(problem['decision']).toMatchObject({ outcome: 'rejected' });
  });
});

describe('a second decision', () => {
  it('of the same person with the same outcome gets the same answer; others are told who was first', async () => {
    const { id } = await submit();
    const first = ok(await verify(id, APPROVED));
    expect(ok(await verify(id, APPROVED))).toEqual(first);
    for (const response of [await verify(id, APPROVED, ben), await verify(id, REJECTED)]) {
      expect(refused(response, 409, 'already_decided')['decision']).toEqual({
        outcome: 'approved',
        by: { type: 'support', id: anna.id },
        at: first.verification.at,
      });
    }
    expect(await typesOf(id)).toEqual(['submitted', 'verification.approved']);
  });

  it('is not pending once the number is withdrawn or released', async () => {
    const { id } = await submit();
    expect(ok(await withdraw(id))).toMatchObject({ status: 'WITHDRAWN', waitingFor: null });
    const problem = refused(await verify(id, APPROVED), 409, 'not_pending');
    expect(problem['decision']).toMatchObject({
      outcome: 'withdrawn',
      by: { type: 'customer', id: account.keyId },
    });
    const gone = await approved();
    await release(gone.id);
    const released = refused(await verify(gone.id, APPROVED), 409, 'not_pending');
    expect(released['decision']).toMatchObject({ outcome: 'released' });
  });

  /** A withdrawal that is late enough to see the next stage must not be of that. */
  const SUBMITTED = { 'if-match': '"1"' };
  const RACES: Record<
    string,
    [(id: string) => Promise<LightMyRequestResponse>, (id: string) => Promise<LightMyRequestResponse>]
  > = {
    'approve against reject': [
      (id) => verify(id, APPROVED, anna, calls[0]),
      (id) => verify(id, REJECTED, ben, calls[1]),
    ],
    'two times reject': [
      (id) => verify(id, REJECTED, anna, calls[0]),
      (id) => verify(id, REJECTED, ben, calls[1]),
    ],
    'approve against withdrawal': [
      (id) => verify(id, APPROVED, anna, calls[0]),
      (id) => withdraw(id, calls[1], SUBMITTED),
    ],
    'withdrawal against reject': [
      (id) => withdraw(id, calls[0], SUBMITTED),
      (id) => verify(id, REJECTED, ben, calls[1]),
    ],
  };
  it.each(Object.keys(RACES))('in the same instant: %s, one wins and the other is told', async (name) => {
    const [left, right] = RACES[name] ?? [];
    if (!left || !right) throw new Error(name);
    for (let round = 0; round < 13; round++) {
      const { id, mobileNumber } = await submit();
      const responses = await Promise.all(round % 2 ? [left(id), right(id)] : [right(id), left(id)]);
      expect(
        responses.map((response) => response.statusCode).sort(),
        responses.map((r) => r.body).join(),
      ).toEqual([200, expect.toBeOneOf([409, 412])]);
      const loser = responses.find((response) => response.statusCode !== 200) as LightMyRequestResponse;
      const problem = problemOf(loser);
      if (problem.code === 'revision_conflict') continue;
      expect(['already_decided', 'not_pending']).toContain(problem.code);
      const events = await readEvents(stack.db, id);
      expect(events).toHaveLength(2);
      const [, decided] = events;
      const shown = problem['decision'] as {
        outcome: string;
        by: { type: string; id: string | null };
        at: string;
      };
      expect(decided?.type.endsWith(shown.outcome)).toBe(true);
      expect(shown.at).toBe(decided?.at.toISOString());
      // The customer is told that it was support, not who.
      const byCustomer = loser.raw.req.url?.endsWith('/withdrawal');
      const { type, id: person } = decided?.actor ?? {};
      expect(shown.by).toEqual(byCustomer ? { type: 'support', id: null } : { type, id: person });
      const row = await readNumber(stack.db, id);
      const inWorkflow = await stack.client.workflow
        .getHandle(workflowId({ id, mobileNumber, attempt: 1 }))
        .query<{ status: string; revision: number }>('getNumber');
      expect([inWorkflow.status, inWorkflow.revision]).toEqual([row.status, row.revision]);
    }
  });
});

describe('a category that needs two supporters', () => {
  const submitAlcohol = () => submit({ businessCategory: 'ALCOHOL' });

  it('is verified by the second of them; the first sees how many are given, the customer nothing', async () => {
    const { id } = await submitAlcohol();
    const first = ok(await verify(id, APPROVED));
    expect(first).toMatchObject({
      status: 'PENDING_VERIFICATION',
      revision: 2,
      verification: null,
      nextAction: { type: 'verify' },
      approvals: [{ by: { type: 'support', id: anna.id } }],
      approvalsNeeded: 2,
    });
    const seen = await read(id);
    expect([seen.approvals, seen.approvalsNeeded, seen.status]).toEqual([
      undefined,
      undefined,
      'PENDING_VERIFICATION',
    ]);
    const { items } = (await call(account.key, 'GET', `/v1/numbers/${id}/events`)).json();
    expect(items).toHaveLength(1);

    expect(ok(await verify(id, APPROVED, ben))).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      verification: { by: { id: ben.id } },
      approvals: [{ by: { id: anna.id } }, { by: { id: ben.id } }],
    });
    // Both said so: a second click of either is no conflict.
    for (const who of [anna, ben]) ok(await verify(id, APPROVED, who));
    const kinds = (await readEmails(stack.db, id)).map((email) => email.kind);
    expect(kinds).toEqual(['submitted', 'verified']);
  });

  it('takes no second approval of the same person, but a repeat of the first', async () => {
    const { id } = await submitAlcohol();
    const headers = { 'idempotency-key': randomUUID() };
    const first = ok(await verify(id, APPROVED, anna, call, headers));
    refused(await verify(id, APPROVED), 409, 'second_approval_needed');
    expect(ok(await verify(id, APPROVED, anna, call, headers))).toEqual(first);
    expect(await typesOf(id)).toEqual(['submitted', 'verification.first_approval']);
  });

  it('is not held by who gave the first approval, also where their process died after it', async () => {
    const { id } = await submit({ businessCategory: 'ALCOHOL' });
    const key = randomUUID();
    const headers = { 'idempotency-key': key };
    ok(await call(anna.key, 'PUT', `/v1/numbers/${id}/claim`, {}));
    const [claim] = await stack.db.select().from(claims).where(eq(claims.numberId, id));
    ok(await verify(id, APPROVED, anna, call, headers));
    // As the process left it: the approval is saved, the claim not given back, the request not answered.
    await stack.db.insert(claims).values(claim ?? expect.fail('not claimed'));
    await stack.db.execute(
      `update idempotency_records set status = null, headers = null, body = null, locked_until = now() where key = '${key}'`,
    );
    expect(ok(await verify(id, APPROVED, anna, call, headers))).toMatchObject({ approvals: [{}] });
    expect(ok(await verify(id, APPROVED, ben))).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL' });
  });

  it('is rejected by one, also by who approved', async () => {
    for (const who of [anna, ben]) {
      const { id } = await submitAlcohol();
      ok(await verify(id, APPROVED));
      expect(ok(await verify(id, REJECTED, who))).toMatchObject({ status: 'REJECTED', approvals: [] });
    }
  });

  it('needs both again when it is resubmitted, and one in another category', async () => {
    const { id } = await submitAlcohol();
    ok(await verify(id, APPROVED));
    ok(await verify(id, REJECTED, ben));
    const resubmit = (changes: object) =>
      call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, changes);
    ok(await resubmit({}));
    expect(ok(await verify(id, APPROVED))).toMatchObject({
      status: 'PENDING_VERIFICATION',
      approvals: [{ by: { id: anna.id } }],
    });
    ok(await verify(id, REJECTED));
    ok(await resubmit({ businessCategory: 'RETAIL' }));
    expect(ok(await verify(id, APPROVED))).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      approvals: [],
      approvalsNeeded: 1,
    });
  });

  it('in the same instant: two persons are the first and the second, one person is only the first', async () => {
    for (let round = 0; round < 13; round++) {
      const { id } = await submitAlcohol();
      const both = await Promise.all([
        verify(id, APPROVED, round % 2 ? anna : ben, calls[0]),
        verify(id, APPROVED, round % 2 ? ben : anna, calls[1]),
      ]);
      both.map(ok);
      expect((await readNumber(stack.db, id)).status).toBe('PENDING_FACEBOOK_APPROVAL');
      const types = ['submitted', 'verification.first_approval', 'verification.approved'];
      expect(await typesOf(id)).toEqual(types);

      const other = await submitAlcohol();
      const own = await Promise.all(calls.map((via) => verify(other.id, APPROVED, anna, via)));
      expect(own.map((response) => response.statusCode).sort()).toEqual([200, 409]);
      for (const response of own)
        if (response.statusCode === 409) refused(response, 409, 'second_approval_needed');
      expect(await typesOf(other.id)).toEqual(types.slice(0, 2));
    }
  });

  it('in the same instant: an approval and a rejection are both taken, or the rejection alone', async () => {
    for (let round = 0; round < 13; round++) {
      const { id } = await submitAlcohol();
      const [approval, rejection] = await Promise.all([
        verify(id, APPROVED, anna, calls[0]),
        verify(id, REJECTED, ben, calls[1]),
      ]);
      ok(rejection);
      if (approval.statusCode !== 200) refused(approval, 409, 'already_decided');
      expect((await readNumber(stack.db, id)).status).toBe('REJECTED');
      const firsts = (await typesOf(id)).filter((type) => type === 'verification.first_approval');
      expect(firsts).toHaveLength(approval.statusCode === 200 ? 1 : 0);
    }
  });
});

describe('a resubmission', () => {
  it('remembers who verified before, where that was a person', async () => {
    const { id, mobileNumber } = await submit();
    ok(await verify(id, REJECTED, ben));
    expect(await read(id)).toMatchObject({ nextAction: { type: 'resubmit', fields: ['address'] } });
    ok(await call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, {}));
    expect(await readNumber(stack.db, id)).toMatchObject({ previousReviewerId: ben.id });
    const handle = stack.client.workflow.getHandle(workflowId({ id, mobileNumber, attempt: 2 }));
    await handle.signal('supportVerification', { outcome: 'rejected', reason: 'By hand' });
    await handle.result();
    ok(await call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, {}));
    expect(await readNumber(stack.db, id)).toMatchObject({ attempt: 3, previousReviewerId: null });
  });
});

describe('a supporter who is a member of the account', () => {
  it('decides on none of its numbers, and on others', async () => {
    const member = await createStaff(stack.db, 'support', account.id);
    const { id } = await submit();
    for (const body of [APPROVED, REJECTED]) {
      refused(await verify(id, body, member), 403, 'own_account');
      refused(await decideFacebook(id, body, member), 403, 'own_account');
    }
    expect(await read(id)).toMatchObject({ status: 'PENDING_VERIFICATION', revision: 1 });
    const elsewhere = await createAccount(stack.db);
    const other = await submitWith(call, elsewhere.key);
    ok(await verify(other.id, APPROVED, member));
  });

  it('decides with the same key once they have left', async () => {
    const member = await createStaff(stack.db, 'support', account.id);
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await verify(id, APPROVED, member, call, headers), 403, 'own_account');
    await stack.db.delete(memberships).where(eq(memberships.personId, member.id));
    ok(await verify(id, APPROVED, member, call, headers));
  });
});

describe('a withdrawal', () => {
  it('is refused once, and told of the end, when the number is not pending', async () => {
    const { id } = await submit();
    ok(await verify(id, APPROVED));
    expect(ok(await withdraw(id))).toMatchObject({ status: 'WITHDRAWN', revision: 3 });
    const again = refused(await withdraw(id), 409, 'not_pending');
    expect(again['decision']).toMatchObject({ outcome: 'withdrawn', by: { type: 'customer' } });
    const live = await approved();
    const problem = refused(await withdraw(live.id), 409, 'not_pending');
    expect(problem['decision']).toEqual({
      outcome: 'approved',
      by: { type: 'support', id: null },
      at: expect.any(String),
    });
  });

  it('honours If-Match, and a corrected one is another request', async () => {
    const { id } = await submit();
    const tag = (revision: number) => ({ 'if-match': `"${revision}"` });
    const headers = { 'idempotency-key': randomUUID() };
    refused(await withdraw(id, call, { ...headers, ...tag(2) }), 412, 'revision_conflict');
    refused(await withdraw(id, call, { ...headers, ...tag(1) }), 422, 'idempotency_key_reused');
    expect(ok(await withdraw(id, call, tag(1)))).toMatchObject({ status: 'WITHDRAWN' });
  });

  it('of no number leaves the key free', async () => {
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await withdraw('num_none', call, headers), 404, 'not_found');
    ok(await withdraw(id, call, headers));
  });

  it('with one key is one withdrawal, and both get its answer', async () => {
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    const [one, two] = await Promise.all([withdraw(id, calls[0], headers), withdraw(id, calls[1], headers)]);
    expect(ok(one)).toEqual(ok(two));
    expect(ok(await withdraw(id, calls[0], headers))).toEqual(one.json());
    expect(await typesOf(id)).toEqual(['submitted', 'withdrawn']);
  });
});

describe('an edit', () => {
  it('changes what is sent, clears what is null or empty, and leaves the rest', async () => {
    const { id } = await approved({
      address: 'Old',
      website: 'https://example.com',
      contactEmail: 'a@example.com',
    });
    const merged = await edit(id, { address: null, website: '', displayName: 'New name' });
    expect(ok(merged)).toMatchObject({
      address: null,
      website: null,
      displayName: 'New name',
      contactEmail: 'a@example.com',
    });
    const response = await call(
      account.key,
      'PATCH',
      `/v1/numbers/${id}`,
      JSON.stringify({ address: 'Patch' }),
      {
        'content-type': 'application/merge-patch+json',
      },
    );
    expect(ok(response)).toMatchObject({ address: 'Patch', revision: 5 });
    const last = (await readEvents(stack.db, id)).at(-1);
    expect(last).toMatchObject({
      type: 'edited',
      data: { changes: { address: { from: null, to: 'Patch' } } },
    });
  });

  it('that changes nothing leaves the revision', async () => {
    const { id } = await approved({ address: 'Same' });
    const response = await edit(id, { address: 'Same' });
    expect(ok(response)).toMatchObject({ revision: 3 });
    expect(response.headers['etag']).toBe('"3"');
    expect(ok(await edit(id, {}))).toMatchObject({ revision: 3 });
    expect(await typesOf(id)).toHaveLength(3);
  });

  it('honours If-Match', async () => {
    const { id } = await approved();
    const change = (value: string, tag: string) => edit(id, { address: value }, { 'if-match': tag });
    for (const tag of ['"2"', 'W/"3"', '3', '', '"2", "7"'])
      refused(await change('no', tag), 412, 'revision_conflict');
    expect(ok(await change('a', '"3"'))).toMatchObject({ revision: 4 });
    expect(ok(await change('b', '"3", "4"'))).toMatchObject({ revision: 5 });
    expect(ok(await change('c', '*'))).toMatchObject({ revision: 6 });
    const race = await Promise.all([change('d', '"6"'), change('e', '"6"'), change('f', '"6"')]);
    expect(race.map((response) => response.statusCode).sort()).toEqual([200, 412, 412]);
  });

  it('is refused unless approved, and judged like a submission', async () => {
    const { id } = await submit();
    refused(await edit(id, { address: 'x' }), 409, 'not_approved');
    const number = await approved();
    const problem = refused(await edit(number.id, { displayName: '', status: 'X' }), 422, 'invalid_request');
    expect(problem.errors.map((error) => error.pointer).sort()).toEqual(['/displayName', '/status']);
    const unsafe = refused(
      await edit(number.id, { incomingUrl: 'https://192.168.0.1/' }),
      422,
      'invalid_request',
    );
    expect(unsafe.errors[0]?.pointer).toBe('/incomingUrl');
    await release(number.id);
    refused(await edit(number.id, { address: 'x' }), 409, 'not_approved');
    refused(await release(number.id), 409, 'not_approved');
  });

  it('comes 30 at a time: each is answered with its own revision, none is lost', async () => {
    const { id } = await approved();
    const responses = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        calls[i % 2 ? 1 : 0](account.key, 'PATCH', `/v1/numbers/${id}`, { address: `No. ${i}` }),
      ),
    );
    const views = responses.map(ok);
    expect(views.map((view) => view.address)).toEqual(Array.from({ length: 30 }, (_, i) => `No. ${i}`));
    const revisions = views.map((view) => view.revision);
    expect(new Set(revisions).size).toBe(30);
    expect(await read(id)).toMatchObject({ revision: 33 });
  });

  it('with one key is one edit', async () => {
    const { id } = await approved();
    const headers = { 'idempotency-key': randomUUID() };
    const responses = await Promise.all(
      Array.from({ length: 5 }, () => edit(id, { address: 'Once' }, headers)),
    );
    for (const response of responses) expect(ok(response)).toEqual(responses[0]?.json());
    ok(await edit(id, { address: 'Later' }));
    expect(ok(await edit(id, { address: 'Once' }, headers))).toMatchObject({ address: 'Once', revision: 4 });
    refused(await edit(id, { address: 'Twice' }, headers), 422, 'idempotency_key_reused');
    expect(await read(id)).toMatchObject({ address: 'Later', revision: 5 });
  });
});

describe('a release and a resubmission', () => {
  it('honour If-Match', async () => {
    const { id } = await approved();
    refused(await release(id, { 'if-match': '"2"' }), 412, 'revision_conflict');
    expect((await release(id, { 'if-match': '"3"' })).statusCode).toBe(204);
    const rejected = await submit();
    ok(await verify(rejected.id, REJECTED));
    const resubmit = (tag: string) =>
      call(account.key, 'POST', `/v1/numbers/${rejected.id}/resubmission`, {}, { 'if-match': tag });
    refused(await resubmit('"1"'), 412, 'revision_conflict');
    expect(ok(await resubmit('"2"'))).toMatchObject({ attempt: 2, revision: 3 });
  });
});

describe('a process that died', () => {
  it('after the decision was saved: the same key finds it', async () => {
    const { id } = await submit();
    const key = randomUUID();
    const headers = { 'idempotency-key': key };
    const first = ok(await verify(id, REJECTED, anna, call, headers));
    // As the process left it: claimed, its lease run out, no answer.
    await stack.db.execute(
      `update idempotency_records set status = null, headers = null, body = null, locked_until = now() where key = '${key}'`,
    );
    expect(ok(await verify(id, REJECTED, anna, call, headers))).toEqual(first);
    ok(await call(account.key, 'POST', `/v1/numbers/${id}/resubmission`));
    await stack.db.execute(
      `update idempotency_records set status = null, headers = null, body = null, locked_until = now() where key = '${key}'`,
    );
    // It is answered, and does not decide on the next attempt.
    expect(ok(await verify(id, REJECTED, anna, call, headers))).toMatchObject({
      attempt: 2,
      status: 'PENDING_VERIFICATION',
    });
    expect(await typesOf(id)).toEqual(['submitted', 'verification.rejected', 'resubmitted']);
  });

  it('and still holds its lease: the repeat says that it runs', async () => {
    const { id } = await submit();
    const key = randomUUID();
    const path = `/v1/numbers/${id}/withdrawal`;
    const { createHash } = await import('node:crypto');
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(['POST', path, {}]))
      .digest('hex');
    await claimRequest(stack.db, { scope: account.id, key, fingerprint }, 60_000);
    refused(await withdraw(id, call, { 'idempotency-key': key }), 409, 'idempotency_in_flight');
    expect(await read(id)).toMatchObject({ status: 'PENDING_VERIFICATION' });
  });
});

describe('a repeat of what was answered 503', () => {
  let cut: Call;
  let cutOff: FastifyInstance;
  beforeAll(async () => {
    cutOff = await buildApp({
      db: stack.db,
      config: stack.config,
      workflows: TEMPORAL_DOWN,
      mail: MAIL_DOWN,
    });
    cut = caller(cutOff);
  });
  afterAll(() => cutOff.close());

  it('is for the stage that was seen: a withdrawal does not end the next one', async () => {
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await withdraw(id, cut, headers), 503, 'unavailable');
    ok(await verify(id, APPROVED));
    refused(await withdraw(id, call, headers), 409, 'already_decided');
    expect(await read(id)).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL' });
    ok(await withdraw(id));
  });

  it('is for the stage that was seen: a withdrawal ends it where it still goes on', async () => {
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await withdraw(id, cut, headers), 503, 'unavailable');
    expect(ok(await withdraw(id, call, headers))).toMatchObject({ status: 'WITHDRAWN' });
  });

  it('is for the attempt that was seen: a decision does not fall on the next one', async () => {
    const { id } = await submit();
    const headers = { 'idempotency-key': randomUUID() };
    refused(await verify(id, APPROVED, anna, cut, headers), 503, 'unavailable');
    ok(await verify(id, REJECTED, ben));
    ok(await call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, {}));
    refused(await verify(id, APPROVED, anna, call, headers), 409, 'stale_attempt');
    expect(await read(id)).toMatchObject({ status: 'PENDING_VERIFICATION', attempt: 2 });
  });
});

describe('without a worker', () => {
  it('submissions and reads work; decisions and edits answer 503, and the same key finds them later', async () => {
    const pending = await submit();
    const live = await approved();
    const keys = [randomUUID(), randomUUID()];
    const decide = () => verify(pending.id, APPROVED, anna, call, { 'idempotency-key': keys[0] });
    const change = () => edit(live.id, { address: 'Later' }, { 'idempotency-key': keys[1] });
    await stack.stopWorker();
    try {
      const submitted = await submit();
      expect(await read(submitted.id)).toMatchObject({ status: 'PENDING_VERIFICATION' });
      const [decided, edited] = await Promise.all([decide(), change()]);
      for (const response of [decided, edited]) {
        refused(response, 503, 'unavailable');
        expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
      }
    } finally {
      await stack.startWorker();
    }
    expect(ok(await decide())).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL', revision: 2 });
    expect(ok(await change())).toMatchObject({ address: 'Later', revision: 4 });
    expect(await typesOf(pending.id)).toEqual(['submitted', 'verification.approved']);
    expect((await typesOf(live.id)).filter((type) => type === 'edited')).toHaveLength(1);
  });
});

describe('a workflow that is not there', () => {
  it('is started again from its row by the next decision', async () => {
    const { id, mobileNumber } = await submit();
    await stack.client.workflow.getHandle(workflowId({ id, mobileNumber, attempt: 1 })).terminate('test');
    expect(ok(await verify(id, APPROVED))).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL' });
    await stack.client.workflow.getHandle(workflowId({ id, mobileNumber, attempt: 1 })).terminate('test');
    expect(ok(await decideFacebook(id, APPROVED))).toMatchObject({ status: 'APPROVED', revision: 3 });
    await stack.client.workflow.getHandle(workflowId({ id, mobileNumber, attempt: 1 })).terminate('test');
    expect(ok(await edit(id, { address: 'x' }))).toMatchObject({ revision: 4 });
  });
});

describe('a workflow that was reset to its start and forgot its decisions', () => {
  it('takes the state of its row when the next edit comes', async () => {
    const { id, mobileNumber } = await approved();
    const { client } = stack;
    const workflow = workflowId({ id, mobileNumber, attempt: 1 });
    await client.workflowService.resetWorkflowExecution({
      namespace: stack.config.TEMPORAL_NAMESPACE,
      workflowExecution: { workflowId: workflow },
      reason: 'test',
      requestId: randomUUID(),
      workflowTaskFinishEventId: await firstTaskOf(workflow),
      resetReapplyExcludeTypes: [RESET_EXCLUDES_SIGNALS],
    });
    expect(ok(await edit(id, { address: 'After the reset' }))).toMatchObject({
      status: 'APPROVED',
      address: 'After the reset',
      revision: 4,
    });
    expect(await read(id)).toMatchObject({ address: 'After the reset', revision: 4 });
    expect(await typesOf(id)).toEqual(['submitted', 'verification.approved', 'facebook.approved', 'edited']);
  });
});

it('builds its context from the configuration', () => {
  const { acceptance, publicUrl } = createContext({ mail: MAIL_DOWN, ...stack, config: stack.config });
  expect([acceptance.mailDomain, publicUrl]).toEqual(['numbers.example', 'http://numbers.example']);
});
