/** What is sent in a run, in phases. */
import { EVENTS_PER_REQUEST, type Phase } from './traffic.ts';

export interface Options {
  /** Of the phase at full load. */
  events: number;
  /** Requests a second, at full load. */
  rate: number;
  /** Whether processes are killed during it. */
  kill: boolean;
}

export type PhaseName = 'warm-up' | 'half, all healthy' | 'half' | 'full' | 'backlog' | 'catching up';

export type PlannedPhase = Phase & { name: PhaseName };

/** The times of a run with kills say little, so it has only what there is to lose. */
export function planPhases({ events, rate, kill }: Options): PlannedPhase[] {
  const few = Math.ceil(events / 8 / EVENTS_PER_REQUEST) * EVENTS_PER_REQUEST;
  const full = { name: 'full', events, requestsPerSecond: rate, sick: true } as const;
  if (kill) return [full];
  return [
    { name: 'warm-up', events: few, requestsPerSecond: rate, sick: false },
    { name: 'half, all healthy', events: few, requestsPerSecond: rate / 2, sick: false },
    { name: 'half', events: few, requestsPerSecond: rate / 2, sick: true },
    full,
    { name: 'backlog', events: few, requestsPerSecond: rate, sick: true },
    { name: 'catching up', events: few, requestsPerSecond: rate, sick: true },
  ];
}
