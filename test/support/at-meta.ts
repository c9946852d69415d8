/** Numbers on their way at a simulated Meta, with the whole product at work: for tests of what is heard of them. */
import { expect } from 'vitest';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import { workflowId } from '../../contract/messages.ts';
import { keepCode } from '../../db/meta-codes.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { STACK_ACCOUNTS, STACK_APP } from '../../dev/meta/accounts.ts';
import { decideName } from '../../dev/meta/decisions.ts';
import { type MetaSimulator, startMetaSimulator } from '../../dev/meta/simulator.ts';
import type { PhoneNumber } from '../../dev/meta/state.ts';
import { keepOurConnection } from '../../meta/connections.ts';
import { openMeta } from '../../meta/deps.ts';
import { createMetaSteps, type MetaSteps } from '../../meta/steps.ts';
import { acceptNumber, readState } from './accepted.ts';
import { metaEnv } from './meta.ts';
import { CUSTOMER, decision } from './number-state.ts';
import { createAccount, startStack, type TestStack } from './stack.ts';

/** As long as a busy machine may take. */
const PATIENCE = { timeout: 30_000, interval: 50 };

export interface StackAtMeta {
  stack: TestStack;
  simulator: MetaSimulator;
  steps: MetaSteps;
  account: Awaited<ReturnType<typeof createAccount>>;
  /** A number that is registered and waits for its name; also as Meta has it. */
  registered(changes?: Partial<NumberRow>): Promise<AtBoth>;
  /** One that is approved, connected and shows its profile. */
  connected(changes?: Partial<NumberRow>): Promise<AtBoth>;
  close(): Promise<void>;
}

export interface AtBoth {
  row: NumberRow;
  theirs: PhoneNumber;
}

/** Every webhook of the simulator is lost until one sets that right. */
export async function startStackAtMeta(env: Record<string, string> = {}): Promise<StackAtMeta> {
  const simulator = await startMetaSimulator({ port: 0, ...STACK_APP, accounts: STACK_ACCOUNTS });
  const { simulation } = simulator;
  simulation.webhooks.policy.lose = true;
  const stack = await startStack({ env: { ...metaEnv(simulator), ...env } });
  const { db, config } = stack;
  const deps = openMeta({ db, config, logger: { info() {}, warn() {}, error() {} } });
  await keepOurConnection(deps);
  const account = await createAccount(db);
  const steps = createMetaSteps(deps);

  async function registered(changes: Partial<NumberRow> = {}): Promise<AtBoth> {
    const row = await acceptNumber(db, account.id, changes);
    const read = () => readState(db, row.id);
    await stack.workflows.start(row);
    await stack.workflows.decide(row, 'verification', { ...decision(), attempt: 1 });
    await expect.poll(async () => (await read()).facebook?.turn, PATIENCE).toBe('customer');
    const theirs = simulation.state.numbers.find(({ digits }) => `+${digits}` === row.mobileNumber);
    if (!theirs) throw new Error('Meta has no such number');
    const operationId = newId('op');
    const code = await encrypt(secretsOf(config), theirs.code?.value ?? '');
    await keepCode(db, row.id, { operationId, code });
    await stack.workflows.enterCode(row, { operationId, attempt: 1, by: CUSTOMER });
    await expect.poll(async () => (await read()).facebook?.step, PATIENCE).toBe('name');
    await expect.poll(async () => (await read()).sync?.state, PATIENCE).toBe('synced');
    return { row, theirs };
  }

  async function connected(changes: Partial<NumberRow> = {}): Promise<AtBoth> {
    const number = await registered(changes);
    decideName(simulation, number.theirs, { decision: 'APPROVED', reason: undefined });
    const reading = await steps.readNumber({ numberId: number.row.id });
    if (!reading.done) throw new Error(reading.problem.message);
    await stack.workflows.hear(number.row, reading.news);
    await expect
      .poll(() => readState(db, number.row.id), PATIENCE)
      .toMatchObject({ status: 'APPROVED', facebook: null, sync: { state: 'synced' } });
    return number;
  }

  return {
    ...{ stack, simulator, steps, account, registered, connected },
    async close() {
      await stack.close();
      await simulator.close();
    },
  };
}

/** How many signals a number's workflow has got. */
export async function signalsTo({ client }: TestStack, row: NumberRow): Promise<number> {
  const { events } = await client.workflow.getHandle(workflowId(row)).fetchHistory();
  return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes).length;
}
