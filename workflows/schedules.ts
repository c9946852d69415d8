/** The small workflows behind the Schedules, and the one that sends a lane at once. */
import { log, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const { writeReviewDigest, sendLeftoverEmails, deleteUnusedImages } = proxyActivities<
  Pick<Activities, 'writeReviewDigest' | 'sendLeftoverEmails' | 'deleteUnusedImages'>
>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '15 seconds',
  // As long as the Schedule's run may last.
  retry: { initialInterval: '5 seconds', maximumInterval: '1 minute' },
});

const { sendEmails } = proxyActivities<Pick<Activities, 'sendEmails'>>({
  startToCloseTimeout: '120 seconds',
  heartbeatTimeout: '15 seconds',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

const { endNumbersOfClosedAccounts, eraseClosedAccounts } = proxyActivities<
  Pick<Activities, 'endNumbersOfClosedAccounts' | 'eraseClosedAccounts'>
>({
  startToCloseTimeout: '20 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '5 seconds', maximumInterval: '1 minute' },
});

/** On each working day: tells support what is due and overdue, and a second address what is overdue by far. */
export async function reviewDigest() {
  const written = await writeReviewDigest({ at: new Date().toISOString() });
  // Each mailbox on its own: a dead one delays nobody, and what stays unsent goes out with the leftovers.
  await Promise.all(
    ['support', 'escalation'].map((lane) =>
      sendEmails({ lane }).catch((error: unknown) =>
        log.warn('Digest not sent yet', { lane, error: String(error) }),
      ),
    ),
  );
  return written;
}

/** Every few minutes: sends what no workflow sends any more. */
export async function emailLeftovers() {
  return sendLeftoverEmails();
}

/** Every few minutes, and when an account was closed: ends its numbers, and erases what is due. */
export async function accountClosing() {
  // Neither waits for the other's trouble; the run fails with it.
  const [ended, erased] = await Promise.allSettled([endNumbersOfClosedAccounts(), eraseClosedAccounts()]);
  if (ended.status === 'rejected') throw ended.reason;
  if (erased.status === 'rejected') throw erased.reason;
  return { ...ended.value, ...erased.value };
}

/** Every hour: deletes the pictures that no number uses. */
export async function imageCleanup() {
  return deleteUnusedImages();
}

/** Sends one lane now: what was just written outside of a number's workflow. The Schedule has what stays unsent. */
export async function sendMail({ lane }: { lane: string }) {
  return sendEmails({ lane });
}
