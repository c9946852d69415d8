/** One round: many lifecycles of one contender, timed until everything has arrived. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import pLimit from 'p-limit';
import type { Contender } from './contender.ts';
import { cpuSeconds } from './cpu.ts';
import type { Parts } from './parts.ts';

const EMAILS_PER_LIFE = 3;
/** Workflows of a round whose events are counted. */
const SAMPLE = 40;
const ARRIVAL_DEADLINE_MS = 120_000;

export interface RoundPlan {
  numbers: number;
  clients: number;
  /** Whose CPU is measured, by name. */
  pids: Record<string, number>;
  /** The `n` of the first life. */
  from: number;
}

export interface Round {
  lifecyclesPerSecond: number;
  /** Events in the history of one life: the middle and the longest. */
  events: { median: number; most: number };
  /** Requests answered as unavailable and made again. */
  repeated: number;
  /** Milliseconds per lifecycle, by process. */
  cpuMs: Record<string, number>;
}

/** Runs a round. Throws where a life fails, or is not in the list at the end, or its emails do not come. */
export async function runRound(
  contender: Contender,
  plan: RoundPlan,
  { parts, client, signal }: { parts: Parts; client: Client; signal: AbortSignal },
): Promise<Round> {
  const { numbers, clients, from } = plan;
  const mailsBefore = await parts.mails();
  const repeatedBefore = contender.repeated();
  const cpuBefore = cpuOf(plan.pids);
  const startedAt = performance.now();

  const limit = pLimit(clients);
  const lives = await limit.map(Array(numbers).keys(), (n) => {
    signal.throwIfAborted();
    return contender.live(from + n);
  });
  await arrival(
    async () => (await parts.mails()) - mailsBefore >= numbers * EMAILS_PER_LIFE,
    'emails',
    signal,
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuAfter = cpuOf(plan.pids);

  const mails = (await parts.mails()) - mailsBefore;
  if (mails !== numbers * EMAILS_PER_LIFE) throw new Error(`${mails} emails came of ${numbers} numbers`);
  const left = await contender.unfinished(lives.map(({ id }) => id));
  if (left.length > 0) throw new Error(`${left.length} of ${numbers} numbers are not as they should be`);
  const lengths = await Promise.all(
    lives.slice(-SAMPLE).map(({ workflowId }) => historyLength(client, workflowId, signal)),
  );
  return {
    lifecyclesPerSecond: round(numbers / seconds),
    events: { median: median(lengths), most: Math.max(...lengths) },
    repeated: contender.repeated() - repeatedBefore,
    cpuMs: Object.fromEntries(
      Object.entries(cpuAfter).map(([name, after]) => [
        name,
        round(((after - (cpuBefore[name] ?? 0)) * 1000) / numbers),
      ]),
    ),
  };
}

function cpuOf(pids: Record<string, number>): Record<string, number> {
  const entries = Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]);
  const { user, system } = process.cpuUsage();
  return { ...Object.fromEntries(entries), load: (user + system) / 1e6 };
}

/** Events once nothing of the workflow is under way. */
async function historyLength(client: Client, workflowId: string, signal: AbortSignal): Promise<number> {
  let events = 0;
  const handle = client.workflow.getHandle(workflowId);
  await arrival(
    async () => {
      const { raw, historyLength } = await handle.describe();
      events = historyLength;
      return !raw.pendingActivities?.length && !raw.pendingWorkflowTask;
    },
    'workflows',
    signal,
  );
  return events;
}

async function arrival(arrived: () => Promise<boolean>, what: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + ARRIVAL_DEADLINE_MS;
  while (!(await arrived())) {
    if (Date.now() > deadline) throw new Error(`The ${what} of a round did not arrive`);
    await sleep(10, undefined, { signal });
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

export const round = (value: number, digits = 1) => Number(value.toFixed(digits));
