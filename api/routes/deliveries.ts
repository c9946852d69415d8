/** What became of the events that a number's systems are to get. */
import { z } from 'zod';
import { deliveryPage, deliveryQuery, deliveryView, viewDelivery } from '../../contract/delivery-views.ts';
import { anyId } from '../../contract/queries.ts';
import { about } from '../../contract/views.ts';
import { getDelivery, listDeliveries } from '../../db/deliveries.ts';
import { answers, GUARDED } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { findFor, numberParams } from '../numbers.ts';
import { page, readCursor } from '../paging.ts';
import { ProblemError } from '../problems.ts';

export const deliveryParams = z.object({
  id: anyId.meta(about('The delivery, as it was answered.', 'dlv_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
});
const cursor = z.uuid();
const tags = ['Forwarding'];

export const deliveryRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/numbers/:id/deliveries',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'List the deliveries of a number, newest first',
        description:
          'To its Incoming URL and to callback profiles, with each try. They are kept for 30 days.',
        operationId: 'listDeliveries',
        tags,
        params: numberParams,
        querystring: deliveryQuery,
        response: answers({ 200: deliveryPage }, [...GUARDED, 'not_found']),
      },
    },
    async (request, reply) => {
      const { status: state, since, limit, cursor: at } = request.query;
      const before = readCursor(at, cursor);
      const { row } = await findFor(api, customerOf(request), request.params.id);
      const { items, next } = await listDeliveries(api.db, row.id, { state, since, limit, before });
      return page(request, reply, api.publicUrl, items.map(viewDelivery), next);
    },
  );

  app.get(
    '/v1/deliveries/:id',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Read a delivery',
        description: 'How it stands, and each try.',
        operationId: 'getDelivery',
        tags,
        params: deliveryParams,
        response: answers({ 200: deliveryView }, [...GUARDED, 'not_found']),
      },
    },
    async (request) => {
      const found = await getDelivery(api.db, customerOf(request).accountId, request.params.id);
      if (!found) throw new ProblemError('not_found');
      return viewDelivery(found);
    },
  );
};
