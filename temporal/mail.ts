/** Asks for the sending of emails that were written outside of a number's workflow. */
import type { Client } from '@temporalio/client';
import { newId } from '../contract/ids.ts';
import { TASK_QUEUE } from '../contract/messages.ts';
import { callWithin } from './unavailable.ts';

export interface MailWorkflows {
  /**
   * Starts the sending of a lane's unsent emails. Throws TemporalUnavailable; the Schedule `email-leftovers` sends
   * them then, within minutes.
   */
  send(lane: string): Promise<void>;
}

const DEADLINE_MS = 2_000;

export function createMailWorkflows({ client }: { client: Client }): MailWorkflows {
  return {
    async send(lane) {
      await callWithin(client, DEADLINE_MS, () =>
        client.workflow.start('sendMail', {
          // Its own each time: one that ends this moment would not see what was just written.
          workflowId: `mail:${newId('eml')}`,
          taskQueue: TASK_QUEUE,
          args: [{ lane }],
          workflowExecutionTimeout: '1 hour',
        }),
      );
    },
  };
}
