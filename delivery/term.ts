/** What the one process that forwards does while it may: jobs, looks at all targets, partitions. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { secretsOf } from '../auth/secrets.ts';
import type { Config } from '../contract/config.ts';
import type { Change } from '../db/changes.ts';
import type { Database } from '../db/client.ts';
import { mailDomain } from '../db/email-rows.ts';
import { addPartitions, dropOldPartitions } from '../db/partitions.ts';
import { targetSecrets } from '../targets/secrets.ts';
import { type Resolve, resolveAll, urlRules } from '../targets/target-url.ts';
import { createForwarder, type Observer } from './forwarder.ts';
import { runJobs } from './jobs.ts';
import { dropFailedJobs, dropStaleJobs } from './old-jobs.ts';
import { createSender } from './sender.ts';

/** Milliseconds between two looks at all targets, and at the partitions. */
const SCAN_EVERY = 2_000;
/** A look may take this part of the time at most. */
const SCAN_SHARE = 0.1;
const PARTITIONS_EVERY = 10 * 60_000;

export interface TermDeps {
  db: Database;
  config: Config;
  logger: Logger;
  observer: Observer;
  workOffChange: (change: Change) => Promise<void>;
  /** Otherwise for tests. */
  now?: () => Date;
  resolve?: Resolve;
}

/**
 * Forwards until `term` aborts, and ends then: in order where the process stops, at once where the lock was lost. Throws
 * where the queue cannot go on.
 */
export async function forward(deps: TermDeps, term: AbortSignal, stopping: AbortSignal): Promise<void> {
  const { db, config, logger, observer, workOffChange } = deps;
  const { now = () => new Date(), resolve = resolveAll() } = deps;
  const sender = createSender(urlRules(config), resolve);
  const secrets = targetSecrets(secretsOf(config));
  const forwarder = createForwarder({
    ...{ db, sender, secrets, logger, now, observer },
    mailDomain: mailDomain(config.MAIL_FROM),
  });
  const jobs = await runJobs({ db, config, logger, wake: forwarder.wake, workOffChange }).catch(
    async (error) => {
      await sender.close();
      throw error;
    },
  );
  const ended = new AbortController();
  const either = AbortSignal.any([term, ended.signal]);
  let failure: unknown = null;
  jobs.ended.then(
    () => ended.abort(),
    (error) => {
      failure = error;
      ended.abort();
    },
  );
  const rounds = [
    repeat(either, SCAN_EVERY, logger, forwarder.scan),
    repeat(either, PARTITIONS_EVERY, logger, async () => {
      await addPartitions(db, now());
      const dropped = await dropOldPartitions(db, now());
      if (dropped.length > 0) logger.info({ dropped }, 'Old events and deliveries were dropped');
      await dropFailedJobs(db);
    }),
    dropStaleJobs(db, either).catch((error) =>
      logger.error({ err: error }, 'Old jobs could not be dropped; they are worked off'),
    ),
  ];
  if (!either.aborted) await once(either, 'abort');
  // At once: another process may forward now, and a round may take its time.
  await Promise.all([
    forwarder.stop(stopping.aborted ? config.SHUTDOWN_GRACE_SECONDS * 1_000 : 0),
    jobs.stop(),
    ...rounds,
  ]);
  if (failure !== null) throw failure;
}

/** A failed round is told of; the next one tries again. */
async function repeat(
  until: AbortSignal,
  everyMs: number,
  logger: Logger,
  round: () => Promise<void>,
): Promise<void> {
  while (!until.aborted) {
    const started = performance.now();
    await round().catch((error) => logger.error({ err: error }, 'A round failed; it is made again'));
    const pause = Math.max(everyMs, (performance.now() - started) / SCAN_SHARE);
    await sleep(pause, undefined, { signal: until }).catch(() => {});
  }
}
