/** The review queue. */
import { z } from 'zod';
import { STAGES } from '../../contract/number.ts';
import { about, reviewPage, viewReview } from '../../contract/views.ts';
import { stateOf } from '../../db/number-row.ts';
import { listReviews } from '../../db/reviews.ts';
import { answers, GUARDED } from '../answers.ts';
import type { Routes } from '../context.ts';
import { anyId, page, pageQuery, readCursor, storableDate } from '../paging.ts';

const cursor = z.object({
  waitingSince: z.iso.datetime().transform(storableDate),
  id: z.string().regex(/^num_[0-9a-f]{32}$/),
});

export const reviewRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/reviews',
    {
      config: { access: ['support', 'operator'] },
      schema: {
        summary: 'List what waits for a decision, the longest waiting first',
        description: "The review queue: support's verifications and Facebook's decisions, over all accounts.",
        operationId: 'listReviews',
        tags: ['Review'],
        querystring: z.strictObject({
          stage: z.enum(STAGES).optional().describe('Only what waits for this decision.'),
          overdue: z
            .enum(['true', 'false'])
            .transform((value) => value === 'true')
            .optional()
            .describe('Only what is past its due time, or only what is not.'),
          claimedBy: anyId
            .optional()
            .meta(about('Only what this person has claimed. No review is claimed by anybody yet.', 'usr_0')),
          ...pageQuery,
        }),
        response: answers({ 200: reviewPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, ...filter } = request.query;
      const after = readCursor(at, cursor);
      const { items, next } = await listReviews(api.db, filter, { limit, after });
      const views = items.map(({ row, accountName }) => viewReview({ ...row, accountName }, stateOf(row)));
      return page(request, reply, api.publicUrl, views, next);
    },
  );
};
