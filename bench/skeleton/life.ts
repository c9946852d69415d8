/** Drives skeletons directly by the Temporal client. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { NOTHING_FROM_META } from '../../contract/facebook.ts';
import { newId } from '../../contract/ids.ts';
import { editNumber, facebookApproval, supportVerification } from '../../contract/messages.ts';
import type { NumberState } from '../../contract/number.ts';
import type { Contender } from '../contender.ts';
import { SKELETON_QUEUE, type SkeletonSettings } from './worker.ts';

const STEP_DEADLINE_MS = 240_000;

export async function skeletonContender(settings: SkeletonSettings): Promise<Contender> {
  const connection = await Connection.connect({ address: settings.temporalAddress });
  const client = new Client({ connection });
  const sql = postgres(settings.databaseUrl, { max: 16 });

  /** Waits for a step as the API does for a decision: it reads the row, at the same pace. */
  async function saved(id: string, status: string): Promise<void> {
    const deadline = Date.now() + STEP_DEADLINE_MS;
    for (let pause = 10; ; pause = Math.min(pause * 1.5, 150)) {
      const [row] = await sql`select status from skeleton_numbers where id = ${id}`;
      if (row?.['status'] === status) return;
      if (Date.now() > deadline) throw new Error(`A skeleton did not become ${status}`);
      await sleep(pause);
    }
  }

  return {
    async live(n) {
      const id = newId('num');
      const by = { type: 'support', id: 'usr_bench' } as const;
      const decision = { attempt: 1, outcome: 'approved', reason: null, code: null, fields: [], by } as const;
      const handle = await client.workflow.start('skeleton', {
        workflowId: `skeleton:${id}`,
        taskQueue: SKELETON_QUEUE,
        args: [{ id, state: submitted(n) }],
      });
      await handle.signal(supportVerification, { ...decision, fields: [], decisionId: newId('op') });
      await saved(id, 'PENDING_FACEBOOK_APPROVAL');
      await handle.signal(facebookApproval, { ...decision, fields: [], decisionId: newId('op') });
      await saved(id, 'APPROVED');
      await handle.executeUpdate(editNumber, {
        args: [{ changes: { website: `https://${n}.example` }, by }],
      });
      return { id, workflowId: handle.workflowId };
    },
    async unfinished(ids) {
      const rows = await sql`select id from skeleton_numbers
        where status = 'APPROVED' and revision = 4 and profile ->> 'website' is not null and id in ${sql(ids)}`;
      const finished = new Set(rows.map((row) => row['id']));
      return ids.filter((id) => !finished.has(id));
    },
    // The client repeats by itself.
    repeated: () => 0,
    async close() {
      await connection.close();
      await sql.end();
    },
  };
}

function submitted(n: number): NumberState {
  const now = new Date().toISOString();
  return {
    status: 'PENDING_VERIFICATION',
    attempt: 1,
    revision: 1,
    profile: {
      displayName: `Shop ${n}`,
      incomingUrl: null,
      callbackProfileId: null,
      imageId: null,
      address: '1 Long Street, Springfield',
      businessDescription: 'Sells what people need',
      businessCategory: 'RETAIL',
      contactEmail: 'shop@example.com',
      website: null,
    },
    waitingSince: now,
    dueAt: now,
    verification: null,
    facebookDecision: null,
    ending: null,
    approvals: [],
    question: null,
    ...NOTHING_FROM_META,
    submittedAt: now,
    decidedAt: null,
    updatedAt: now,
  };
}
