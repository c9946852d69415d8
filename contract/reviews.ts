/** The review queue as staff see it: its items, their claims, and what was wrong the time before. */
import { z } from 'zod';
import { object } from './fields.ts';
import type { Rejection } from './next-action.ts';
import { ACTOR_TYPES, isPending, type NumberState, STAGES, stageOf } from './number.ts';
import { pageQuery } from './queries.ts';
import { about, numberView, page, rejectionView, time, viewNumber } from './views.ts';
import { type EarlierDecision, staffWarnings, staffWarningView } from './warnings.ts';

export const claimantView = z
  .object({
    type: z.enum(ACTOR_TYPES).describe('In what role.'),
    id: z.string().meta(about('The person.', 'usr_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
    name: z.string().meta(about('What they are called.', 'Sam Support')),
  })
  .meta({ id: 'Claimant', description: 'Who has claimed a review.' });

const previousView = z
  .object({
    rejection: rejectionView.describe('Why the attempt before was rejected.'),
    changes: z
      .record(
        z.string(),
        z.object({ from: z.unknown().describe('Before.'), to: z.unknown().describe('Now.') }),
      )
      .meta(
        about('The fields that the customer changed since, each with its value before and now.', {
          address: { from: null, to: '1 Long Street, Springfield' },
        }),
      ),
  })
  .meta({
    id: 'PreviousAttempt',
    description: 'Why the attempt before was rejected, and what has changed since.',
  });
type PreviousAttempt = z.output<typeof previousView>;

export const reviewView = z
  .object({
    number: numberView.describe('The number to decide on.'),
    stage: z.enum(STAGES).describe('Which decision it waits for.'),
    waitingSince: time.describe('Since when it waits in this stage.'),
    dueAt: time.describe('Until when it should be decided.').nullable(),
    claimedBy: claimantView.nullable().describe('Who has claimed it; null when nobody has.'),
    claimExpiresAt: time.describe('When the claim runs out.').nullable(),
    warnings: z.array(staffWarningView).describe('What to look at twice; nothing that refuses the number.'),
    previous: previousView.nullable().describe('What was wrong the time before; null for a first attempt.'),
  })
  .meta({ id: 'Review', description: 'A number that waits for a decision.' });
export type ReviewView = z.output<typeof reviewView>;

export const reviewPage = page(
  reviewView,
  'ReviewPage',
  'Reviews: resubmissions first, then the longest waiting.',
);

const stageSummary = z
  .object({
    waiting: z.int().meta(about('What waits for a decision, and not for the customer.', 12)),
    overdue: z.int().meta(about("What is past its due time, also where that is the customer's.", 2)),
    claimed: z.int().meta(about('What a supporter has claimed.', 3)),
    waitingForCustomer: z.int().meta(about('What waits for the answer to a question.', 1)),
    oldestWaitingSince: time
      .describe('Since when the longest waiting waits; null where none does.')
      .nullable(),
  })
  .meta({ id: 'StageSummary', description: 'How much waits in a stage.' });
export const reviewSummary = z
  .object({
    verification: stageSummary.describe("What waits for support's verification."),
    facebook: stageSummary.describe("What waits for Facebook's decision."),
  })
  .meta({ id: 'ReviewSummary', description: 'How much waits, by stage.' });
export type ReviewSummary = z.output<typeof reviewSummary>;

/** What the queue can be asked for. */
export const reviewQuery = z.strictObject({
  stage: z.enum(STAGES).optional().describe('Only what waits for this decision.'),
  overdue: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('Only what is past its due time, or only what is not.'),
  claimedBy: z
    .string()
    .regex(/^(me|none|usr_[0-9a-f]{32})$/, 'Send `me`, `none`, or the id of a person.')
    .optional()
    .meta(
      about(
        'Only what this person has claimed: an id, or `me`. With `none`, only what nobody has claimed.',
        'me',
      ),
    ),
  ...pageQuery,
});

/** Body of a claim. */
export const claimBody = z.strictObject(
  {
    force: z
      .boolean({ error: 'Send true or false.' })
      .default(false)
      .meta({ description: 'Takes it over from whoever has it.', examples: [true] }),
  },
  { error: object },
);

/** Body of asking for the next review. */
export const nextBody = z.strictObject(
  {
    stage: z
      .enum(STAGES, { error: `Send one of ${STAGES.join(', ')}.` })
      .optional()
      .meta({
        description: 'Reviews of this stage only. When left out, those that wait for support come first.',
        examples: ['verification'],
      }),
  },
  { error: object },
);

/** Who has a review, until when. */
export interface Claim {
  personId: string;
  name: string;
  expiresAt: Date;
}

export function viewClaimant({ personId, name }: Claim): z.output<typeof claimantView> {
  return { type: 'support', id: personId, name };
}

/** What is read along with a pending number. */
export interface ReviewFacts {
  claim: Claim | null;
  earlier: EarlierDecision[];
  previous: { rejection: Rejection; changes: PreviousAttempt['changes'] } | null;
}

/** An item of the review queue; the number must be pending. */
export function viewReview(
  number: Parameters<typeof viewNumber>[0],
  state: NumberState,
  { claim, earlier, previous }: ReviewFacts,
): ReviewView {
  if (!isPending(state.status)) throw new Error(`Number ${number.id} is ${state.status}, not pending.`);
  return {
    number: viewNumber(number, state, 'staff'),
    stage: stageOf(state.status),
    waitingSince: state.waitingSince ?? state.submittedAt,
    dueAt: state.dueAt,
    claimedBy: claim && viewClaimant(claim),
    claimExpiresAt: claim?.expiresAt.toISOString() ?? null,
    warnings: staffWarnings({ ...state.profile, mobileNumber: number.mobileNumber }, earlier),
    previous,
  };
}
