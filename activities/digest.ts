import { ApplicationFailure } from '@temporalio/common';
import { dayOf, nextWorkingDayAt, workingTimeOf } from '../contract/working-time.ts';
import { dueBy, overdueByFar, waitingNumbers, writeReviewEmail } from '../db/digest.ts';
import { mailDomain } from '../db/email-rows.ts';
import type { ActivityDeps } from './deps.ts';

export interface DigestResult {
  /** Due before the next digest. */
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
  const workingTime = workingTimeOf(config);

  return {
    /**
     * Writes the day's review digest to support and the escalation to the second address, each once a day and
     * only when there is something to tell and somebody to tell it to. `at`: RFC 3339, the time that it is
     * written for; a repeat after midnight still writes that day's.
     */
    async writeReviewDigest(request: { at: string }): Promise<DigestResult> {
      const at = new Date(request.at);
      if (Number.isNaN(at.getTime())) {
        throw ApplicationFailure.nonRetryable('Send a time like "2026-11-23T08:00:00Z".', 'invalid_input');
      }
      const about = { day: dayOf(at, workingTime), at };
      const nextDigest = nextWorkingDayAt(config.DIGEST_HOUR, at, workingTime);
      const digest = await waitingNumbers(db, { ...about, which: dueBy(nextDigest) });
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
      logger.info({ day: about.day, ...result }, 'Reviews counted');
      return result;
    },
  };
}
