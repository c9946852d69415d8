/** Runs the phases one after another, and then the bare parts. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { until } from '../../dev/until.ts';
import { type Cpu, cpuOf, cpuSince } from './cost.ts';
import type { Sent } from './load.ts';
import { type Parts, PRODUCT } from './parts.ts';
import type { Options, PhaseName, PlannedPhase } from './plan.ts';
import type { Arrivals } from './targets.ts';
import { EVENTS_PER_REQUEST, isForHealthy, planTraffic, type Traffic } from './traffic.ts';

/** Healthy targets have got nothing for so long: what is left is lost. */
const STALLED_MS = 60_000;
const POLL_MS = 100;
/** Jobs of the bare queue: as many as events in the phase at full load, but no more than this. */
const MOST_JOBS = 50_000;

interface Context extends Options {
  say: (line: string) => void;
  signal: AbortSignal;
}

/** A phase: what was sent, when, and what it cost. Times are milliseconds since 1970. */
export interface Ran {
  sent: Sent;
  /** Place of its first event, and how many there are. */
  first: number;
  events: number;
  startedAt: number;
  sentAt: number;
  /** Milliseconds for each event, by process, until healthy targets had all of it. */
  cpuMs: Cpu;
}

export interface Run {
  traffic: Traffic;
  ran: Map<PhaseName, Ran>;
  arrivals: Arrivals;
  /** Deliveries that are stored for each target, by place. */
  stored: number[];
  bare: { sent: Sent; cpuMs: Cpu; jobsPerSecond: number } | null;
}

export async function runPhases(parts: Parts, phases: PlannedPhase[], context: Context): Promise<Run> {
  const { say, kill, signal } = context;
  const traffic = planTraffic(phases);
  const ran = new Map<PhaseName, Ran>();
  let first = 0;
  for (const phase of phases) {
    say(`${phase.name}: ${phase.events} events at ${phase.requestsPerSecond} webhooks a second …`);
    if (phase.name === 'backlog') await parts.stopForwarding();
    if (phase.name === 'catching up') await resumeForwarding();
    ran.set(phase.name, await runPhase(phase));
    first += phase.events;
  }
  const arrivals = await parts.arrivals();
  const stored = await storedByTarget(parts);
  await parts.stopForwarding();
  return { traffic, ran, arrivals, stored, bare: kill ? null : await runBare() };

  async function runPhase(phase: PlannedPhase): Promise<Ran> {
    const cpuBefore = cpuOf(parts.pids());
    const startedAt = now();
    const sending = parts.send({ first, phase });
    const [sent] = await Promise.all([sending, kill ? killInTurn(phase) : undefined]);
    const sentAt = now();
    if (phase.name !== 'backlog') await arrival(first + phase.events);
    const cpuMs = cpuSince(cpuBefore, parts.pids(), phase.events);
    return { sent, first, events: phase.events, startedAt, sentAt, cpuMs };
  }

  /** Of the healthy targets' of the first so many events. */
  async function arrival(events: number): Promise<void> {
    let expected = 0;
    for (let event = 0; event < events; event++) if (isForHealthy(traffic, event)) expected += 1;
    let [known, since] = [0, now()];
    while (known < expected && now() - since < STALLED_MS) {
      await sleep(POLL_MS, undefined, { signal });
      const delivered = await parts.delivered();
      if (delivered > known) [known, since] = [delivered, now()];
    }
  }

  /** Returns when it has begun with what is there. */
  async function resumeForwarding(): Promise<void> {
    const before = await parts.delivered();
    await parts.startForwarding();
    const resumed = async () => {
      if ((await parts.delivered()) === before) throw new Error('Nothing is forwarded');
    };
    await until(resumed, AbortSignal.any([signal, AbortSignal.timeout(STALLED_MS)]));
  }

  /** Each dies once, and comes back, while webhooks come. */
  async function killInTurn({ events, requestsPerSecond }: PlannedPhase): Promise<void> {
    const pause = ((events / EVENTS_PER_REQUEST / requestsPerSecond) * 1_000) / 10;
    for (const part of PRODUCT) {
      await sleep(pause, undefined, { signal });
      say(`Killing ${part} …`);
      await parts.kill(part);
    }
  }

  async function runBare() {
    const { pid, send } = await parts.bare();
    const [warmUp, phase] = [planned('warm-up'), planned('backlog')];
    say(`bare: ${phase.events} events at ${phase.requestsPerSecond} webhooks a second …`);
    await send({ first: 0, phase: warmUp });
    const pids = { bare: pid, postgres: parts.pids().postgres, load: parts.pids().load };
    const cpuBefore = cpuOf(pids);
    const sent = await send({ first: warmUp.events, phase });
    const cpuMs = cpuSince(cpuBefore, pids, phase.events);
    const jobs = Math.min(context.events, MOST_JOBS);
    say(`bare: ${jobs} jobs …`);
    return { sent, cpuMs, jobsPerSecond: await parts.queue(jobs) };
  }

  function planned(wanted: PhaseName): PlannedPhase {
    const phase = phases.find(({ name }) => name === wanted);
    if (!phase) throw new Error(`There is no phase "${wanted}"`);
    return phase;
  }
}

/** Comparable between processes. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** By place. */
async function storedByTarget({ databaseUrl, seeded }: Parts): Promise<number[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ target_id: string; count: number }>(
      'select target_id, count(*)::int as count from deliveries group by target_id',
    );
    const counts = new Map(rows.map(({ target_id: id, count }) => [id, count]));
    return seeded.targets.map(({ id }) => counts.get(id) ?? 0);
  } finally {
    await client.end();
  }
}
