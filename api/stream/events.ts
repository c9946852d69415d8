/** Changes as the events that clients read. What many listen to is read and written once. */
import { viewClaim } from '../../contract/stream.ts';
import { type Viewer, viewNumber } from '../../contract/views.ts';
import { type Change, claimsOn, numbersById, type Place } from '../../db/change-feed.ts';
import type { Database } from '../../db/client.ts';
import { stateOf } from '../../db/number-row.ts';
import type { Tenant } from '../../db/read.ts';
import type { Links } from '../links.ts';
import { writePlace } from './place.ts';

/** What a stream hears of. */
export interface Hearing {
  /** Whose numbers. */
  tenant: Tenant;
  /** Claims are for staff. */
  viewer: Viewer;
}

export function hears({ tenant, viewer }: Hearing, { kind, accountId }: Change): boolean {
  return (tenant === null || tenant === accountId) && (kind === 'number' || viewer === 'staff');
}

export interface StreamEvent {
  change: Change;
  /** As it is written to the connection; null where the number is gone. */
  text(viewer: Viewer): string | null;
}

/** One event for each number and claim among the changes, at its latest place, telling how it is now. */
export async function eventsOf(db: Database, changes: Change[], links: Links): Promise<StreamEvent[]> {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    const key = `${change.kind} ${change.numberId}`;
    // Deleted first: a map keeps the order of its first entries.
    latest.delete(key);
    latest.set(key, change);
  }
  const wanted = [...latest.values()];
  const idsOf = (kind: Change['kind']) =>
    wanted.filter((one) => one.kind === kind).map((one) => one.numberId);
  const [numbers, claims] = await Promise.all([
    idsOf('number').length === 0 ? [] : numbersById(db, idsOf('number')),
    idsOf('claim').length === 0 ? [] : claimsOn(db, idsOf('claim')),
  ]);
  const numberOf = new Map(numbers.map((number) => [number.row.id, number]));
  const claimOf = new Map(claims.map((claim) => [claim.numberId, claim]));

  return wanted.map((change) => {
    const { numberId, place } = change;
    const write = (viewer: Viewer) => {
      if (change.kind === 'claim') return written('claim', place, viewClaim(numberId, claimOf.get(numberId)));
      const found = numberOf.get(numberId);
      if (!found) return null;
      const { row, accountName } = found;
      return links(written('number', place, viewNumber({ ...row, accountName }, stateOf(row), viewer)));
    };
    const texts: Partial<Record<Viewer, string | null>> = {};
    return {
      change,
      text: (viewer) => {
        texts[viewer] ??= write(viewer);
        return texts[viewer];
      },
    };
  });
}

/** The client has to load its lists anew: what it asked for is not known any more. */
export function resetEvent(place: Place): string {
  return written('reset', place, {});
}

/** Shows that the connection lives, and where the feed is: whoever breaks off resumes from there. */
export function heartbeat(place: Place): string {
  return `: alive\nid: ${writePlace(place)}\n\n`;
}

function written(event: string, place: Place, data: unknown): string {
  return `id: ${writePlace(place)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
