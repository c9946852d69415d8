/** Why nothing is sent to a target now: as `db/due-deliveries.ts` judges it, told apart. */
import { inArray } from 'drizzle-orm';
import { kindOf } from '../contract/delivery-views.ts';
import type { Database, Transaction } from './client.ts';
import type { NumberRow } from './number-row.ts';
import { callbackProfiles } from './schema.ts';
import { getTargets } from './targets.ts';

/** `no-profile`: the profile was deleted. `paused`: it is not active. `off`: it has failed. */
export type Obstacle = 'no-url' | 'not-approved' | 'no-profile' | 'paused' | 'off';

/** What is in the way at each of these: the Incoming URL of the number, or callback profiles of its account. */
export async function obstaclesAt(
  db: Database | Transaction,
  number: Pick<NumberRow, 'incomingUrl' | 'status' | 'accountId'>,
  targetIds: string[],
): Promise<Map<string, Obstacle | null>> {
  const states = await getTargets(db, targetIds);
  const found = await db.select().from(callbackProfiles).where(inArray(callbackProfiles.id, targetIds));
  const profiles = new Map(found.map((profile) => [profile.id, profile]));
  const missing = (id: string): Obstacle | null => {
    if (kindOf(id) === 'incoming') {
      if (number.incomingUrl === null) return 'no-url';
      return number.status === 'APPROVED' ? null : 'not-approved';
    }
    const profile = profiles.get(id);
    if (!profile || profile.deletedAt || profile.accountId !== number.accountId) return 'no-profile';
    return profile.active ? null : 'paused';
  };
  return new Map(targetIds.map((id) => [id, missing(id) ?? (states.get(id)?.offAt ? 'off' : null)]));
}
