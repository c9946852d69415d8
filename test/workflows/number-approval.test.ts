import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { eq } from 'drizzle-orm';
import Long from 'long';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../contract/ids.ts';
import {
  customerAnswer,
  type DecisionSignal,
  editNumber,
  facebookApproval,
  getNumber,
  NextActionAtKey,
  NUMBER_WORKFLOW,
  refresh,
  release,
  supportQuestion,
  supportVerification,
  TASK_QUEUE,
  withdraw,
  workflowId,
} from '../../contract/messages.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { numbers } from '../../db/schema.ts';
import { createNumberWorkflows } from '../../temporal/numbers.ts';
import { acceptNumber, readEmails, readEvents, readNumber, readState } from '../support/accepted.ts';
import { COLLEAGUE, CUSTOMER, decision, SUPPORT } from '../support/number-state.ts';
import { createAccount, startStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let accountId: string;

beforeAll(async () => {
  stack = await startStack();
  accountId = (await createAccount(stack.db)).id;
});
afterAll(() => stack.close());

async function startNumber(changes: Partial<NumberRow> = {}): Promise<NumberRow> {
  const row = await acceptNumber(stack.db, accountId, changes);
  await stack.workflows.start(row);
  return row;
}

const handleOf = (row: NumberRow) => stack.client.workflow.getHandle(workflowId(row));
const decide = (row: NumberRow, changes: Partial<DecisionSignal> = {}): DecisionSignal => ({
  ...decision(changes),
  attempt: row.attempt,
  ...changes,
});
const status = (row: NumberRow) => () => readState(stack.db, row.id).then((state) => state.status);
const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 20_000, interval: 50 });

async function approvedNumber(): Promise<NumberRow> {
  const row = await startNumber();
  await handleOf(row).signal(supportVerification, decide(row));
  await handleOf(row).signal(facebookApproval, decide(row, { decisionId: 'op_fb' }));
  await poll(status(row)).toBe('APPROVED');
  return row;
}

async function detailsOf(row: NumberRow): Promise<string> {
  const metadata = await handleOf(row).query<{ currentDetails: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails;
}

/** What the workflow, the row and the timeline say must be one thing. */
async function expectAgreement(row: NumberRow) {
  const known = await handleOf(row).query(getNumber);
  const state = await readState(stack.db, row.id);
  expect(known).toMatchObject(state);
  const events = await readEvents(stack.db, row.id);
  expect(events.filter((event) => event.revision !== null).map((event) => event.revision)).toEqual(
    Array.from({ length: state.revision }, (_, index) => index + 1),
  );
}

describe('a life', () => {
  test('from submission to release, with the emails in order', async () => {
    const row = await approvedNumber();
    const edited = await handleOf(row).executeUpdate(editNumber, {
      args: [{ changes: { website: 'https://widgets.example' }, by: CUSTOMER }],
    });
    expect(edited).toMatchObject({ revision: 4, profile: { website: 'https://widgets.example' } });
    await expectAgreement(row);

    await handleOf(row).signal(release, { operationId: 'op_rel', attempt: 1, by: CUSTOMER });
    await expect(handleOf(row).result()).resolves.toEqual({ status: 'RELEASED', revision: 5 });
    expect((await readEvents(stack.db, row.id)).map((event) => event.type)).toEqual([
      'submitted',
      'verification.approved',
      'facebook.approved',
      'edited',
      'released',
    ]);
    const emails = await readEmails(stack.db, row.id);
    expect(emails.map((email) => [email.kind, email.state])).toEqual([
      ['submitted', 'sent'],
      ['verified', 'sent'],
      ['approved', 'sent'],
    ]);
    const ids = stack.smtp.mails.map((mail) => mail.parsed.messageId).filter((id) => id?.includes(row.id));
    expect(ids).toEqual(emails.map((email) => `<${email.messageId}>`));
  });

  test('a rejection completes it', async () => {
    const row = await startNumber();
    await handleOf(row).signal(
      supportVerification,
      decide(row, { outcome: 'rejected', reason: 'No such shop' }),
    );
    await expect(handleOf(row).result()).resolves.toEqual({ status: 'REJECTED', revision: 2 });
    expect(await readState(stack.db, row.id)).toMatchObject({
      status: 'REJECTED',
      verification: { reason: 'No such shop' },
    });
  });

  test('a Facebook decision that comes first is held, and both emails go out', async () => {
    const row = await startNumber();
    await handleOf(row).signal(facebookApproval, decide(row, { decisionId: 'op_fb' }));
    await poll(() => readState(stack.db, row.id)).toMatchObject({
      revision: 2,
      facebookDecision: { decisionId: 'op_fb' },
    });
    await handleOf(row).signal(supportVerification, decide(row));
    await poll(status(row)).toBe('APPROVED');
    await poll(async () =>
      (await readEmails(stack.db, row.id)).map((email) => [email.kind, email.state]),
    ).toEqual([
      ['submitted', 'sent'],
      ['verified', 'sent'],
      ['approved', 'sent'],
    ]);
    await expectAgreement(row);
  });

  test('the first of two decisions stands', async () => {
    const row = await startNumber();
    await Promise.all([
      handleOf(row).signal(supportVerification, decide(row, { decisionId: 'op_1' })),
      handleOf(row).signal(
        supportVerification,
        decide(row, { decisionId: 'op_2', outcome: 'rejected', reason: 'No' }),
      ),
    ]);
    await poll(async () => (await readState(stack.db, row.id)).verification).not.toBeNull();
    await expectAgreement(row);
    expect(
      (await readEvents(stack.db, row.id)).filter((event) => event.type.startsWith('verification')),
    ).toHaveLength(1);
  });
});

describe('four eyes', () => {
  const needsTwo = () => startNumber({ approvalsNeeded: 2 });
  const first = (row: NumberRow) => decide(row, { decisionId: 'op_1' });
  const second = (row: NumberRow) => decide(row, { decisionId: 'op_2', by: COLLEAGUE });
  const typesOf = async (row: NumberRow) => (await readEvents(stack.db, row.id)).map((event) => event.type);

  test('the first approval is for staff to see, the second verifies; a repeat is neither', async () => {
    const row = await needsTwo();
    await handleOf(row).signal(supportVerification, first(row));
    await handleOf(row).signal(supportVerification, first(row));
    await handleOf(row).signal(supportVerification, decide(row, { decisionId: 'op_again' }));
    await poll(() => readState(stack.db, row.id)).toMatchObject({
      status: 'PENDING_VERIFICATION',
      revision: 2,
      approvals: [{ decisionId: 'op_1' }],
    });
    await handleOf(row).signal(supportVerification, second(row));
    await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
    await expectAgreement(row);
    const events = await readEvents(stack.db, row.id);
    expect(events.map((event) => [event.type, event.visibility])).toEqual([
      ['submitted', 'everyone'],
      ['verification.first_approval', 'staff'],
      ['verification.approved', 'everyone'],
    ]);
    expect((await readEmails(stack.db, row.id)).map((email) => email.kind)).toEqual([
      'submitted',
      'verified',
    ]);
  });

  test('a workflow that is started again or reset knows the first approval', async () => {
    const [terminated, reset] = [await needsTwo(), await needsTwo()];
    for (const row of [terminated, reset]) {
      await handleOf(row).signal(supportVerification, first(row));
      await poll(() => readState(stack.db, row.id)).toMatchObject({ revision: 2 });
    }
    await handleOf(terminated).terminate('by an operator');
    await resetToStart(reset);
    for (const row of [terminated, reset]) {
      await stack.workflows.decide(row, 'verification', second(row));
      await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
      expect((await readState(stack.db, row.id)).approvals.map(({ by }) => by)).toEqual([SUPPORT, COLLEAGUE]);
      await expectAgreement(row);
      expect(await typesOf(row)).toEqual([
        'submitted',
        'verification.first_approval',
        'verification.approved',
      ]);
    }
  });

  test('an operator reads how many are given', async () => {
    const row = await needsTwo();
    await handleOf(row).signal(supportVerification, first(row));
    await poll(() => readState(stack.db, row.id)).toMatchObject({ revision: 2 });
    expect(await detailsOf(row)).toContain('Four eyes: 1 of 2 approvals; support usr_1 at');
  });
});

describe('a question', () => {
  const asking = (changes = {}) => ({
    operationId: 'op_q',
    attempt: 1,
    stage: null,
    by: SUPPORT,
    text: 'Which *shop*?',
    fields: ['address'],
    dueAt: '2090-01-01T00:00:00.000Z',
    remainingMs: 3_600_000,
    ...changes,
  });
  const answering = (changes = {}) => ({
    operationId: 'op_a',
    attempt: 1,
    question: 'op_q',
    by: CUSTOMER,
    text: 'That one',
    dueAt: '2091-01-01T00:00:00.000Z',
    ...changes,
  });
  const asked = async (row: NumberRow) => {
    await handleOf(row).signal(supportQuestion, asking());
    await poll(async () => (await readState(stack.db, row.id)).question).not.toBeNull();
  };
  const typesOf = async (row: NumberRow) => (await readEvents(stack.db, row.id)).map((event) => event.type);
  const nextActionAt = async (row: NumberRow) =>
    (await handleOf(row).describe()).typedSearchAttributes.get(NextActionAtKey);

  test('is emailed and awaited, and the answer gives the turn back', async () => {
    const row = await startNumber();
    await asked(row);
    // The row is saved before the workflow task that tells Temporal completes.
    await poll(() => nextActionAt(row)).toEqual(new Date('2090-01-01T00:00:00.000Z'));
    const details = await detailsOf(row);
    expect(details).toContain("for the **customer** to answer support's question; due 2090-01-01");
    expect(details).toContain('Which \\*shop\\*?');
    await handleOf(row).signal(customerAnswer, answering());
    await poll(() => readState(stack.db, row.id)).toMatchObject({
      status: 'PENDING_VERIFICATION',
      revision: 3,
      question: null,
      dueAt: '2091-01-01T00:00:00.000Z',
    });
    await expectAgreement(row);
    await poll(() => nextActionAt(row)).toEqual(new Date('2091-01-01T00:00:00.000Z'));
    expect(await typesOf(row)).toEqual(['submitted', 'question.asked', 'question.answered']);
    const emails = () => readEmails(stack.db, row.id);
    await poll(async () => (await emails()).map(({ kind, state }) => [kind, state])).toEqual([
      ['submitted', 'sent'],
      ['comment', 'sent'],
    ]);
    expect((await emails())[1]).toMatchObject({
      messageId: `${row.id}.1.comment.2@numbers.example`,
      data: { text: 'Which *shop*?', replyDueAt: '2090-01-01T00:00:00.000Z' },
    });
  });

  test('that comes twice is one, also after its answer; a second answer is none', async () => {
    const row = await startNumber();
    await asked(row);
    await handleOf(row).signal(supportQuestion, asking());
    await handleOf(row).signal(customerAnswer, answering());
    await handleOf(row).signal(customerAnswer, answering({ operationId: 'op_a2' }));
    await poll(() => readState(stack.db, row.id)).toMatchObject({ revision: 3, question: null });
    await handleOf(row).signal(supportQuestion, asking());
    await handleOf(row).signal(supportVerification, decide(row));
    await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
    await expectAgreement(row);
    expect(await typesOf(row)).toEqual([
      'submitted',
      'question.asked',
      'question.answered',
      'verification.approved',
    ]);
    expect((await readEmails(stack.db, row.id)).filter(({ kind }) => kind === 'comment')).toHaveLength(1);
  });

  test('is known to a workflow that was reset, once it has the state of its row', async () => {
    const row = await startNumber();
    await asked(row);
    await resetToStart(row);
    await handleOf(row).signal(refresh);
    await poll(() => handleOf(row).query(getNumber)).toMatchObject({ question: { operationId: 'op_q' } });
    await handleOf(row).signal(customerAnswer, answering());
    await poll(async () => (await readState(stack.db, row.id)).question).toBeNull();
    await expectAgreement(row);
    expect(await typesOf(row)).toEqual(['submitted', 'question.asked', 'question.answered']);
  });

  test('can be asked and answered by hand with a text alone; junk is ignored', async () => {
    const row = await startNumber();
    await handleOf(row).signal('supportQuestion', { text: '' });
    await handleOf(row).signal('supportQuestion', { text: 'x', dueAt: '+275760-09-13T00:00:00.000Z' });
    await handleOf(row).signal('customerAnswer', { text: 'to nothing' });
    await handleOf(row).signal('supportQuestion', { text: 'By hand?' });
    await poll(async () => (await readState(stack.db, row.id)).question).toMatchObject({ text: 'By hand?' });
    await handleOf(row).signal('customerAnswer', { text: 'Yes.' });
    await poll(async () => (await readState(stack.db, row.id)).question).toBeNull();
    await expectAgreement(row);
    const events = await readEvents(stack.db, row.id);
    expect(events.map(({ type, actor }) => [type, actor.type])).toEqual([
      ['submitted', 'customer'],
      ['question.asked', 'operator'],
      ['question.answered', 'operator'],
    ]);
  });
});

describe('edits', () => {
  test('are refused before approval, with another revision, and with junk; the workflow goes on', async () => {
    const pending = await startNumber();
    const refusedWith = async (row: NumberRow, args: unknown) => {
      const error = await handleOf(row)
        .executeUpdate('editNumber', { args: [args] })
        .then(
          () => null,
          (thrown: unknown) => thrown,
        );
      expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
      return (error as WorkflowUpdateFailedError).cause;
    };
    const edit = { changes: { website: 'https://a.example' }, by: CUSTOMER };
    expect(await refusedWith(pending, edit)).toMatchObject({ type: 'not_approved' });
    const row = await approvedNumber();
    expect(await refusedWith(row, { ...edit, expectedRevision: 2 })).toMatchObject({
      type: 'revision_conflict',
    });
    expect(await refusedWith(row, { changes: { displayName: 7 } })).toMatchObject({
      type: 'invalid_request',
    });
    expect(await refusedWith(row, null)).toMatchObject({ type: 'invalid_request' });
    await expectAgreement(row);
  });

  test('the same update id is applied once, also over termination and continue-as-new', async () => {
    const row = await approvedNumber();
    const edit = (updateId: string, website: string) =>
      stack.workflows.edit(row, updateId, { changes: { website }, by: CUSTOMER });
    await edit('op_once', 'https://once.example');
    await edit('op_other', 'https://other.example');
    await startLimited(row);
    const first = await handleOf(row).describe();
    await poll(async () => {
      await edit(`op_${Math.random()}`, `https://${Math.random()}.example`);
      return (await handleOf(row).describe()).runId;
    }).not.toBe(first.runId);
    const before = await readState(stack.db, row.id);
    const again = await edit('op_once', 'https://twice.example');
    expect(again.revision).toBe(before.revision);
    expect(
      (await readEvents(stack.db, row.id)).filter((event) => event.operationId === 'op_once'),
    ).toHaveLength(1);
  });
});

/** Ends the number's workflow and starts it again from its row, to continue as new after few events. */
async function startLimited(row: NumberRow): Promise<void> {
  await handleOf(row).terminate('test');
  const limited = createNumberWorkflows({
    client: stack.client,
    db: stack.db,
    config: { ...stack.config, MAX_HISTORY: 30 },
  });
  await limited.start(await readNumber(stack.db, row.id));
}

/** As an operator would, to the first workflow task, with no signal applied again. */
async function resetToStart(row: NumberRow): Promise<void> {
  await stack.client.workflowService.resetWorkflowExecution({
    namespace: stack.config.TEMPORAL_NAMESPACE,
    workflowExecution: { workflowId: workflowId(row) },
    workflowTaskFinishEventId: Long.fromNumber(4),
    requestId: newId('op'),
    reason: 'test',
    resetReapplyType: temporal.api.enums.v1.ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
  });
}

describe('what the Temporal UI and CLI can send', () => {
  test('junk, unknown and undecodable signals are ignored', async () => {
    const row = await startNumber();
    const handle = handleOf(row);
    await handle.signal('supportVerification', 'approved');
    await handle.signal('supportVerification', { outcome: 7 });
    await handle.signal('facebookApproval');
    await handle.signal('nobodyKnowsMe', { a: 1 });
    for (const [encoding, data] of [
      ['binary/encrypted', 'x'],
      ['json/plain', '{not json'],
      ['json/protobuf', '{}'],
      ['', 'x'],
    ] as const) {
      const payload = { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(data) };
      await stack.client.workflowService.signalWorkflowExecution({
        namespace: stack.config.TEMPORAL_NAMESPACE,
        workflowExecution: { workflowId: workflowId(row) },
        signalName: 'supportVerification',
        input: { payloads: [payload] },
      });
    }
    await stack.client.workflowService.signalWorkflowExecution({
      namespace: stack.config.TEMPORAL_NAMESPACE,
      workflowExecution: { workflowId: workflowId(row) },
      signalName: 'withdraw',
      input: { payloads: [{ data: Buffer.from('no metadata') }] },
    });
    await handle.signal(supportVerification, decide(row));
    await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
    await expectAgreement(row);
  });

  test('a start with junk fails and says why', async () => {
    const handle = await stack.client.workflow.start(NUMBER_WORKFLOW, {
      workflowId: 'number:junk',
      taskQueue: TASK_QUEUE,
      args: [{ numberId: 5 }],
    });
    const failure = await handle.result().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect((failure as WorkflowFailedError).cause).toMatchObject({ type: 'invalid_input' });
  });

  test("a start with a copy of a number's input under another id fails, and leaves the number alone", async () => {
    const row = await startNumber();
    const { events } = await handleOf(row).fetchHistory();
    const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    const input = JSON.parse(Buffer.from(payload?.data ?? []).toString());
    const handle = await stack.client.workflow.start(NUMBER_WORKFLOW, {
      workflowId: `${workflowId(row)}:copy`,
      taskQueue: TASK_QUEUE,
      args: [{ ...input, state: { ...input.state, revision: 99 } }],
    });
    const failure = await handle.result().catch((error: unknown) => error);
    expect((failure as WorkflowFailedError).cause).toMatchObject({ type: 'invalid_input' });
    expect(await readState(stack.db, row.id)).toMatchObject({ revision: 1 });
    await expectAgreement(row);
  });

  test('a cancel withdraws a pending number, and does nothing to an approved one', async () => {
    const pending = await startNumber();
    await handleOf(pending).cancel();
    await expect(handleOf(pending).result()).resolves.toMatchObject({ status: 'WITHDRAWN' });
    expect((await readEmails(stack.db, pending.id)).map((email) => email.kind)).toEqual([
      'submitted',
      'withdrawn',
    ]);
    expect((await readEvents(stack.db, pending.id)).at(-1)).toMatchObject({
      type: 'withdrawn',
      actor: { type: 'operator' },
    });

    const approved = await approvedNumber();
    await handleOf(approved).cancel();
    const edited = await stack.workflows.edit(approved, 'op_after_cancel', {
      changes: { address: 'Main Street 1' },
      by: CUSTOMER,
    });
    expect(edited.profile.address).toBe('Main Street 1');
    await expectAgreement(approved);
  });

  test('a terminated workflow is started from its row by the next decision', async () => {
    const row = await startNumber();
    await handleOf(row).signal(supportVerification, decide(row));
    await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
    await handleOf(row).terminate('by an operator');
    await stack.workflows.decide(row, 'facebook', decide(row, { decisionId: 'op_fb' }));
    await poll(status(row)).toBe('APPROVED');
    await expectAgreement(row);
  });

  test('a reset workflow takes the state of its row', async () => {
    const row = await approvedNumber();
    await stack.workflows.edit(row, 'op_edit', {
      changes: { website: 'https://kept.example' },
      by: CUSTOMER,
    });
    const before = await readState(stack.db, row.id);
    await resetToStart(row);
    await handleOf(row).signal(refresh);
    await poll(() => handleOf(row).query(getNumber)).toMatchObject(before);
    const edited = await stack.workflows.edit(row, 'op_edit_2', {
      changes: { address: 'Here 1' },
      by: CUSTOMER,
    });
    expect(edited).toMatchObject({
      revision: before.revision + 1,
      profile: { website: 'https://kept.example' },
    });
    await expectAgreement(row);
  });

  test('a reset one that hears a decision before its refresh repeats it on top of the row', async () => {
    const row = await startNumber();
    await handleOf(row).signal(supportVerification, decide(row));
    await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
    await resetToStart(row);
    await handleOf(row).signal(facebookApproval, decide(row, { decisionId: 'op_fb' }));
    await poll(status(row)).toBe('APPROVED');
    await expectAgreement(row);
    expect((await readEmails(stack.db, row.id)).map((email) => email.kind)).toEqual([
      'submitted',
      'verified',
      'approved',
    ]);
  });
});

test('an older attempt that still saves is superseded', async () => {
  const row = await startNumber();
  await stack.db.update(numbers).set({ attempt: 2, revision: 5 }).where(eq(numbers.id, row.id));
  await handleOf(row).signal(withdraw, { operationId: 'op_w', attempt: 1, stage: null, by: CUSTOMER });
  await expect(handleOf(row).result()).resolves.toMatchObject({ status: 'SUPERSEDED' });
  expect(await readState(stack.db, row.id)).toMatchObject({
    attempt: 2,
    revision: 5,
    status: 'PENDING_VERIFICATION',
  });
});

test('with the mail server down nothing waits, and the emails follow in order', async () => {
  await stack.smtp.stop();
  const row = await approvedNumber();
  expect((await readEmails(stack.db, row.id)).map((email) => email.state)).toEqual([
    'unsent',
    'unsent',
    'unsent',
  ]);
  const seen = stack.smtp.mails.length;
  await stack.smtp.start();
  await expect
    .poll(async () => (await readEmails(stack.db, row.id)).map((email) => email.state), { timeout: 40_000 })
    .toEqual(['sent', 'sent', 'sent']);
  const order = stack.smtp.mails.slice(seen).filter((mail) => mail.parsed.messageId?.includes(row.id));
  expect(order.map((mail) => mail.parsed.messageId?.split('.')[2])).toEqual([
    'submitted',
    'verified',
    'approved',
  ]);
});

test('an operator reads the story in the details of the workflow', async () => {
  const row = await startNumber();
  await handleOf(row).signal(supportVerification, decide(row));
  await poll(status(row)).toBe('PENDING_FACEBOOK_APPROVAL');
  const details = await detailsOf(row);
  expect(details).toContain("for **Facebook's** decision");
  expect(details).toContain('approved by support usr_1');
});
