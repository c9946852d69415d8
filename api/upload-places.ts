/**
 * Places for files that are being read: buffers that are made once and used again, so that uploads take no more
 * memory than these, however many come at once. Whoever finds none free waits, with the bytes still in the network.
 */

import { createTally } from './tally.ts';

interface Place {
  /** Still holds what was in it before. */
  buffer: Buffer;
  /** Gives it to the next one. Once. */
  leave(): void;
}

/** Resolves with a place; in the order of asking, but for accounts that have their share. Rejects as `signal` aborts. */
export type EnterPlace = (accountId: string, signal: AbortSignal) => Promise<Place>;

export function uploadPlaces(options: {
  places: number;
  /** Of one account: whoever sends slowly keeps only itself waiting. */
  share: number;
  /** Of one buffer. */
  bytes: number;
}): EnterPlace {
  /** Null: not made yet. */
  const free = new Array<Buffer | null>(options.places).fill(null);
  const taken = createTally();
  const line: { accountId: string; seat: (place: Place) => void }[] = [];

  function seatNext(): void {
    while (free.length > 0) {
      const index = line.findIndex(({ accountId }) => taken.of(accountId) < options.share);
      const [next] = index < 0 ? [] : line.splice(index, 1);
      if (!next) return;
      const buffer = free.pop() ?? Buffer.allocUnsafeSlow(options.bytes);
      taken.add(next.accountId, 1);
      const leave = () => {
        taken.add(next.accountId, -1);
        free.push(buffer);
        seatNext();
      };
      next.seat({ buffer, leave });
    }
  }

  return async (accountId, signal) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Place>();
    const waiting = { accountId, seat: resolve };
    const giveUp = () => {
      const index = line.indexOf(waiting);
      if (index >= 0) line.splice(index, 1);
      // Without effect where it has a place.
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    line.push(waiting);
    seatNext();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };
}
