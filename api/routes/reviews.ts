/** The review queue. */
import { z } from 'zod';
import { storableDate } from '../../contract/queries.ts';
import { reviewPage, reviewQuery, reviewSummary, viewReview } from '../../contract/reviews.ts';
import { stateOf } from '../../db/number-row.ts';
import { listReviews, summariseReviews } from '../../db/reviews.ts';
import { answers, GUARDED } from '../answers.ts';
import { staffOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { page, readCursor } from '../paging.ts';

const cursor = z.object({
  first: z.boolean(),
  waitingSince: z.iso.datetime().transform(storableDate),
  id: z.string().regex(/^num_[0-9a-f]{32}$/),
});

export const reviewRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/reviews',
    {
      config: { access: ['support', 'operator'] },
      schema: {
        summary: 'List what waits for a decision',
        description:
          "The review queue: support's verifications and Facebook's decisions, over all accounts. Resubmissions first, then the longest waiting.",
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
      const { items, next } = await listReviews(api.db, { ...filter, claimedBy: person }, { limit, after });
      const views = items.map((review) =>
        viewReview({ ...review.row, accountName: review.accountName }, stateOf(review.row), review),
      );
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
    async () => summariseReviews(api.db),
  );
};
