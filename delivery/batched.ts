import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One call of `work` at a time, for all that has gathered for `gatherMs` or longer, `max` at the most: the database is
 * asked seldom and for much. The promise of an item settles with its batch; results are in the order of the items.
 */
export function batched<Item, Result>(
  { max, gatherMs }: { max: number; gatherMs: number },
  work: (items: Item[]) => Promise<Result[]>,
): (item: Item) => Promise<Result> {
  interface Gathered {
    item: Item;
    resolve: (result: Result) => void;
    reject: (error: unknown) => void;
  }
  const gathered: Gathered[] = [];
  let working = false;

  async function workOff(): Promise<void> {
    working = true;
    while (gathered.length > 0) {
      await sleep(gatherMs);
      const batch = gathered.splice(0, max);
      try {
        const results = await work(batch.map(({ item }) => item));
        for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    working = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      gathered.push({ item, resolve, reject });
      if (!working) void workOff();
    });
}
