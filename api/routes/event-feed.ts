/** An account's events, for systems that were away. */
import { eventFeed, eventFeedQuery } from '../../contract/delivery-views.ts';
import { webhookBody } from '../../contract/webhook-body.ts';
import { type EventPage, readEvents } from '../../db/event-feed.ts';
import { answers, GUARDED } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { malformedQuery, ProblemError } from '../problems.ts';

export const eventFeedRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/events',
    {
      config: { access: ['customer'] },
      schema: {
        summary: "Read on in the account's events",
        description:
          'What webhooks tell, of all numbers, whether or not anything was sent: to catch up after an outage. Send the ' +
          'last `id` that you have as `after`. Nothing turns up before what was read; what was stored in this moment ' +
          'may come with the next call. Kept for 30 days; an older `after` is answered with `events_gone`.',
        operationId: 'readEvents',
        tags: ['Forwarding'],
        querystring: eventFeedQuery,
        response: answers({ 200: eventFeed }, [...GUARDED, 'events_gone']),
      },
    },
    async (request, reply) => {
      const { after = null, limit } = request.query;
      const found = await readEvents(api.db, customerOf(request).accountId, { after, limit });
      if (found === 'gone') throw new ProblemError('events_gone');
      if (found === 'unknown') {
        const detail =
          'Send the `id` of an event of the account, evt_…, or leave it out to begin with the oldest.';
        throw malformedQuery([{ pointer: 'after', code: 'unknown', detail }]);
      }
      // As text, not by the schema: what Meta sent stays as it is, numbers of any length, too.
      return reply
        .type('application/json')
        .serializer(String)
        .send(feedOf(found) as never);
    },
  );
};

function feedOf({ events, more }: EventPage): string {
  const items = events.map((event) => `{"id":"${event.id}",${webhookBody(event).slice(1)}`);
  return `{"items":[${items.join(',')}],"more":${more}}`;
}
