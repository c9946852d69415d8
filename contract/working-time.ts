/**
 * Working time: what counts of the clock towards support's due times. Days and hours are those of the wall clock
 * in one time zone, so that a day on which the clocks change is an hour shorter or longer.
 */
import { DateTime } from 'luxon';
import type { Config } from './config.ts';

export interface WorkingTime {
  /** IANA name. */
  zone: string;
  /** ISO weekdays, 1 for Monday; at least one. */
  days: number[];
  /** Minutes since midnight, `from` before `to`; 1440 is the end of the day. */
  hours: { from: number; to: number };
}

export function workingTimeOf(
  config: Pick<Config, 'WORKING_TIME_ZONE' | 'WORKING_DAYS' | 'WORKING_HOURS'>,
): WorkingTime {
  return { zone: config.WORKING_TIME_ZONE, days: config.WORKING_DAYS, hours: config.WORKING_HOURS };
}

/** When `ms` milliseconds of working time have passed since `from`. Less than none counts as none. */
export function addWorkingTime(from: Date, ms: number, time: WorkingTime): Date {
  let left = Math.max(0, ms);
  for (const { start, end } of periodsSince(from, time)) {
    if (left <= end - start) return new Date(start + left);
    left -= end - start;
  }
  // There are always more periods.
  throw new Error('unreachable');
}

/** The milliseconds of working time between two times; 0 where `to` is not after `from`. */
export function workingTimeBetween(from: Date, to: Date, time: WorkingTime): number {
  let sum = 0;
  for (const { start, end } of periodsSince(from, time)) {
    if (start >= to.getTime()) break;
    sum += Math.min(end, to.getTime()) - start;
  }
  return sum;
}

/** The first time after `after` at which it is that hour of a working day. */
export function nextWorkingDayAt(hour: number, after: Date, { zone, days }: WorkingTime): Date {
  for (const day of daysSince(after, zone)) {
    const at = wallClock(day, hour * 60);
    if (days.includes(day.weekday) && at > after.getTime()) return new Date(at);
  }
  throw new Error('unreachable');
}

/** The calendar day of the time zone, `YYYY-MM-DD`. */
export function dayOf(at: Date, { zone }: WorkingTime): string {
  return DateTime.fromJSDate(at, { zone }).toFormat('yyyy-MM-dd');
}

/** What is left of working time from a time on, without end. Milliseconds since 1970. */
function* periodsSince(
  from: Date,
  { zone, days, hours }: WorkingTime,
): Generator<{ start: number; end: number }> {
  for (const day of daysSince(from, zone)) {
    if (!days.includes(day.weekday)) continue;
    const start = Math.max(wallClock(day, hours.from), from.getTime());
    const end = wallClock(day, hours.to);
    // Not where it is past already, or falls into the hour that a change of the clocks skips.
    if (start <= end) yield { start, end };
  }
}

/** The starts of days, that of `from` first. */
function* daysSince(from: Date, zone: string): Generator<DateTime> {
  for (let day = DateTime.fromJSDate(from, { zone }).startOf('day'); ; ) {
    yield day;
    day = day.plus({ days: 1 }).startOf('day');
  }
}

/** When it is so many minutes past midnight on that day. Where the clocks skip that time, it is as much later. */
function wallClock(day: DateTime, minutes: number): number {
  if (minutes === 0) return day.toMillis();
  // Not at hour 24: the next day may begin later than midnight.
  if (minutes === 24 * 60) return day.plus({ days: 1 }).startOf('day').toMillis();
  return day.set({ hour: Math.floor(minutes / 60), minute: minutes % 60 }).toMillis();
}
