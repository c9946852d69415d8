/** Waiting for numbers to change. All who wait in this process share one small query per look. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/client.ts';
import { revisionsOf } from '../db/read.ts';

const LOOK_EVERY_MS = 15;

export interface Watch {
  /**
   * Resolves when the number is not at `revision` any more, or at `deadline` (milliseconds since 1970).
   * Rejects where the database does not answer.
   */
  change(id: string, revision: number, deadline: number): Promise<void>;
}

interface Waiting {
  id: string;
  revision: number;
  deadline: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export function createWatch(db: Database): Watch {
  const waiting = new Set<Waiting>();

  /** Looks until nobody waits. */
  async function look(): Promise<void> {
    while (waiting.size > 0) {
      await sleep(LOOK_EVERY_MS);
      const asked = [...waiting];
      try {
        const revisions = await revisionsOf(db, [...new Set(asked.map(({ id }) => id))]);
        for (const one of asked) {
          if (revisions.get(one.id) === one.revision && Date.now() < one.deadline) continue;
          waiting.delete(one);
          one.resolve();
        }
      } catch (error) {
        for (const one of asked) {
          waiting.delete(one);
          one.reject(error);
        }
      }
    }
  }

  return {
    change: (id, revision, deadline) =>
      new Promise((resolve, reject) => {
        waiting.add({ id, revision, deadline, resolve, reject });
        if (waiting.size === 1) void look();
      }),
  };
}
