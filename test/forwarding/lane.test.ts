import { expect, test } from 'vitest';
import { Lane } from '../../delivery/lane.ts';
import type { Tried } from '../../delivery/sender.ts';

const NOW = new Date();
const answered = (latencyMs: number, failure: Tried['failure'] = null): Tried => ({
  attempt: { at: NOW.toISOString(), latencyMs, status: failure ? 500 : 200, answer: '', error: null },
  failure,
  wish: null,
});
function laneThatIsFast(): Lane {
  const lane = new Lane('num_1');
  for (let n = 0; n < 20; n++) lane.learn(answered(80), NOW);
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
    lane.learn(one, NOW);
    expect(lane.isSick).toBe(false);
  }
});

test('two in a row do, a fast one ends it', () => {
  const lane = laneThatIsFast();
  lane.learn(answered(7_000), NOW);
  lane.learn(answered(7_000), NOW);
  expect(lane.isSick).toBe(true);
  lane.learn(answered(80), NOW);
  expect(lane.isSick).toBe(false);
});

test('a fast target that turns slow has no more than two under way, however fast it was', () => {
  expect(paceOf(laneThatIsFast())).toBe(8);
  const lane = laneThatIsFast();
  for (let n = 0; n < 3; n++) lane.learn(answered(10_000), NOW);
  expect(paceOf(lane)).toBe(2);
});
