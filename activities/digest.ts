import { ApplicationFailure } from '@temporalio/common';
import { dueSoon, overdueByFar, waitingNumbers, writeReviewEmail } from '../db/digest.ts';
import { mailDomain } from '../db/email-rows.ts';
import type { ActivityDeps } from './deps.ts';

export interface DigestResult {
  /** Due within 24 hours. */
  due: number;
  overdue: number;
  /** Overdue by three times. */
  escalated: number;
}

export function createDigestActivities({
  db,
  config,
  logger,
}: Pick<ActivityDeps, 'db' | 'config' | 'logger'>) {
  const domain = mailDomain(config.MAIL_FROM);

  return {
    /**
     * Writes the day's review digest to support and the escalation to the second address, each once a day and
     * only when there is something to tell and somebody to tell it to. `day`: `YYYY-MM-DD`, UTC.
     */
    async writeReviewDigest({ day }: { day: string }): Promise<DigestResult> {
      if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) {
        throw ApplicationFailure.nonRetryable('Send a day like "2026-11-23".', 'invalid_input');
      }
      const at = new Date();
      const about = { day, at };
      const digest = await waitingNumbers(db, { ...about, which: dueSoon(at) });
      const escalation = await waitingNumbers(db, { ...about, which: overdueByFar(at) });
      const { verification, facebook } = digest.counts;
      const result: DigestResult = {
        due: verification.due + facebook.due,
        overdue: verification.overdue + facebook.overdue,
        escalated: escalation.lines.length + escalation.more,
      };
      if (config.SUPPORT_EMAIL?.length && result.due + result.overdue > 0) {
        await writeReviewEmail(db, {
          lane: 'support',
          kind: 'review-digest',
          data: digest,
          mailDomain: domain,
        });
      }
      if (config.ESCALATION_EMAIL?.length && result.escalated > 0) {
        await writeReviewEmail(db, {
          lane: 'escalation',
          kind: 'review-escalation',
          data: escalation,
          mailDomain: domain,
        });
      }
      logger.info({ day, ...result }, 'Reviews counted');
      return result;
    },
  };
}
