import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { check, faultsOf } from '../../bench/forward/check.ts';
import { isForHealthy, planTraffic, TARGETS, targetOf } from '../../bench/forward/traffic.ts';
import { projectFolder } from '../../dev/folder.ts';

const run = promisify(execFile);

it('delivers all that was accepted though each process is killed', async () => {
  const { stdout } = await run(process.execPath, ['bench/forward/main.ts', '--quick', '--kill'], {
    cwd: projectFolder,
  });
  const { checked } = JSON.parse(stdout) as { checked: Record<string, number> };
  expect(checked).toMatchObject({ lost: 0, outOfOrder: 0, otherId: 0, strayed: 0, notStored: 0 });
  expect(checked).toMatchObject({ accepted: 2_500, wrongSignature: 0 });
  expect(checked['verified']).toBeGreaterThan(0);
  // Without webhooks that failed for the kills, it would show nothing.
  expect(checked['repeated']).toBeGreaterThan(0);
}, 180_000);

it('sees what is lost, doubled, late or not stored', () => {
  const events = 1_000;
  const traffic = planTraffic([{ name: 'all', events, requestsPerSecond: 100, sick: true }]);
  const healthy = Array.from({ length: events }, (_, event) => event).filter((event) =>
    isForHealthy(traffic, event),
  );
  const at = Float64Array.from({ length: events / 10 }, (_, nth) => nth * 10);
  const sent = [{ sentAt: at, answeredAt: at.map((time) => time + 5), took: at.map(() => 5), repeated: 0 }];
  const arrived = () => ({
    firstAt: Float64Array.from({ length: events }, (_, event) => 10_000 + event),
    times: new Uint16Array(events).fill(1),
    ...{ otherId: 0, strayed: 0, wrongSignature: 0, verified: 1 },
  });
  const stored = Array<number>(TARGETS).fill(0);
  for (const number of traffic.numbers) stored[targetOf(number)] = (stored[targetOf(number)] ?? 0) + 1;
  const faults = (arrivals: ReturnType<typeof arrived>, of = stored) =>
    faultsOf(check({ traffic, sent, arrivals, stored: of }), { kill: false });
  expect(faults(arrived())).toEqual([]);

  const [first = 0] = healthy;
  const lost = arrived();
  lost.times[first] = 0;
  expect(faults(lost)).toEqual(['lost']);
  const doubled = arrived();
  doubled.times[first] = 2;
  expect(faults(doubled)).toEqual(['doubled']);
  const one = healthy.findLast((event) => {
    const conversation = traffic.conversations[event];
    return healthy.some((later) => later > event && traffic.conversations[later] === conversation);
  });
  const late = arrived();
  late.firstAt[one ?? first] = 99_999;
  expect(faults(late)).toEqual(['outOfOrder']);
  expect(faults(arrived(), stored.with(3, 0))).toEqual(['notStored']);
});
