/** Whose turn a number is, in SQL: as `contract/next-action.ts` says it of a state. */
import { sql } from 'drizzle-orm';
import { numbers } from './schema.ts';

/** Of a number that is pending at Facebook, as the indexes `numbers_turn` have it. */
export const facebookTurn = sql`coalesce(${numbers.facebook} ->> 'turn', 'facebook')`;

/** What support decides on, as the index `numbers_reviewable` has it. What is on its way at Meta needs nobody here. */
export const isReviewable = sql`(${numbers.facebook} is null or ${numbers.facebook} ->> 'turn' = 'support')`;
