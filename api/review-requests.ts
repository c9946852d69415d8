/** Asks supporters by email to verify what was just accepted, where they want that. */
import type { FastifyBaseLogger } from 'fastify';
import type { Transaction } from '../db/client.ts';
import { requestReviews } from '../db/decision-links.ts';
import type { NumberRow } from '../db/number-row.ts';
import type { ApiContext } from './context.ts';
import { sendSoon } from './mail.ts';
import { startWorkflow } from './numbers.ts';

/** What was accepted, with the lanes of the emails that ask for its review. */
export interface Accepted {
  row: NumberRow;
  lanes: string[];
}

/** In the transaction that accepts it. */
export async function withReviewRequests(
  tx: Transaction,
  { decisionTokens, wholeUrl, config, acceptance: { mailDomain } }: ApiContext,
  row: NumberRow,
): Promise<Accepted> {
  const lanes = await requestReviews(tx, row, {
    linkHours: config.DECISION_LINK_HOURS,
    urlOf: (link) => `${wholeUrl}/decisions?token=${decisionTokens.tokenOf(link)}`,
    mailDomain,
  });
  return { row, lanes };
}

/** Once that is committed: its workflow is started, and the emails are sent. Neither can undo it. */
export async function goOn(api: ApiContext, { row, lanes }: Accepted, log: FastifyBaseLogger): Promise<void> {
  for (const lane of lanes) sendSoon(api, lane, log);
  await startWorkflow(api, row, log);
}
