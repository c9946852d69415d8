/** Waiting for numbers to change. All who wait in this process share one small query per look. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/client.ts';
import type { NumberRow } from '../db/number-row.ts';
import { changedNumbers, type NumberOfAccount } from '../db/read.ts';

const LOOK_EVERY_MS = 15;

export interface Watch {
  /**
   * Resolves with the number when it is not at the revision any more where it was `seen`, or with null at
   * `deadline` (milliseconds since 1970). Rejects where the database does not answer.
   */
  change(seen: NumberRow, deadline: number): Promise<NumberOfAccount | null>;
}

interface Waiting {
  id: string;
  revision: number;
  deadline: number;
  resolve: (changed: NumberOfAccount | null) => void;
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
        const changed = await changedNumbers(db, {
          ids: asked.map(({ id }) => id),
          revisions: asked.map(({ revision }) => revision),
        });
        const byId = new Map(changed.map((number) => [number.row.id, number]));
        for (const one of asked) {
          const number = byId.get(one.id);
          const moved = number !== undefined && number.row.revision !== one.revision;
          if (!moved && Date.now() < one.deadline) continue;
          waiting.delete(one);
          one.resolve(moved ? number : null);
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
    change: ({ id, revision }, deadline) =>
      new Promise((resolve, reject) => {
        waiting.add({ id, revision, deadline, resolve, reject });
        if (waiting.size === 1) void look();
      }),
  };
}
