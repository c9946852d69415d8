/**
 * Reads back what Meta says of numbers, so that a lost webhook delays and never blocks: often while a name is awaited,
 * once a day otherwise. A loop in the worker, as the sweeper; an advisory lock lets one worker at a time do it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import pLimit from 'p-limit';
import type { Logger } from '../activities/deps.ts';
import type { Config } from '../contract/config.ts';
import type { FacebookNews } from '../contract/facebook.ts';
import { isLive } from '../contract/number.ts';
import { LOCKS } from '../db/advisory-locks.ts';
import type { Database } from '../db/client.ts';
import { type DueNumber, dueNumbers, leftRegistered, readLater } from '../db/meta-news.ts';
import { type NumberRow, stateOf } from '../db/number-row.ts';
import { findNumber } from '../db/started.ts';
import { TryLater } from '../meta/outcome.ts';
import type { Reading } from '../meta/read.ts';
import type { MetaSteps } from '../meta/steps.ts';
import type { NumberWorkflows } from '../temporal/numbers.ts';
import { hear } from '../workflows/news.ts';

/** Of one connection, two calls each: Meta counts calls by WhatsApp Business Account, and most are for other things. */
const READINGS_PER_MINUTE = 30;
const AT_ONCE = 8;
/** After this a round begins no more readings; it ends one reading later. */
const ROUND_MS = 30_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Until a reading that failed is tried again. */
const RETRY_MS = { temporal: MINUTE_MS, meta: 5 * MINUTE_MS, refused: 60 * MINUTE_MS };

/** What came of the readings of a round. `told`: they differed from what is known here. */
export interface ReadBackRound {
  unchanged: number;
  told: number;
  /** Registrations of numbers that have ended, which were left at Meta. */
  deregistered: number;
  failed: number;
}

export interface ReadBackDeps {
  db: Database;
  /** One connection of its own, for the lock. */
  lockDb: Database;
  workflows: Pick<NumberWorkflows, 'hear'>;
  meta: Pick<MetaSteps, 'readNumber' | 'deregister'>;
  config: Pick<Config, 'META_NAME_DAYS' | 'META_POLL_SECONDS' | 'SWEEP_SECONDS'>;
  logger: Logger;
  /** Told of every round that was this worker's, for the metrics; null of one that failed. */
  onRound: (round: ReadBackRound | null) => void;
}

/** Reads until `signal` aborts. A failed round is logged and counted, and the next one tries again. */
export async function readBack(deps: ReadBackDeps, signal: AbortSignal): Promise<void> {
  const everySeconds = Math.min(deps.config.SWEEP_SECONDS, deps.config.META_POLL_SECONDS);
  const perConnection = Math.ceil((READINGS_PER_MINUTE * everySeconds) / 60);
  const round = createReadBack(deps, { perConnection });
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  while (!signal.aborted) {
    const done = round().then(
      (read) => {
        if (read !== null) deps.onRound(read);
      },
      (error) => {
        deps.onRound(null);
        deps.logger.error({ err: error }, 'Reading numbers at Meta failed; it is tried again');
      },
    );
    // A stop does not wait for a round: whatever it leaves, the next one finds.
    await Promise.race([done, stopped]);
    await sleep(everySeconds * 1000, undefined, { signal }).catch(() => {});
  }
}

/** One round: null where another worker reads. Between rounds it remembers whom Meta takes no calls of for now. */
export function createReadBack(
  deps: Omit<ReadBackDeps, 'onRound'>,
  { perConnection }: { perConnection: number },
): () => Promise<ReadBackRound | null> {
  const { db, workflows, meta, config, logger } = deps;
  /** By connection: until when, in milliseconds since 1970. */
  const pausedUntil = new Map<string, number>();
  const isPaused = (connectionId: string) => (pausedUntil.get(connectionId) ?? 0) > Date.now();

  async function readAll(): Promise<ReadBackRound> {
    const round: ReadBackRound = { unchanged: 0, told: 0, deregistered: 0, failed: 0 };
    const stop = AbortSignal.timeout(ROUND_MS);
    const due = await dueNumbers(db, { perConnection, except: [...pausedUntil.keys()].filter(isPaused) });
    const limit = pLimit(AT_ONCE);
    const readings = due.map((one) =>
      limit(async () => {
        if (stop.aborted || isPaused(one.connectionId)) return;
        const result = await readOne(one).catch((error: unknown) => putOff(one, error));
        if (result) round[result] += 1;
      }),
    );
    // One that cannot even be put off fails the round, after all others.
    const failed = (await Promise.allSettled(readings)).find((reading) => reading.status === 'rejected');
    if (failed) throw failed.reason;
    return round;
  }

  async function readOne({ numberId }: DueNumber): Promise<keyof ReadBackRound | null> {
    const before = await findNumber(db, numberId);
    if (!before || !isLive(before.status)) return end(numberId);
    const reading = await meta.readNumber({ numberId });
    if (!reading.done) {
      logger.warn({ numberId, problem: reading.problem.message }, 'A number cannot be read at Meta');
      await readLater(db, numberId, RETRY_MS.refused);
      return 'failed';
    }
    // As it is now: what was heard meanwhile is known.
    const row = await findNumber(db, numberId);
    const news = row && newsOf(reading, row);
    if (!news || !isNews(row, news)) return 'unchanged';
    await workflows.hear(row, news).catch(async (error: unknown) => {
      await readLater(db, numberId, RETRY_MS.temporal);
      throw error;
    });
    return 'told';
  }

  function newsOf({ news, differences, connected }: Reading, row: NumberRow): FacebookNews {
    const since = Date.parse(row.facebook?.since ?? '');
    const isLong = Date.now() - since > config.META_NAME_DAYS * DAY_MS;
    const undecided = row.facebook?.step === 'name' && connected && isLong;
    return { ...news, differences, ...(undecided && { undecided }) };
  }

  /** Of a number that has ended nothing is read; its registration is ended where the workflow could not do it. */
  async function end(numberId: string): Promise<keyof ReadBackRound | null> {
    const left = await leftRegistered(db, numberId);
    if (left !== 'over') {
      await readLater(db, numberId, left && DAY_MS);
      return null;
    }
    const result = await meta.deregister({ numberId });
    if (result.done) return 'deregistered';
    const { message, until } = result.problem;
    logger.warn({ numberId, problem: message }, 'A number that has ended is still registered at Meta');
    await readLater(db, numberId, until === null ? RETRY_MS.refused : Date.parse(until) - Date.now());
    return 'failed';
  }

  /** Where Meta takes no more calls of the connection, none is made; any other trouble is the number's own. */
  async function putOff({ numberId, connectionId }: DueNumber, error: unknown): Promise<'failed'> {
    logger.warn({ numberId, connectionId, err: error }, 'A number was not read at Meta; it is tried again');
    if (!(error instanceof TryLater)) {
      await readLater(db, numberId, RETRY_MS.temporal);
    } else if (error.isOfConnection && error.retryAfterMs !== null) {
      pausedUntil.set(connectionId, Date.now() + error.retryAfterMs);
    } else {
      await readLater(db, numberId, error.retryAfterMs ?? RETRY_MS.meta);
    }
    return 'failed';
  }

  return () =>
    deps.lockDb.transaction(async (tx) => {
      const { rows } = await tx.execute<{ locked: boolean }>(
        sql`select pg_try_advisory_xact_lock(${LOCKS.readBack}) as locked`,
      );
      return rows[0]?.locked ? readAll() : null;
    });
}

/** Whether the workflow would change anything by it: what tells nothing must not wake it up. */
function isNews(row: NumberRow, news: FacebookNews): boolean {
  const { operationId } = news;
  const now = new Date().toISOString();
  const command = { type: 'facebookNews' as const, operationId, news };
  const at = { now, facebookDueMs: 0, replyDueMs: 0, approvalsNeeded: 1 };
  const outcome = hear(stateOf(row), command, at);
  return 'events' in outcome && outcome.events.length > 0;
}
