import { describe, expect, test } from 'vitest';
import { Lane } from '../../delivery/lane.ts';
import type { Tried } from '../../delivery/sender.ts';

const NOW = new Date();
const URL = 'https://example.com/';
const answered = (latencyMs: number, failure: Tried['failure'] = null): Tried => ({
  attempt: { at: NOW.toISOString(), latencyMs, status: failure ? 500 : 200, answer: '', error: null },
  failure,
  wish: null,
});
function laneThatIsFast(): Lane {
  const lane = new Lane('num_1');
  for (let n = 0; n < 20; n++) lane.learn(answered(80), URL, NOW);
  return lane;
}
/** How many go beside each other. */
function paceOf(lane: Lane): number {
  for (let n = 0; n < 20; n++) {
    lane.add({ id: String(n), day: '2026-11-01', targetId: lane.id, conversation: String(n), tries: 0 });
  }
  let pace = 0;
  while (lane.take(NOW)) pace += 1;
  return pace;
}

test('one slow answer, or one timeout, does not put a fast target among the sick', () => {
  for (const one of [answered(7_000), answered(15_000, 'timeout')]) {
    const lane = laneThatIsFast();
    lane.learn(one, URL, NOW);
    expect(lane.isSick).toBe(false);
  }
});

test('two in a row do, a fast one ends it', () => {
  const lane = laneThatIsFast();
  lane.learn(answered(7_000), URL, NOW);
  lane.learn(answered(7_000), URL, NOW);
  expect(lane.isSick).toBe(true);
  lane.learn(answered(80), URL, NOW);
  expect(lane.isSick).toBe(false);
});

test('a fast target that turns slow has no more than two under way, however fast it was', () => {
  expect(paceOf(laneThatIsFast())).toBe(8);
  const lane = laneThatIsFast();
  for (let n = 0; n < 3; n++) lane.learn(answered(10_000), URL, NOW);
  expect(paceOf(lane)).toBe(2);
});

describe('days of failure', () => {
  const DAY = 24 * 60 * 60_000;
  const failed = answered(80, 'status');
  const daysOn = (days: number) => new Date(NOW.getTime() + days * DAY);

  test('go on from one failure to the next', () => {
    const lane = new Lane('num_1');
    for (let day = 0; day <= 5; day++) lane.learn(failed, URL, daysOn(day));
    expect(lane.learn(failed, URL, daysOn(6))).toMatchObject({ failures: 7, failingSince: NOW });
  });

  test('begin anew after days in which it was asked nothing', () => {
    const lane = new Lane('num_1');
    lane.learn(failed, URL, NOW);
    expect(lane.learn(failed, URL, daysOn(6))).toMatchObject({ failures: 2, failingSince: daysOn(6) });
    const another = new Lane('num_1');
    another.know({ id: 'num_1', failures: 9, failingSince: NOW, openUntil: NOW });
    expect(another.learn(failed, URL, daysOn(6))).toMatchObject({ failures: 10, failingSince: daysOn(6) });
  });

  test('begin anew with another URL', () => {
    const lane = new Lane('num_1');
    for (let n = 0; n < 5; n++) lane.learn(failed, URL, NOW);
    expect(lane.isOpen(NOW)).toBe(true);
    const other = 'https://example.com/new';
    expect(lane.learn(failed, other, daysOn(1))).toMatchObject({
      failures: 1,
      failingSince: daysOn(1),
      failingUrl: other,
    });
  });
});
