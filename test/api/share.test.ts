/** Reading once for all who ask for the same at the same time. */
import { expect, it } from 'vitest';
import { shareReadings } from '../../api/share.ts';

/** Readings that end when they are told to, each with its number. */
function readings() {
  const begun: { key: string; end(): void; fail(error: Error): void }[] = [];
  const read = shareReadings((key: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    begun.push({ key, end: () => resolve(`${key}${begun.length}`), fail: reject });
    return promise;
  });
  return { begun, read };
}

it('gives whoever asks meanwhile the next reading, one for all of them', async () => {
  const { begun, read } = readings();
  const first = read('a');
  const others = [read('a'), read('a')];
  expect(begun).toHaveLength(1);
  begun[0]?.end();
  expect(await first).toBe('a1');
  expect(begun).toHaveLength(2);
  const late = read('a');
  begun[1]?.end();
  expect(await Promise.all(others)).toEqual(['a2', 'a2']);
  expect(begun).toHaveLength(3);
  begun[2]?.end();
  expect(await late).toBe('a3');
});

it('reads what differs side by side', async () => {
  const { begun, read } = readings();
  const both = [read('a'), read('b')];
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
  for (const reading of begun) reading.end();
  expect(await Promise.all(both)).toEqual(['a2', 'b2']);
});

it('keeps a failed reading to those who asked for it', async () => {
  const { begun, read } = readings();
  const failing = read('a');
  const next = read('a');
  begun[0]?.fail(new Error('no'));
  await expect(failing).rejects.toThrow('no');
  begun[1]?.end();
  expect(await next).toBe('a2');
  const fresh = read('a');
  begun[2]?.end();
  expect(await fresh).toBe('a3');
});
