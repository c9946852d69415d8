import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addWorkingTime,
  dayOf,
  nextWorkingDayAt,
  type WorkingTime,
  workingTimeBetween,
} from '../../contract/working-time.ts';

const HOUR = 3_600_000;
const QUARTER = HOUR / 4;
const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
const AROUND_THE_CLOCK: WorkingTime = { zone: 'UTC', days: EVERY_DAY, hours: { from: 0, to: 24 * 60 } };
const OFFICE: WorkingTime = {
  zone: 'Europe/Rome',
  days: [1, 2, 3, 4, 5],
  hours: { from: 9 * 60, to: 17 * 60 + 30 },
};
const NIGHT: WorkingTime = { zone: 'Europe/Rome', days: EVERY_DAY, hours: { from: 0, to: 8 * 60 } };

const add = (from: string, hours: number, time: WorkingTime) =>
  addWorkingTime(new Date(from), hours * HOUR, time).toISOString();
const between = (from: string, to: string, time: WorkingTime) =>
  workingTimeBetween(new Date(from), new Date(to), time) / HOUR;

describe('working time', () => {
  it.each([
    ['within a day', '2026-11-23T10:00:00+01:00', 2, '2026-11-23T11:00:00.000Z'],
    ['up to the end of a day', '2026-11-23T09:00:00+01:00', 8.5, '2026-11-23T16:30:00.000Z'],
    ['over night', '2026-11-23T17:00:00+01:00', 1, '2026-11-24T08:30:00.000Z'],
    ['over a weekend', '2026-11-27T17:00:00+01:00', 1, '2026-11-30T08:30:00.000Z'],
    ['from a weekend', '2026-11-28T12:00:00+01:00', 1, '2026-11-30T09:00:00.000Z'],
    ['from before the day begins', '2026-11-23T03:00:00+01:00', 1, '2026-11-23T09:00:00.000Z'],
    ['from after it has ended', '2026-11-23T20:00:00+01:00', 1, '2026-11-24T09:00:00.000Z'],
    ['over weeks', '2026-11-23T09:00:00+01:00', 85, '2026-12-04T16:30:00.000Z'],
    ['none, outside of it', '2026-11-28T12:00:00+01:00', 0, '2026-11-30T08:00:00.000Z'],
    ['less than none', '2026-11-23T10:00:00+01:00', -1, '2026-11-23T09:00:00.000Z'],
  ])('passes %s', (_, from, hours, to) => {
    expect(add(from, hours, OFFICE)).toBe(to);
  });

  it('keeps to the wall clock over a change of the clocks', () => {
    // 25 October 2026: 03:00 becomes 02:00 in Rome. 28 March 2027: 02:00 becomes 03:00.
    expect(add('2026-10-23T17:00:00+02:00', 1, OFFICE)).toBe('2026-10-26T08:30:00.000Z');
    expect(add('2027-03-26T17:00:00+01:00', 1, OFFICE)).toBe('2027-03-29T07:30:00.000Z');
    expect(between('2026-10-25T00:00:00+02:00', '2026-10-25T23:00:00+01:00', NIGHT)).toBe(9);
    expect(between('2027-03-28T00:00:00+01:00', '2027-03-28T23:00:00+02:00', NIGHT)).toBe(7);
  });

  it('has no time where the clocks skip its hours', () => {
    const skipped = { ...NIGHT, hours: { from: 2 * 60, to: 3 * 60 } };
    expect(between('2027-03-28T00:00:00+01:00', '2027-03-29T00:00:00+02:00', skipped)).toBe(0);
    expect(add('2027-03-28T00:00:00+01:00', 1, skipped)).toBe('2027-03-29T01:00:00.000Z');
  });

  it('begins with the day where that begins after midnight', () => {
    // In Cairo the clocks go from 00:00 to 01:00 on 24 April 2026.
    const cairo = { ...AROUND_THE_CLOCK, zone: 'Africa/Cairo' };
    expect(between('2026-04-23T00:00:00+02:00', '2026-04-25T00:00:00+03:00', cairo)).toBe(47);
  });

  it('is none where the end is not after the start', () => {
    expect(between('2026-11-24T12:00:00Z', '2026-11-23T12:00:00Z', OFFICE)).toBe(0);
    expect(between('2026-11-24T12:00:00Z', '2026-11-24T12:00:00Z', OFFICE)).toBe(0);
  });
});

describe('the next working day', () => {
  it.each([
    ['2026-11-23T06:59:00Z', '2026-11-23T07:00:00.000Z'],
    ['2026-11-23T07:00:00Z', '2026-11-24T07:00:00.000Z'],
    ['2026-11-27T07:00:00Z', '2026-11-30T07:00:00.000Z'],
    ['2026-10-23T06:00:00Z', '2026-10-26T07:00:00.000Z'],
  ])('after %s has its eighth hour at %s', (after, next) => {
    expect(nextWorkingDayAt(8, new Date(after), OFFICE).toISOString()).toBe(next);
  });

  it('is told by the calendar of the zone', () => {
    expect(dayOf(new Date('2026-11-23T23:30:00Z'), OFFICE)).toBe('2026-11-24');
    expect(dayOf(new Date('2026-11-23T23:30:00Z'), AROUND_THE_CLOCK)).toBe('2026-11-23');
  });
});

describe('for any working time', () => {
  const zones = [
    'UTC',
    'Europe/Rome',
    'America/New_York',
    'Africa/Cairo',
    'Asia/Kolkata',
    'Pacific/Auckland',
  ];
  /** In quarters of an hour. Not in the night, where a change of the clocks skips or repeats hours. */
  const hours = fc
    .record({
      from: fc.oneof(fc.constant(0), fc.integer({ min: 16, max: 60 })),
      to: fc.oneof(fc.constant(96), fc.integer({ min: 61, max: 96 })),
    })
    .map(({ from, to }) => ({ from: from * 15, to: to * 15 }));
  const working: fc.Arbitrary<WorkingTime> = fc.record({
    zone: fc.constantFrom(...zones),
    days: fc.subarray(EVERY_DAY, { minLength: 1 }),
    hours,
  });
  const year = { min: Date.UTC(2026, 0) / QUARTER, max: Date.UTC(2027, 0) / QUARTER };
  const quarter = fc.integer(year).map((quarters) => new Date(quarters * QUARTER));
  const time = fc.date({
    min: new Date(Date.UTC(2026, 0)),
    max: new Date(Date.UTC(2027, 0)),
    noInvalidDate: true,
  });
  const duration = fc.integer({ min: 0, max: 200 * HOUR });

  it('counts the quarters of an hour at which a clock on the wall says so', () => {
    fc.assert(
      fc.property(quarter, fc.integer({ min: 0, max: 700 }), working, (from, quarters, at) => {
        let counted = 0;
        for (let i = 0; i < quarters; i++) {
          if (isWorking(new Date(from.getTime() + i * QUARTER), at)) counted += QUARTER;
        }
        expect(workingTimeBetween(from, new Date(from.getTime() + quarters * QUARTER), at)).toBe(counted);
      }),
    );
  });

  it('what is added lies between, and no earlier time has as much', () => {
    fc.assert(
      fc.property(time, duration, working, (from, ms, at) => {
        const end = addWorkingTime(from, ms, at);
        expect(workingTimeBetween(from, end, at)).toBe(ms);
        if (ms > 0) expect(workingTimeBetween(from, new Date(end.getTime() - 1), at)).toBe(ms - 1);
      }),
    );
  });

  it('adding twice is adding the sum', () => {
    fc.assert(
      fc.property(time, duration, fc.integer({ min: 1, max: 50 * HOUR }), working, (from, a, b, at) => {
        const twice = addWorkingTime(addWorkingTime(from, a, at), b, at);
        expect(twice).toEqual(addWorkingTime(from, a + b, at));
      }),
    );
  });

  it('around the clock is plain addition', () => {
    fc.assert(
      fc.property(time, duration, fc.constantFrom(...zones), (from, ms, zone) => {
        const at = { ...AROUND_THE_CLOCK, zone };
        const end = new Date(from.getTime() + ms);
        expect(addWorkingTime(from, ms, at)).toEqual(end);
        expect(workingTimeBetween(from, end, at)).toBe(ms);
      }),
    );
  });
});

const formats = new Map<string, Intl.DateTimeFormat>();
const WEEKDAYS = ['', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** What a clock on the wall says, without the library under test. */
function isWorking(at: Date, { zone, days, hours }: WorkingTime): boolean {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  formats.set(zone, format);
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const minutes = Number(parts['hour']) * 60 + Number(parts['minute']);
  return (
    days.includes(WEEKDAYS.indexOf(parts['weekday'] ?? '')) && hours.from <= minutes && minutes < hours.to
  );
}
