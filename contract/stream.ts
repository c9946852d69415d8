/** What the stream of changes tells. In a server-sent event `data` is one line of JSON. */
import { z } from 'zod';
import { anyId } from './queries.ts';
import { type Claim, claimantView, viewClaimant } from './reviews.ts';
import { about, numberView, time } from './views.ts';

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

const claimView = z.object({
  numberId: z.string().meta(about('The number whose review it is.', 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
  claimedBy: claimantView.nullable().describe('Who has claimed it; null when nobody has.'),
  claimExpiresAt: time.nullable().describe('Until when; null where nobody has it.'),
});

export const streamEvent = z
  .discriminatedUnion('event', [
    z
      .object({
        id: place,
        event: z.literal('number').describe('The kind of event.'),
        data: numberView.describe('The number as lists show it now.'),
      })
      .meta({
        id: 'NumberChanged',
        description: 'A number was submitted or has changed.',
      }),
    z
      .object({
        id: place,
        event: z.literal('claim').describe('The kind of event.'),
        data: claimView.describe('The claim as it is now.'),
      })
      .meta({
        id: 'ClaimChanged',
        description:
          'For staff: a review was claimed, given back, or its claim ran out. A claim ends at its time, and with its review, also where that is not told at once.',
      }),
    z
      .object({
        id: place,
        event: z.literal('reset').describe('The kind of event.'),
        data: z.object({}).describe('Nothing.'),
      })
      .meta({
        id: 'StreamReset',
        description: 'The place that was named is not known any more: load the lists again.',
      }),
  ])
  .meta({ id: 'StreamEvent', description: 'An event; on the wire `data` is one line of JSON.' });
export type StreamEvent = z.output<typeof streamEvent>;

/** The claim on a number's review; undefined where there is none. */
export function viewClaim(numberId: string, claim: Claim | undefined): z.output<typeof claimView> {
  return {
    numberId,
    claimedBy: claim ? viewClaimant(claim) : null,
    claimExpiresAt: claim?.expiresAt.toISOString() ?? null,
  };
}
