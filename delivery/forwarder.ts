/**
 * Sends what is due: a lane for each target, the database asked for all of them together. What is due is in the
 * database; a job only says where to look, and a look at all targets every few seconds finds what no job tells of:
 * retries, targets that can be sent to again, and what a process that died has left.
 */
import pLimit from 'p-limit';
import { type DueDelivery, dueDeliveriesOf, targetsWithDue } from '../db/due-deliveries.ts';
import { sqlStateOf } from '../db/errors.ts';
import { type Settled, settleDeliveries, type TargetOutcome } from '../db/settle-deliveries.ts';
import { switchOff } from '../db/target-off.ts';
import { createAttempts, type Deps } from './attempt.ts';
import { batched } from './batched.ts';
import { Lane } from './lane.ts';
import { OFF_AFTER, retryDelay } from './schedule.ts';
import type { Failure, Tried } from './sender.ts';

/** Deliveries of one target that are read ahead, and how few are left when more are read. */
const AHEAD = 50;
const FEW = 25;
/** Lanes asked for, and deliveries settled, in one statement. Milliseconds. */
const ASKED = { max: 200, gatherMs: 25 };
const SETTLED = { max: 200, gatherMs: 20 };
/** Deliveries under way at once: to targets that do well, and to those that are slow or fail. */
const WELL = 256;
const SICK = 64;
/** Errors of PostgreSQL's by which it refuses a value. */
const REFUSED = /^2[23]/;
/** Before a statement that failed, or passed something over, is made again. */
const AGAIN_MS = 1_000;
/** After which a lane that has nothing to do is forgotten, with how fast its target is. */
const FORGET_MS = 10 * 60_000;
/** Before a target is looked at again whose deliveries could not be signed. */
const UNSIGNED_MS = 60_000;

export interface Observer {
  delivered(): void;
  failed(reason: Failure | 'unsigned'): void;
  switchedOff(reason: 'gone' | 'failing'): void;
  scanned(result: { targets: number; oldest: Date | null; lanes: number; sick: number }): void;
}

export interface Forwarder {
  /** Sends what is due at these targets. */
  wake(targetIds: string[]): void;
  /** Wakes each target that has something due and may be sent to. Throws where the database does not answer. */
  scan(): Promise<void>;
  /** Begins nothing more. Resolves when what was under way is settled, or cut off after so many milliseconds. */
  stop(graceMs: number): Promise<void>;
}

export function createForwarder(deps: Deps & { observer: Observer; mailDomain: string }): Forwarder {
  const { db, sender, logger, now, observer, mailDomain } = deps;
  const told = new WeakSet<object>();
  const lanes = new Map<string, Lane>();
  const attempt = createAttempts(deps);
  const well = pLimit(WELL);
  const sick = pLimit(SICK);
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  let cutOff = false;

  const ask = batched<{ targetId: string; limit: number }, DueAt>(ASKED, async (wanted) => {
    const { states, due } = await dueDeliveriesOf(db, wanted, now());
    const byTarget = Map.groupBy(due, ({ targetId }) => targetId);
    return wanted.map(({ targetId }) => ({
      state: states.find(({ id }) => id === targetId) ?? null,
      due: byTarget.get(targetId) ?? [],
    }));
  });
  interface Result {
    settled: Settled;
    outcome: TargetOutcome | null;
  }
  /** Whether each is settled now. */
  async function settleAll(all: Result[]): Promise<boolean[]> {
    const outcomes = new Map(all.flatMap(({ outcome }) => (outcome ? [[outcome.id, outcome] as const] : [])));
    const rows = all.map(({ settled }) => settled);
    const passed = await settleDeliveries(db, rows, [...outcomes.values()]);
    // With what was passed over it would be written again, over later ones.
    for (const one of all) one.outcome = null;
    return rows.map(({ id }) => !passed.includes(id));
  }
  const settle = batched<Result, boolean>(SETTLED, async (all) => {
    try {
      return await settleAll(all);
    } catch (error) {
      // Refused for one of them, which must not hold up the others.
      if (all.length === 1 || !REFUSED.test(sqlStateOf(error) ?? '')) throw error;
      const each: boolean[] = [];
      for (const one of all) {
        const [done = false] = await settleAll([one]).catch((refusal) => {
          tell(refusal, 'What came of a delivery is refused by the database; it is tried again');
          return [];
        });
        each.push(done);
      }
      return each;
    }
  });
  const fill = filling(ask, { tell, now, isStopped: () => stopped, onFilled: start });

  /** What failed as one statement for many is told once. */
  function tell(err: unknown, message: string): void {
    if (told.has(err as object)) return;
    told.add(err as object);
    logger.error({ err }, message);
  }

  function laneOf(id: string): Lane {
    const lane = lanes.get(id) ?? new Lane(id);
    lanes.set(id, lane);
    lane.usedAt = now().getTime();
    return lane;
  }

  /** Begins as much of a lane as may be under way. */
  function start(lane: Lane): void {
    for (let due = stopped ? undefined : lane.take(now()); due; due = lane.take(now())) {
      const places = lane.isSick ? sick : well;
      const delivery = due;
      const run = places(() => deliver(lane, delivery));
      underWay.add(run);
      void run.finally(() => underWay.delete(run));
    }
  }

  async function deliver(lane: Lane, due: DueDelivery): Promise<void> {
    let attempted: Awaited<ReturnType<typeof attempt>> | null = null;
    try {
      // It may have waited for a place while the target failed.
      if (!stopped && !lane.isOpen(now())) attempted = await attempt(due);
    } catch (error) {
      tell(error, 'Deliveries could not be read; they are tried again');
    }
    lane.done(due);
    if (attempted === 'unsigned') {
      observer.failed(attempted);
      lane.rest(new Date(now().getTime() + UNSIGNED_MS));
    }
    if (attempted === null || attempted === 'paused' || attempted === 'unsigned' || cutOff) {
      lane.release(due.id);
      lane.drop();
      return;
    }
    const tried = attempted === 'gone' ? expired(now()) : attempted.tried;
    const outcome = attempted === 'gone' ? null : lane.learn(tried, attempted.url, now());
    const settled = settledBy(due, tried, now());
    if (tried.failure === null) observer.delivered();
    else observer.failed(tried.failure);
    if (tried.attempt.status === 410) lane.drop();
    else start(lane);
    // One for all tries: what is passed over by the first is not told of the target by the next.
    const told = { settled, outcome };
    await untilDone(() => settle(told));
    lane.release(due.id);
    fill.settled(lane, due.id);
    if (attempted !== 'gone') await offIfHopeless(lane, tried, attempted.url, outcome);
  }

  /** A target that says it is gone, or has taken nothing for days, is not sent to any more. */
  async function offIfHopeless(
    lane: Lane,
    tried: Tried,
    url: string,
    outcome: TargetOutcome | null,
  ): Promise<void> {
    const at = now();
    const since = outcome?.failingSince ?? at;
    const gone = tried.attempt.status === 410;
    if (!gone && at.getTime() - since.getTime() < OFF_AFTER) return;
    const reason = gone ? 'gone' : 'failing';
    lane.drop();
    const off = { id: lane.id, reason, at, since, url, mailDomain } as const;
    let isNew = false;
    await untilDone(async () => {
      isNew = await switchOff(db, off);
      return true;
    });
    if (!isNew) return;
    observer.switchedOff(reason);
    logger.warn({ targetId: lane.id, reason }, 'A target was switched off');
  }

  /** What is not done, or fails, is done again: what it says has happened. After a stop it is left: it happens again. */
  async function untilDone(work: () => Promise<boolean>): Promise<void> {
    for (;;) {
      try {
        if (await work()) return;
      } catch (error) {
        tell(error, 'What came of deliveries could not be written; it is tried again');
        if (stopped) return;
      }
      if (cutOff) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  function wake(targetIds: string[]): void {
    for (const lane of targetIds.map(laneOf)) if (!lane.isResting(now())) fill.wake(lane);
  }

  return {
    wake,
    async scan() {
      const found = await targetsWithDue(db, now());
      wake(found.map(({ id }) => id));
      const forgotten = now().getTime() - FORGET_MS;
      for (const [id, lane] of lanes) if (lane.isIdle && lane.usedAt < forgotten) lanes.delete(id);
      const times = found.map(({ since }) => since.getTime());
      observer.scanned({
        targets: found.length,
        oldest: times.length > 0 ? new Date(Math.min(...times)) : null,
        lanes: lanes.size,
        sick: [...lanes.values()].filter((lane) => lane.isSick).length,
      });
    },
    async stop(graceMs) {
      stopped = true;
      const cut = setTimeout(() => {
        cutOff = true;
        void sender.close();
      }, graceMs);
      await Promise.allSettled(underWay);
      clearTimeout(cut);
      await sender.close();
    },
  };
}

interface DueAt {
  state: Parameters<Lane['know']>[0] | null;
  due: DueDelivery[];
}

/**
 * Keeps lanes filled with what is due. A lane that is woken while it is being filled is filled once more. What was
 * settled meanwhile may still be in the answer as due, and is passed over.
 */
function filling(
  ask: (wanted: { targetId: string; limit: number }) => Promise<DueAt>,
  context: Pick<Deps, 'now'> & {
    tell: (error: unknown, message: string) => void;
    isStopped: () => boolean;
    onFilled: (lane: Lane) => void;
  },
) {
  const { now, tell, isStopped, onFilled } = context;
  interface Filling {
    again: boolean;
    settled: Set<string>;
  }
  const under = new Map<Lane, Filling>();
  /** Lanes that had more than was read. */
  const more = new WeakSet<Lane>();

  async function fill(lane: Lane): Promise<void> {
    const filling: Filling = { again: false, settled: new Set() };
    under.set(lane, filling);
    more.delete(lane);
    const limit = lane.held + AHEAD;
    try {
      const { state, due } = await ask({ targetId: lane.id, limit });
      // What was settled meanwhile is not in it.
      if (state && filling.settled.size === 0) lane.know(state);
      if (!lane.isOpen(now())) for (const one of due) if (!filling.settled.has(one.id)) lane.add(one);
      if (due.length === limit) more.add(lane);
    } catch (error) {
      tell(error, 'What is due could not be read; it is looked at again soon');
    }
    under.delete(lane);
    if (isStopped()) return;
    onFilled(lane);
    if (filling.again) wake(lane);
  }

  function wake(lane: Lane): void {
    const filling = under.get(lane);
    if (filling) filling.again = true;
    else if (lane.held < FEW) void fill(lane);
    else more.add(lane);
  }

  return {
    wake,
    settled(lane: Lane, id: string): void {
      under.get(lane)?.settled.add(id);
      if (more.has(lane) && lane.held < FEW) wake(lane);
    },
  };
}

/** The event was dropped with its day before anybody took it. */
function expired(now: Date): Tried {
  const error = 'It is not kept any more.';
  const attempt = { at: now.toISOString(), latencyMs: 0, status: null, answer: null, error };
  return { attempt, failure: 'expired', wish: null };
}

function settledBy(due: DueDelivery, { attempt, failure, wish }: Tried, now: Date): Settled {
  const { id, day } = due;
  if (failure === null) return { id, day, state: 'delivered', nextAt: now, attempt };
  const delay = failure === 'expired' ? null : retryDelay(due.tries + 1, wish);
  return delay === null
    ? { id, day, state: 'failed', nextAt: now, attempt }
    : { id, day, state: 'pending', nextAt: new Date(now.getTime() + delay), attempt };
}
