import { ApplicationFailure } from '@temporalio/common';
import type { EmailData } from '../contract/emails.ts';
import type { EmailKind } from '../contract/number.ts';
import {
  closeAttempt,
  openAttempt,
  settleEmail,
  type UnsentEmail,
  unsentEmails,
  unsentLanes,
} from '../db/emails.ts';
import { LaneBusyError, withLaneLock } from '../db/lane-lock.ts';
import { render } from '../email/render.ts';
import type { ActivityDeps } from './deps.ts';

/** What the sending of one lane came to. */
export interface LaneResult {
  sent: number;
  /** Emails that nobody will get: every address, or the message, was refused for good. */
  refused: { kind: EmailKind; detail: string }[];
}

/** How one round over the lanes that no workflow sends any more went. */
export interface LeftoverResult {
  /** Lanes with emails left over. */
  lanes: number;
  sent: number;
  refused: number;
  /** Lanes that the mail server did not take, or where something else failed. */
  deferred: number;
}

/** Emails of a lane read at once. */
const PAGE = 20;

/** Type of the failure after which the rest of a lane is to be tried again. */
const EMAIL_DEFERRED = 'email_deferred';

/**
 * Milliseconds unless named otherwise. One run of `sendEmails` ends within 120 s: it begins no email after
 * `laneTime`, and an email takes at most `MAIL_TIMEOUTS.total`.
 */
export const EMAIL_LIMITS = {
  /**
   * The pause before a try after the second one of which nobody knows whether it was taken; it doubles with each,
   * up to the longest. A server that breaks off after every message must not send copies all day.
   */
  ambiguousPause: 5 * 60_000,
  ambiguousPauseLongest: 6 * 3_600_000,
  /** After so many of these, and a day after the first try, an email is given up: it has probably arrived. */
  ambiguousTries: 8,
  ambiguousGivenUp: 24 * 3_600_000,
  /** Since the first try; an email that no server took by then is given up. */
  deferredGivenUp: 5 * 24 * 3_600_000,
  /** How long to wait for a lane that another worker is sending; below the 15 s of a statement. */
  laneWait: 12_000,
  /** After this a run begins no further email of the lane. */
  laneTime: 25_000,
  /** A lane's own workflow comes first: only what is older than this is left over. */
  leftoverSeconds: 90,
  /** How long a round waits for a lane that another worker is sending. */
  leftoverWait: 1_000,
  leftoverLanes: 1_000,
  leftoversAtOnce: 4,
  /** After this a round of leftovers begins no further lane. */
  leftoverTime: 180_000,
  /** After so many lanes in a row that failed, the mail server is taken to be down until the next round. */
  leftoverFailures: 20,
};

export function createEmailActivities(
  { db, lockDb, mailer, config, logger, stopping }: Omit<ActivityDeps, 'workflows' | 'meta'>,
  limits: typeof EMAIL_LIMITS = EMAIL_LIMITS,
) {
  /** By what a lane's name begins with, up to the colon: `support:num_…` is one of the lanes to support. */
  const staffLanes: Record<string, string[] | undefined> = {
    support: config.SUPPORT_EMAIL ?? [],
    escalation: config.ESCALATION_EMAIL ?? [],
  };
  const staffOf = (lane: string) => staffLanes[lane.split(':', 1)[0] ?? lane];

  /** Sends a lane until it is empty. Throws `email_deferred` at the first email that stays unsent. */
  async function sendLane(lane: string, waitMs: number): Promise<LaneResult> {
    const stopAt = performance.now() + limits.laneTime;
    return withLaneLock(lockDb, lane, waitMs, async (stillHeld) => {
      const result: LaneResult = { sent: 0, refused: [] };
      for (;;) {
        const rows = await unsentEmails(db, lane, PAGE);
        for (const row of rows) {
          if (stopping.aborted) throw deferred('The worker stops.');
          if (result.sent + result.refused.length > 0) {
            if (performance.now() > stopAt) throw deferred('There is more to send.');
            await stillHeld();
          }
          const pause = pauseBefore(row);
          if (pause > 0)
            throw deferred(`It may have arrived; tried again in ${Math.ceil(pause / 60_000)} min.`);
          const refusal = await sendOne(row);
          if (refusal === null) result.sent += 1;
          else result.refused.push({ kind: row.kind, detail: refusal });
        }
        // What was written meanwhile, its own workflow sends in another run.
        if (rows.length < PAGE) return result;
      }
    });
  }

  /** Sends one email and records what came of it. Returns why it was refused, null when it was sent. */
  async function sendOne(row: UnsentEmail): Promise<string | null> {
    const attempt = await openAttempt(db, row, staffOf(row.lane));
    const refuse = async (detail: string, rejected: string[]) => {
      await settleEmail(db, row, attempt, { outcome: 'refused', detail, rejected });
      logger.warn({ emailId: row.id, lane: row.lane, kind: row.kind }, 'Email refused for good');
      return detail;
    };
    if (attempt.recipients.length === 0) return refuse('no recipient', []);

    let letter: ReturnType<typeof render>;
    try {
      letter = render(row.kind, row.data as EmailData[EmailKind]);
    } catch (error) {
      // One bad row must not hold back the emails after it for ever.
      return refuse(`cannot be written: ${error instanceof Error ? error.message : 'unknown'}`, []);
    }
    const result = await mailer.send({ messageId: row.messageId, to: attempt.recipients, ...letter });
    switch (result.outcome) {
      case 'sent':
        await settleEmail(db, row, attempt, { ...result, outcome: 'sent' });
        return null;
      case 'refused':
        return refuse(result.detail, result.rejected);
      case 'deferred':
      case 'ambiguous': {
        const givenUp = whyGivenUp(row, result.outcome);
        if (givenUp) return refuse(`${givenUp}: ${result.detail}`, attempt.recipients);
        await closeAttempt(db, attempt, { outcome: result.outcome, detail: result.detail });
        throw deferred(result.detail);
      }
    }
  }

  /** Milliseconds until an email may be tried again that may have been taken. */
  function pauseBefore({ tries: { ambiguous, lastAmbiguousAt } }: UnsentEmail): number {
    if (ambiguous < 2 || lastAmbiguousAt === null) return 0;
    const pause = Math.min(limits.ambiguousPause * 2 ** (ambiguous - 2), limits.ambiguousPauseLongest);
    return lastAmbiguousAt + pause - Date.now();
  }

  /** Why an email that was not taken now is not tried again; null where it is. */
  function whyGivenUp({ tries }: UnsentEmail, outcome: 'deferred' | 'ambiguous'): string | null {
    const age = tries.firstAt === null ? 0 : Date.now() - tries.firstAt;
    const ambiguous = tries.ambiguous + (outcome === 'ambiguous' ? 1 : 0);
    if (ambiguous >= limits.ambiguousTries && age > limits.ambiguousGivenUp) {
      return `Not confirmed in ${ambiguous} tries, it may have arrived`;
    }
    return age > limits.deferredGivenUp ? `Not taken in ${Math.floor(age / 86_400_000)} days` : null;
  }

  return {
    /**
     * Sends the unsent emails of a lane (a number's id, a person's id or address, `support`, `support:` with a
     * number's id, or `escalation`) in the order they were written, one worker at a time, and returns when none is
     * left. Fails with `email_deferred`, to be tried again, when the mail server did not take one or another worker
     * has the lane.
     */
    async sendEmails({ lane }: { lane: string }): Promise<LaneResult> {
      try {
        return await sendLane(lane, limits.laneWait);
      } catch (error) {
        throw error instanceof LaneBusyError ? deferred(error.message) : error;
      }
    },

    /**
     * Sends what the workflows have left, a few lanes at once. A lane's trouble is logged and counted; a lane
     * that is being sent is left alone. Fails only when the lanes cannot be read.
     */
    async sendLeftoverEmails(): Promise<LeftoverResult> {
      const result: LeftoverResult = { lanes: 0, sent: 0, refused: 0, deferred: 0 };
      const stopAt = performance.now() + limits.leftoverTime;
      let failuresInARow = 0;
      const isOver = () =>
        failuresInARow >= limits.leftoverFailures || performance.now() > stopAt || stopping.aborted;
      const takeLanes = async (queue: Iterable<string>) => {
        for (const lane of queue) {
          if (isOver()) return;
          try {
            const { sent, refused } = await sendLane(lane, limits.leftoverWait);
            result.sent += sent;
            result.refused += refused.length;
            failuresInARow = 0;
          } catch (error) {
            if (error instanceof LaneBusyError) continue;
            result.deferred += 1;
            failuresInARow += 1;
            logger.warn({ lane, err: error }, 'Emails of a lane stay unsent');
          }
        }
      };
      const seen = new Set<string>();
      do {
        const unsent = await unsentLanes(db, {
          olderThanSeconds: limits.leftoverSeconds,
          limit: limits.leftoverLanes,
        });
        const lanes = unsent.filter((lane) => !seen.has(lane));
        if (lanes.length === 0) break;
        for (const lane of lanes) seen.add(lane);
        // One iterator for all: each lane is taken once.
        const queue = lanes.values();
        await Promise.all(Array.from({ length: limits.leftoversAtOnce }, () => takeLanes(queue)));
      } while (!isOver());
      result.lanes = seen.size;
      if (seen.size > 0) logger.info(result, 'Leftover emails');
      return result;
    },
  };
}

function deferred(message: string): ApplicationFailure {
  return ApplicationFailure.retryable(message, EMAIL_DEFERRED);
}
