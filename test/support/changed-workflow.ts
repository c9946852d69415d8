/** The workflow with one more command: what replay must catch. */
import { sleep } from '@temporalio/workflow';
import type { NumberApprovalInput } from '../../contract/messages.ts';
import { numberApproval as today } from '../../workflows/number-approval.ts';

export async function numberApproval(input: NumberApprovalInput) {
  await sleep(1000);
  return today(input);
}
