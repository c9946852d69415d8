import { ApplicationFailure } from '@temporalio/common';
import type { SaveRequest, SaveResult } from '../contract/number.ts';
import type { Database } from '../db/client.ts';
import { saveNumber } from '../db/save.ts';

/** Saves what changed, in one transaction. Safe to repeat. Fails for good only where there is no such number. */
export function createSaveActivity(deps: { db: Database; mailDomain: string }) {
  return {
    async save(request: SaveRequest): Promise<SaveResult> {
      const result = await saveNumber(deps.db, request, deps.mailDomain);
      if (!result)
        throw ApplicationFailure.nonRetryable(`There is no number ${request.numberId}`, 'unknown_number');
      return result;
    },
  };
}
