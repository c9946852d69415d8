/** The review queue. */
import { z } from 'zod';
import { storableDate } from '../../contract/queries.ts';
import { reviewPage, reviewQuery, reviewSummary, viewReview } from '../../contract/reviews.ts';
import { stateOf } from '../../db/number-row.ts';
import { listReviews, type ReviewFilter, type ReviewPlace, summariseReviews } from '../../db/reviews.ts';
import { answers, GUARDED } from '../answers.ts';
import { staffOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { page, readCursor } from '../paging.ts';
import { shareReadings } from '../share.ts';

const cursor = z.object({
  first: z.boolean(),
  waitingSince: z.iso.datetime().transform((text) => storableDate(text).toISOString()),
  id: z.string().regex(/^num_[0-9a-f]{32}$/),
});

interface PageAsked {
  filter: ReviewFilter;
  limit: number;
  after: ReviewPlace | null;
}

export const reviewRoutes: Routes = async (app, { api }) => {
  // Everybody looks at the same pages, and all consoles ask anew at the same moment: when something has changed.
  const readPage = shareReadings(async ({ filter, ...page }: PageAsked) => {
    const { items, next } = await listReviews(api.db, filter, page);
    const views = items.map((review) =>
      viewReview({ ...review.row, accountName: review.accountName }, stateOf(review.row), review),
    );
    return { views, next };
  });
  const readSummary = shareReadings(() => summariseReviews(api.db));

  app.get(
    '/v1/reviews',
    {
      config: { access: ['support', 'operator'] },
      schema: {
        summary: 'List what waits for a decision',
        description:
          "The review queue: support's verifications and Facebook's decisions, over all accounts. Resubmissions first, then the longest waiting. A number on its way at Meta is not among them before its turn is support's (`facebook`).",
        operationId: 'listReviews',
        tags: ['Review'],
        querystring: reviewQuery,
        response: answers({ 200: reviewPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, claimedBy, ...filter } = request.query;
      const person = claimedBy === 'me' ? staffOf(request).personId : claimedBy;
      const after = readCursor(at, cursor);
      const { views, next } = await readPage({ filter: { ...filter, claimedBy: person }, limit, after });
      return page(request, reply, api.publicUrl, views, next);
    },
  );

  app.get(
    '/v1/reviews/summary',
    {
      config: { access: ['support', 'operator'] },
      schema: {
        summary: 'Count what waits for a decision',
        description: 'By stage, over all accounts.',
        operationId: 'summariseReviews',
        tags: ['Review'],
        response: answers({ 200: reviewSummary }, GUARDED),
      },
    },
    async () => readSummary(null),
  );
};
