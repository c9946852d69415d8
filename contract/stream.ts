/** What the stream of changes tells. In a server-sent event `data` is one line of JSON. */
import { z } from 'zod';
import { anyId } from './queries.ts';
import { type Claim, claimantView, viewClaimant } from './reviews.ts';
import { about, type EventView, eventView, type NumberView, time, type Viewer, viewEvent } from './views.ts';

/** What a place looks like. */
export const PLACE = '184467.90210.1767225600000';
const place = z
  .string()
  .meta(about('A place in the stream, to resume from: send it as `Last-Event-ID`.', PLACE));

/** A place as it is sent: not longer than any of ours. */
export const givenPlace = z.string().max(60).optional();

export const streamQuery = z.strictObject({
  accountId: anyId
    .optional()
    .meta(about('Staff only: changes of this account.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
  lastEventId: givenPlace.meta(about('As `Last-Event-ID`, which counts where both are sent.', PLACE)),
});

const claimView = z
  .object({
    numberId: z
      .string()
      .meta(about('The number whose review it is.', 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
    claimedBy: claimantView.nullable().describe('Who has claimed it; null when nobody has.'),
    claimExpiresAt: time.nullable().describe('Until when; null where nobody has it.'),
  })
  .meta({ id: 'Claim', description: 'Who has claimed the review of a number.' });

const commentView = eventView
  .extend({
    numberId: z
      .string()
      .meta(about('The number that it was said about.', 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
  })
  .meta({ id: 'Comment', description: "What was said about a number, as the number's timeline has it." });

/** What `data` of each kind of event is. */
interface Data {
  number: NumberView;
  claim: z.output<typeof claimView>;
  comment: z.output<typeof commentView>;
  reset: Record<string, never>;
}
/** An event as programs take it, with its `data` read. */
export type StreamEvent = { [E in keyof Data]: { id: string; event: E; data: Data[E] } }[keyof Data];

/** On the wire `data` is one line of JSON. */
function event<E extends keyof Data>(
  kind: E,
  data: { schema: object; description: string; example: string },
) {
  return z.object({
    id: place,
    event: z.literal(kind).describe('The kind of event.'),
    data: z.string().meta({
      contentMediaType: 'application/json',
      contentSchema: data.schema,
      ...about(`${data.description} One line of JSON.`, data.example),
    }),
  });
}

const named = (name: string) => ({ $ref: `#/components/schemas/${name}` });

export const streamEvent = z
  .discriminatedUnion('event', [
    event('number', {
      schema: named('Number'),
      description: 'The number as lists show it now.',
      example: '{"id":"num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d","status":"APPROVED"}',
    }).meta({ id: 'NumberChanged', description: 'A number was submitted or has changed.' }),
    event('claim', {
      schema: named('Claim'),
      description: 'The claim as it is now.',
      example: '{"numberId":"num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d","claimedBy":null,"claimExpiresAt":null}',
    }).meta({
      id: 'ClaimChanged',
      description:
        'For staff: a review was claimed, given back, or its claim ran out. A claim ends at its time, and with its review, also where that is not told at once.',
    }),
    event('comment', {
      schema: named('Comment'),
      description: 'What was said, in the shape of the timeline, and the `numberId` that it is about.',
      example:
        '{"numberId":"num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d","id":"evt_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d","type":"comment","at":"2026-11-23T08:00:00.000Z","actor":{"type":"support","id":null},"attempt":1,"data":{"text":"Hello"}}',
    }).meta({
      id: 'CommentMade',
      description:
        'The customer or support commented on a number, asked or answered; of internal comments only staff hear.',
    }),
    event('reset', { schema: { type: 'object' }, description: 'Nothing.', example: '{}' }).meta({
      id: 'StreamReset',
      description: 'The place that was named is not known any more: load the lists again.',
    }),
  ])
  .meta({ id: 'StreamEvent', description: 'An event, as its fields are on the wire.' });

/** What was said about a number, as the viewer may see it; null where it is not for them. */
export function viewComment(
  event: Parameters<typeof viewEvent>[0] & { numberId: string; visibility: 'everyone' | 'staff' },
  viewer: Viewer,
): (EventView & { numberId: string }) | null {
  if (event.visibility === 'staff' && viewer !== 'staff') return null;
  return { numberId: event.numberId, ...viewEvent(event, viewer) };
}

/** The claim on a number's review; undefined where there is none. */
export function viewClaim(numberId: string, claim: Claim | undefined): z.output<typeof claimView> {
  return {
    numberId,
    claimedBy: claim ? viewClaimant(claim) : null,
    claimExpiresAt: claim?.expiresAt.toISOString() ?? null,
  };
}
