/** What came of a run, in figures. */
import { round } from '../round.ts';
import { type Checked, check, timesOf } from './check.ts';
import type { Cpu } from './cost.ts';
import type { PhaseName } from './plan.ts';
import type { Ran, Run } from './run.ts';
import { isForHealthy } from './traffic.ts';

interface Spread {
  p50: number;
  p99: number;
}

export interface Result {
  checked: Checked;
  /** Milliseconds from when a webhook was due to its answer. */
  accepted: Partial<Record<PhaseName | 'bare', Spread>>;
  /** Milliseconds from a webhook's answer to the arrival of its events at healthy targets. */
  forwarded: Partial<Record<PhaseName, Spread>>;
  /** Milliseconds of CPU for each event, by process. */
  cpuMs: Partial<Record<PhaseName | 'bare', Cpu>>;
  /** Null with kills. */
  ratios: Ratios | null;
  speeds: Speeds | null;
}

/** Of the product's figure to the bare part's; the last one of two of the product's. */
interface Ratios {
  acceptedP99: number;
  /** Of the API to the bare handler. */
  acceptedCpu: number;
  /** Deliveries of a backlog to empty jobs. */
  delivered: number;
  /** Healthy targets' p99 at half of the load: with sick targets to without. */
  sick: number;
}

/** In a second, to healthy targets. */
interface Speeds {
  /** While webhooks come at full load. */
  full: number;
  /** While they come at full load upon a backlog, and afterwards, until nothing is left. */
  catchingUp: number;
  afterwards: number;
  /** Of the bare queue. */
  jobs: number;
}

export function resultOf(run: Run): Result {
  const { traffic, ran, arrivals, stored, bare } = run;
  const phases = [...ran];
  const sent = phases.map(([, one]) => one.sent);
  const { answeredAt } = timesOf(sent);
  const each = <T>(of: (ran: Ran) => T) =>
    Object.fromEntries(phases.map(([name, one]) => [name, of(one)])) as Partial<Record<PhaseName, T>>;
  const accepted = {
    ...each(({ sent }) => spreadOf(sent.took)),
    ...(bare && { bare: spreadOf(bare.sent.took) }),
  };
  const forwarded = each((one) =>
    spreadOf(healthy(one).map((event) => at(arrivals.firstAt, event) - at(answeredAt, event))),
  );
  const cpuMs = { ...each((one) => one.cpuMs), ...(bare && { bare: bare.cpuMs }) };
  const found = { checked: check({ traffic, sent, arrivals, stored }), accepted, forwarded };
  const [backlog, catchingUp, full] = (['backlog', 'catching up', 'full'] as const).map((name) =>
    ran.get(name),
  );
  if (!bare || !backlog || !catchingUp || !full) return { ...found, cpuMs: {}, ratios: null, speeds: null };

  const arrived = [...healthy(backlog), ...healthy(catchingUp)]
    .map((event) => at(arrivals.firstAt, event))
    .filter((time) => !Number.isNaN(time))
    .sort((one, other) => one - other);
  const [begin, end] = [arrived.at(0) ?? 0, arrived.at(-1) ?? 0];
  const duringFull = healthy(full).map((event) => at(arrivals.firstAt, event));
  const ratio = (one: number | undefined, other: number | undefined) =>
    round((one ?? Number.NaN) / (other ?? Number.NaN), 2);
  return {
    ...found,
    cpuMs,
    ratios: {
      acceptedP99: ratio(accepted.full?.p99, accepted.bare?.p99),
      acceptedCpu: ratio(backlog.cpuMs['api'], bare.cpuMs['bare']),
      delivered: ratio(rateIn(arrived, begin, end), bare.jobsPerSecond),
      sick: ratio(forwarded.half?.p99, forwarded['half, all healthy']?.p99),
    },
    speeds: {
      full: rateIn(duringFull, full.startedAt, full.sentAt),
      catchingUp: rateIn(arrived, catchingUp.startedAt, Math.min(end, catchingUp.sentAt)),
      afterwards: rateIn(arrived, catchingUp.sentAt, end),
      jobs: round(bare.jobsPerSecond, 0),
    },
  };

  function healthy({ first, events }: Ran): number[] {
    return Array.from({ length: events }, (_, n) => first + n).filter((event) =>
      isForHealthy(traffic, event),
    );
  }
}

function spreadOf(times: ArrayLike<number>): Spread {
  const sorted = Float64Array.from(times).sort();
  const share = (of: number) => round(at(sorted, Math.ceil(sorted.length * of) - 1), 1);
  return { p50: share(0.5), p99: share(0.99) };
}

/** How many a second came in a span of time; NaN where there is no span. */
function rateIn(times: number[], from: number, to: number): number {
  const count = times.filter((time) => time >= from && time <= to).length;
  return to > from ? round((count * 1_000) / (to - from), 0) : Number.NaN;
}

function at(list: ArrayLike<number>, place: number): number {
  return list[place] ?? Number.NaN;
}
