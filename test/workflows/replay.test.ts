/**
 * Histories of real runs, replayed with today's code. `npm run record-histories` writes them anew after a
 * change of commands that `patched` guards; the old ones stay as long as such runs may exist.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { bundleWorkflowCode, DefaultLogger, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, inject, test } from 'vitest';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import type { FacebookNews } from '../../contract/facebook.ts';
import { newId } from '../../contract/ids.ts';
import {
  facebookApproval,
  type QuestionSignal,
  supportVerification,
  workflowId,
} from '../../contract/messages.ts';
import { keepCode } from '../../db/meta-codes.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { createNumberWorkflows } from '../../temporal/numbers.ts';
import { acceptNumber, readState } from '../support/accepted.ts';
import { startGate, type TestGate } from '../support/gate.ts';
import { COLLEAGUE, CUSTOMER, decision, SUPPORT } from '../support/number-state.ts';
import { createAccount, startStack, type TestStack } from '../support/stack.ts';

const folder = fileURLToPath(new URL('../histories/', import.meta.url));
const release = 'r3';

describe.runIf(process.env['RECORD_HISTORIES'])('record', () => {
  test('histories of every kind of life', async () => {
    const stack = await startStack();
    try {
      mkdirSync(folder, { recursive: true });
      for (const [name, live] of Object.entries(lives)) {
        const row = await acceptNumber(stack.db, (await createAccount(stack.db)).id);
        await live(stack, row);
        await save(stack, row, name);
      }
    } finally {
      await stack.close();
    }
  });

  test('histories of every kind of life at Meta', async () => {
    const gate = await startGate();
    try {
      for (const [name, live] of Object.entries(livesAtMeta)) {
        const row = await acceptNumber(gate.stack.db, (await createAccount(gate.stack.db)).id);
        await live(gate, row);
        await save(gate.stack, row, name);
      }
    } finally {
      await gate.close();
    }
  });
});

const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

test('there are histories to replay', () => {
  expect(files.length).toBeGreaterThanOrEqual(Object.keys({ ...lives, ...livesAtMeta }).length);
});

test.each(files)('%s replays', async (file) => {
  const history = JSON.parse(readFileSync(folder + file, 'utf8'));
  await Worker.runReplayHistory(
    { workflowBundle: { codePath: inject('workflowBundle') }, dataConverter },
    history,
  );
});

test('a change of commands is caught', async () => {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../support/changed-workflow.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  const history = JSON.parse(readFileSync(`${folder}approved.${release}.json`, 'utf8'));
  await expect(Worker.runReplayHistory({ workflowBundle: { code }, dataConverter }, history)).rejects.toThrow(
    DeterminismViolationError,
  );
});

/** How each recorded number lives. */
const lives: Record<string, (stack: TestStack, row: NumberRow) => Promise<void>> = {
  approved: async (stack, row) => {
    await approve(stack, row);
    await stack.workflows.edit(row, 'op_edit', { changes: { website: 'https://a.example' }, by: CUSTOMER });
    await stack.workflows.release(row, { operationId: 'op_release', attempt: 1, by: CUSTOMER });
    await handleOf(stack, row).result();
  },
  rejected: async (stack, row) => {
    await stack.workflows.start(row);
    const rejection = decision({ outcome: 'rejected', reason: 'No such shop' });
    await stack.workflows.decide(row, 'verification', { ...rejection, attempt: 1 });
    await handleOf(stack, row).result();
  },
  held: async (stack, row) => {
    await stack.workflows.start(row);
    const held = decision({ decisionId: 'op_fb', outcome: 'rejected', reason: 'The name' });
    await stack.workflows.decide(row, 'facebook', { ...held, attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).revision === 2);
    await stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
    await handleOf(stack, row).result();
  },
  cancelled: async (stack, row) => {
    await stack.workflows.start(row);
    await handleOf(stack, row).signal('unknown', {});
    await handleOf(stack, row).cancel();
    await handleOf(stack, row).result();
  },
  'continued-as-new': async (stack, row) => {
    const limited = createNumberWorkflows({ ...stack, config: { ...stack.config, MAX_HISTORY: 40 } });
    await limited.start(row);
    await approve(stack, row);
    const { runId } = await handleOf(stack, row).describe();
    for (let edits = 0; (await handleOf(stack, row).describe()).runId === runId; edits++) {
      const changes = { website: `https://${edits}.example` };
      await stack.workflows.edit(row, `op_${edits}`, { changes, by: CUSTOMER });
    }
    const end = { operationId: 'op_release', attempt: 1, by: CUSTOMER };
    await stack.workflows.release(row, end);
    await handleOf(stack, row).result();
  },
  'four-eyes': async (stack, row) => {
    await stack.workflows.start({ ...row, approvalsNeeded: 2 });
    await stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).approvals.length === 1);
    await stack.workflows.decide(row, 'verification', {
      ...decision({ decisionId: 'op_again' }),
      attempt: 1,
    });
    const second = decision({ decisionId: 'op_second', by: COLLEAGUE });
    await stack.workflows.decide(row, 'verification', { ...second, attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).verification !== null);
    await stack.workflows.withdraw(row, { operationId: 'op_w', attempt: 1, stage: null, by: CUSTOMER });
    await handleOf(stack, row).result();
  },
  'question-answered': async (stack, row) => {
    await stack.workflows.start(row);
    await stack.workflows.ask(row, question('op_question'));
    await until(async () => (await readState(stack.db, row.id)).question !== null);
    const answer = { attempt: 1, by: CUSTOMER, text: 'That one', dueAt: '2027-01-02T00:00:00.000Z' };
    await stack.workflows.answer(row, { ...answer, operationId: 'op_answer', question: 'op_question' });
    await until(async () => (await readState(stack.db, row.id)).question === null);
    await stack.workflows.answer(row, { ...answer, operationId: 'op_late', question: 'op_question' });
    await stack.workflows.decide(row, 'verification', {
      ...decision({ outcome: 'rejected', reason: 'No such shop' }),
      attempt: 1,
    });
    await handleOf(stack, row).result();
  },
  'question-decided': async (stack, row) => {
    await stack.workflows.start({ ...row, approvalsNeeded: 2 });
    await stack.workflows.ask(row, question('op_1'));
    await until(async () => (await readState(stack.db, row.id)).question !== null);
    await stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).question === null);
    for (const operationId of ['op_2', 'op_3']) await stack.workflows.ask(row, question(operationId));
    await until(async () => (await readState(stack.db, row.id)).question?.operationId === 'op_3');
    const second = decision({ decisionId: 'op_second', by: COLLEAGUE });
    await stack.workflows.decide(row, 'verification', { ...second, attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).verification !== null);
    await stack.workflows.ask(row, question('op_4'));
    await stack.workflows.decide(row, 'facebook', { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
    await until(async () => (await readState(stack.db, row.id)).status === 'APPROVED');
    await stack.workflows.release(row, { operationId: 'op_release', attempt: 1, by: CUSTOMER });
    await handleOf(stack, row).result();
  },
  'emails-deferred': async (stack, row) => {
    await stack.smtp.stop();
    await approve(stack, row);
    await stack.smtp.start();
    await stack.workflows.release(row, { operationId: 'op_release', attempt: 1, by: CUSTOMER });
    await handleOf(stack, row).result();
  },
};

/** The same where numbers are brought to Meta. */
const livesAtMeta: Record<string, (gate: TestGate, row: NumberRow) => Promise<void>> = {
  'meta-approved': async (gate, row) => {
    await register(gate, row);
    await approveName(gate, row);
    await endOf(gate, row, 'release');
  },
  'meta-code-wrong': async (gate, row) => {
    await verify(gate, row);
    const right = gate.theirs(row).code?.value ?? '';
    await enterCode(gate, row, right === '000000' ? '111111' : '000000');
    await until(async () => (await readState(gate.stack.db, row.id)).facebook?.problem != null);
    await gate.stack.workflows.resume(row, { ...asked(), method: 'VOICE' });
    await until(async () => (await readState(gate.stack.db, row.id)).facebook?.codeMethod === 'VOICE');
    await gate.atStep(row, 'code', 'customer');
    await enterCode(gate, row);
    await gate.atStep(row, 'name');
    await hear(gate, row, { name: nameOf(row, 'DECLINED') });
    await handleOf(gate.stack, row).result();
  },
  'meta-problem': async (gate, row) => {
    gate.refuse('/phone_numbers', 131042);
    await verify(gate, row, 'add');
    await gate.stack.workflows.resume(row, asked());
    await gate.atStep(row, 'code', 'customer');
    await endOf(gate, row, 'withdraw');
  },
  'meta-edited': async (gate, row) => {
    await register(gate, row);
    await approveName(gate, row);
    gate.refuse('/whatsapp_business_profile', 131009);
    const edit = (displayName: string) =>
      gate.stack.workflows.edit(row, newId('op'), { changes: { displayName }, by: CUSTOMER });
    await edit('Another name');
    await until(async () => (await readState(gate.stack.db, row.id)).sync?.state === 'failed');
    await edit('A third name');
    await until(async () => (await readState(gate.stack.db, row.id)).sync?.state === 'synced');
    await hear(gate, row, {
      quality: { connectionStatus: 'FLAGGED' },
      name: { ...nameOf(row, 'APPROVED'), name: 'A third name', requestedName: 'A third name' },
    });
    await until(async () => (await readState(gate.stack.db, row.id)).quality.connectionStatus === 'FLAGGED');
    await endOf(gate, row, 'release');
  },
  'meta-by-hand': async (gate, row) => {
    await verify(gate, row);
    await gate.stack.workflows.decide(row, 'facebook', { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
    await until(async () => (await readState(gate.stack.db, row.id)).status === 'APPROVED');
    await enterCode(gate, row);
    await gate.atStep(row, null);
    await endOf(gate, row, 'release');
  },
};

const asked = () => ({ operationId: newId('op'), attempt: 1, by: CUSTOMER });
const nameOf = (row: NumberRow, status: string) => ({
  status,
  requestedName: row.displayName,
  reason: null,
});

async function verify(gate: TestGate, row: NumberRow, step = 'code'): Promise<void> {
  await gate.stack.workflows.start(row);
  await gate.stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
  await gate.atStep(row, step, 'customer');
}

async function register(gate: TestGate, row: NumberRow): Promise<void> {
  await verify(gate, row);
  await enterCode(gate, row);
  await gate.atStep(row, 'name');
  await until(async () => (await readState(gate.stack.db, row.id)).sync?.state === 'synced');
}

async function approveName(gate: TestGate, row: NumberRow): Promise<void> {
  await hear(gate, row, { name: nameOf(row, 'APPROVED') });
  await until(async () => (await readState(gate.stack.db, row.id)).status === 'APPROVED');
  await gate.atStep(row, null);
}

async function enterCode({ stack, theirs }: TestGate, row: NumberRow, code?: string): Promise<void> {
  const { operationId, ...by } = asked();
  const encrypted = await encrypt(secretsOf(stack.config), code ?? theirs(row).code?.value ?? '');
  await keepCode(stack.db, row.id, { operationId, code: encrypted });
  await stack.workflows.enterCode(row, { operationId, ...by });
}

async function hear({ stack }: TestGate, row: NumberRow, news: Partial<FacebookNews>): Promise<void> {
  const { operationId } = asked();
  await stack.workflows.hear(row, {
    operationId,
    source: 'webhook',
    at: new Date().toISOString(),
    ...news,
  });
}

async function endOf({ stack }: TestGate, row: NumberRow, how: 'release' | 'withdraw'): Promise<void> {
  if (how === 'release') await stack.workflows.release(row, asked());
  else await stack.workflows.withdraw(row, { ...asked(), stage: null });
  await handleOf(stack, row).result();
}

const question = (operationId: string): QuestionSignal => ({
  operationId,
  attempt: 1,
  stage: null,
  by: SUPPORT,
  text: 'Which shop?',
  fields: ['address'],
  dueAt: '2027-01-01T00:00:00.000Z',
  remainingMs: 3_600_000,
});

const handleOf = (stack: TestStack, row: NumberRow) => stack.client.workflow.getHandle(workflowId(row));

async function approve(stack: TestStack, row: NumberRow): Promise<void> {
  await stack.workflows.start(row);
  await handleOf(stack, row).signal(supportVerification, { ...decision(), attempt: 1 });
  await until(async () => (await readState(stack.db, row.id)).status === 'PENDING_FACEBOOK_APPROVAL');
  await handleOf(stack, row).signal(facebookApproval, { ...decision({ decisionId: 'op_fb' }), attempt: 1 });
  await until(async () => (await readState(stack.db, row.id)).status === 'APPROVED');
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 20 }).toBe(true);
}

/** Writes every run of a number's workflow, one file each. */
async function save(stack: TestStack, row: NumberRow, name: string): Promise<void> {
  const runs = stack.client.workflow.list({ query: `WorkflowId="${workflowId(row)}"` });
  const runIds: string[] = [];
  for await (const run of runs) runIds.unshift(run.runId);
  for (const [index, runId] of runIds.entries()) {
    const history = await stack.client.workflow.getHandle(workflowId(row), runId).fetchHistory();
    const part = index === 0 ? '' : `-${index + 1}`;
    // Who ran it where is nobody's business.
    const json = historyToJSON(history).replaceAll(/"(worker|test)@[^"]*"/g, '"recorded"');
    writeFileSync(`${folder}${name}${part}.${release}.json`, `${json}\n`);
    console.log(`${name}${part}: ${history.events?.length} events`);
  }
}
