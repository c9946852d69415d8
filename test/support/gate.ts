/** The product connected to a simulated Meta, for one test file: what a number meets there is asked for here. */
import { expect } from 'vitest';
import type { NumberRow } from '../../db/number-row.ts';
import { STACK_ACCOUNTS, STACK_APP } from '../../dev/meta/accounts.ts';
import type { Simulation } from '../../dev/meta/simulation.ts';
import { type MetaSimulator, startMetaSimulator } from '../../dev/meta/simulator.ts';
import { keepOurConnection } from '../../meta/connections.ts';
import { readState } from './accepted.ts';
import { metaEnv } from './meta.ts';
import { startStack, type TestStack } from './stack.ts';

export interface TestGate {
  stack: TestStack;
  simulation: Simulation;
  /** As Meta has it. */
  theirs(number: Pick<NumberRow, 'mobileNumber'>): Simulation['state']['numbers'][number];
  /** Has the next calls to paths with this end refused. */
  refuse(path: string, code: number, count?: number): void;
  /** Waits until the row is at the step; null where nothing is left to do. */
  atStep(number: Pick<NumberRow, 'id'>, step: string | null, turn?: string): Promise<void>;
  close(): Promise<void>;
}

/** `env` overrides the settings; with our own WhatsApp Business Account unless that is unset by it. */
export async function startGate(env: Record<string, string> = {}): Promise<TestGate> {
  const simulator: MetaSimulator = await startMetaSimulator({
    port: 0,
    ...STACK_APP,
    accounts: STACK_ACCOUNTS,
  });
  const { simulation } = simulator;
  const stack = await startStack({ env: { ...metaEnv(simulator), ...env } });
  const { db, config } = stack;
  await keepOurConnection({ db, config, logger: { info() {}, warn() {}, error: console.error } });
  return {
    stack,
    simulation,
    theirs({ mobileNumber }) {
      const number = simulation.state.numbers.find(({ digits }) => `+${digits}` === mobileNumber);
      if (!number) throw new Error(`Meta has no number ${mobileNumber}`);
      return number;
    },
    refuse(path, code, count = 1) {
      simulation.failures.add({ path, code, count, when: 'before', delayMs: 0 });
    },
    async atStep({ id }, step, turn = 'facebook') {
      const place = async () => {
        const { facebook } = await readState(db, id);
        return facebook && { step: facebook.step, turn: facebook.turn };
      };
      await expect.poll(place, { timeout: 20_000, interval: 50 }).toEqual(step && { step, turn });
    },
    async close() {
      await stack.close();
      await simulator.close();
    },
  };
}
