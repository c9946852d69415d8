/** Finding number workflows that began or ended lately, a bounded time at once. */
import type { Client } from '@temporalio/client';
import { callWithin } from './unavailable.ts';

export interface FoundWorkflow {
  workflowId: string;
  numberId: string;
  attempt: number;
  /** E.g. `RUNNING`, `TERMINATED`. */
  status: string;
}

const DAY_MS = 24 * 3_600_000;
/** A look goes on hour by hour, after a start over a whole day, and ends where it has found so many. */
const WINDOW_MS = 3_600_000;
const ENOUGH = 5_000;
/** Visibility lags behind: each look begins a little before the end of the one before. */
const LAG_MS = 60_000;
/** Of all pages of a list together. */
const LIST_DEADLINE_MS = 15_000;

/**
 * Returns a function that lists what has come since its last look, beginning a day ago. A workflow may come
 * twice. Throws `TemporalUnavailable`; the next look then goes on where this one came to.
 */
export function recentWorkflows(
  client: Client,
  { by, query }: { by: 'StartTime' | 'CloseTime'; query: string },
): () => Promise<FoundWorkflow[]> {
  let since = Date.now() - DAY_MS;
  /** Outlives a look that fails: what it has found already is told by the next. */
  let found: FoundWorkflow[] = [];
  return async () => {
    let until: number;
    await callWithin(client, LIST_DEADLINE_MS, async () => {
      do {
        until = Math.min(since + WINDOW_MS, Date.now());
        const range = `${by} > "${iso(since)}" AND ${by} <= "${iso(until)}"`;
        for await (const { workflowId, status } of client.workflow.list({ query: `${query} AND ${range}` })) {
          const [kind, , numberId, attempt] = workflowId.split(':');
          if (kind !== 'number' || !numberId || !attempt) continue;
          found.push({ workflowId, numberId, attempt: Number(attempt), status: status.name });
        }
        since = until - LAG_MS;
      } while (until < Date.now() - LAG_MS && found.length < ENOUGH);
    });
    const all = found;
    found = [];
    return all;
  };
}

const iso = (time: number) => new Date(time).toISOString();
