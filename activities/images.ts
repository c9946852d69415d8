import { deleteUnusedImage, unusedImages } from '../db/images.ts';
import { createImageStore } from '../images/store.ts';
import type { ActivityDeps } from './deps.ts';

export interface CleanupResult {
  deleted: number;
  /** Left to the next clean-up. */
  failed: number;
}

const BATCH = 100;
/** A store that fails so often is away: the next clean-up has the rest. */
const ENOUGH = 5;

export function createImageActivities({
  db,
  config,
  logger,
  stopping,
}: Pick<ActivityDeps, 'db' | 'config' | 'logger' | 'stopping'>) {
  const store = createImageStore(db, config);

  return {
    /** Deletes the pictures that no number has used for a day, wherever their content is. Safe to repeat. */
    async deleteUnusedImages(): Promise<CleanupResult> {
      const result: CleanupResult = { deleted: 0, failed: 0 };
      let batch = await unusedImages(db, '', BATCH);
      while (batch.length > 0) {
        for (const { id } of batch) {
          if (stopping.aborted || result.failed === ENOUGH) return result;
          const deleted = await deleteUnusedImage(db, id, (image) => store.remove(image)).catch(
            (error: unknown) => {
              logger.warn({ err: error, imageId: id }, 'A picture was not deleted; the next clean-up has it');
              result.failed++;
              return false;
            },
          );
          if (deleted) result.deleted++;
        }
        batch = await unusedImages(db, batch.at(-1)?.id ?? '', BATCH);
      }
      logger.info(result, 'Unused pictures deleted');
      return result;
    },
  };
}
