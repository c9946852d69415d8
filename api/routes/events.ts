/** A number's timeline. */
import { z } from 'zod';
import { pageQuery } from '../../contract/queries.ts';
import { eventPage, viewEvent } from '../../contract/views.ts';
import { listEvents } from '../../db/read.ts';
import { answers, GUARDED } from '../answers.ts';
import { callerOf, viewerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { findFor, numberParams } from '../numbers.ts';
import { page, readCursor } from '../paging.ts';

const cursor = z.int().min(0);

export const eventRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/numbers/:id/events',
    {
      config: { access: ['customer', 'support', 'operator'] },
      schema: {
        summary: 'List what happened to a number, oldest first',
        description: 'Its whole story, over all attempts. Customers see staff as `support`.',
        operationId: 'listEvents',
        tags: ['Numbers'],
        params: numberParams,
        querystring: z.strictObject(pageQuery),
        response: answers({ 200: eventPage }, [...GUARDED, 'not_found']),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const viewer = viewerOf(caller);
      const { row } = await findFor(api, caller, request.params.id);
      const { limit, cursor: at } = request.query;
      const after = readCursor(at, cursor);
      const { items, next } = await listEvents(api.db, row.id, { staff: viewer === 'staff', limit, after });
      const views = items.map((event) => viewEvent(event, viewer));
      return page(request, reply, api.publicUrl, views, next);
    },
  );
};
