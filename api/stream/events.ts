/** Changes as the events that clients read. What many listen to is read and written once. */
import { viewClaim, viewComment } from '../../contract/stream.ts';
import { type Viewer, viewNumber } from '../../contract/views.ts';
import { type Change, claimsOn, numbersById, type Place, timelineEvents } from '../../db/change-feed.ts';
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

/** Who hears of each kind. The next release, beside this one, may write kinds that are not here: nobody. */
const HEARERS: Partial<Record<Change['kind'], readonly Viewer[]>> = {
  number: ['customer', 'staff'],
  claim: ['staff'],
  // Each of them as the event's own visibility has it.
  comment: ['customer', 'staff'],
};

export function hears({ tenant, viewer }: Hearing, { kind, accountId }: Change): boolean {
  return (tenant === null || tenant === accountId) && HEARERS[kind]?.includes(viewer) === true;
}

export interface StreamEvent {
  change: Change;
  /** As it is written to the connection; null where the number is gone, or the comment is not for the viewer. */
  text(viewer: Viewer): string | null;
}

/** One event for each number, claim and comment among the changes, at its latest place, telling how it is now. */
export async function eventsOf(db: Database, changes: Change[], links: Links): Promise<StreamEvent[]> {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    const key = `${change.kind} ${change.eventId ?? change.numberId}`;
    // Deleted first: a map keeps the order of its first entries.
    latest.delete(key);
    latest.set(key, change);
  }
  const wanted = [...latest.values()];
  const idsOf = (kind: Change['kind']) =>
    wanted.filter((one) => one.kind === kind).map((one) => one.numberId);
  const eventIds = wanted.flatMap(({ eventId }) => eventId ?? []);
  const [numbers, claims, comments] = await Promise.all([
    idsOf('number').length === 0 ? [] : numbersById(db, idsOf('number')),
    idsOf('claim').length === 0 ? [] : claimsOn(db, idsOf('claim')),
    eventIds.length === 0 ? [] : timelineEvents(db, eventIds),
  ]);
  const numberOf = new Map(numbers.map((number) => [number.row.id, number]));
  const commentOf = new Map(comments.map((comment) => [comment.id, comment]));
  const claimOf = new Map(claims.map((claim) => [claim.numberId, claim]));

  return wanted.map((change) => {
    const { numberId, place } = change;
    const write = (viewer: Viewer) => {
      if (change.kind === 'claim') return written('claim', place, viewClaim(numberId, claimOf.get(numberId)));
      if (change.kind === 'comment') {
        const said = commentOf.get(change.eventId ?? '');
        const view = said ? viewComment(said, viewer) : null;
        return view && written('comment', place, view);
      }
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
