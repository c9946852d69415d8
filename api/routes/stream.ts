/** Changes as they happen, as server-sent events. */
import { Counter, Gauge } from 'prom-client';
import { z } from 'zod';
import { givenPlace, PLACE, streamEvent, streamQuery } from '../../contract/stream.ts';
import { about } from '../../contract/views.ts';
import { answers, GUARDED } from '../answers.ts';
import { callerOf, tenantOf, viewerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { absoluteLinks } from '../links.ts';
import { ProblemError } from '../problems.ts';
import { keepConnection } from '../stream/connection.ts';
import { createFeed, type Stream } from '../stream/feed.ts';
import { createSlots } from '../stream/slots.ts';

const DESCRIPTION = `\`text/event-stream\`: an event \`number\` for each number that was submitted or has changed, of the
own account or, for staff, of all; for staff also \`claim\`. Several changes may be told as one; the number is as it is now.
An event \`comment\` for each comment, question and answer, of internal ones for staff only. Kinds may be added: pass over
those that you do not know.

Open the stream, then load the lists: nothing is missed in between. Where the connection breaks, send the last \`id\` as
\`Last-Event-ID\` (or \`lastEventId\`, where the header cannot be set): whatever has changed since is told, at least once.
After more than 24 hours, \`reset\` comes first: load the lists again. A comment and an \`id\` come every 15 seconds. The
stream ends when the key or session does.`;

export const streamRoutes: Routes = async (app, { api }) => {
  const feed = createFeed(api.db, app.log, absoluteLinks(api.publicUrl));
  const takeSlot = createSlots(api.config.STREAMS_PER_PROCESS);
  const ended = new Counter({
    name: 'streams_ended_total',
    help: 'Streams that ended, by reason',
    labelNames: ['reason'],
    registers: [app.metrics],
  });
  new Gauge({
    name: 'streams_open',
    help: 'Clients that listen to the stream',
    registers: [app.metrics],
    collect() {
      this.set(feed.open.size);
    },
  });
  new Gauge({
    name: 'streams_unread_bytes',
    help: 'What clients that listen have not read yet, held in memory',
    registers: [app.metrics],
    collect() {
      this.set([...feed.open].reduce((sum, { connection }) => sum + connection.unread(), 0));
    },
  });
  let stopping = false;
  // Before the server waits for the connections that are open.
  app.addHook('preClose', async () => {
    stopping = true;
    feed.close();
  });

  app.get(
    '/v1/stream',
    {
      config: { access: ['customer', 'support', 'operator'], endless: true },
      exposeHeadRoute: false,
      schema: {
        summary: 'Listen to changes',
        description: DESCRIPTION,
        operationId: 'streamChanges',
        tags: ['Stream'],
        querystring: streamQuery,
        headers: z.looseObject({
          'last-event-id': givenPlace.meta(about('The `id` of the last event that came.', PLACE)),
        }),
        response: answers(
          {
            200: {
              description: 'Events, until either side ends the connection.',
              content: { 'text/event-stream': { schema: streamEvent } },
            },
          } as never,
          [...GUARDED, 'invalid_request'],
        ),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { accountId, lastEventId } = request.query;
      if (accountId !== undefined && caller.kind === 'customer') {
        throw new ProblemError('forbidden', { detail: 'The filter accountId is for staff: leave it out.' });
      }
      const freeSlot = takeSlot({
        id: caller.keyId ?? caller.personId ?? '',
        accountId: tenantOf(caller),
      });
      try {
        // An empty one means none, as browsers' EventSource has it.
        const beginning = await feed.begin(request.headers['last-event-id'] || lastEventId || undefined);
        if (stopping) throw new ProblemError('unavailable');
        const since = Date.now();
        const connection = keepConnection(reply, (reason) => {
          freeSlot();
          feed.forget(stream);
          const why = stream.why ?? reason;
          ended.inc({ reason: why });
          request.log.info({ caller: caller.actor.id, why, ms: Date.now() - since }, 'Stream ended');
        });
        const stream: Stream = {
          caller: {
            keyId: caller.keyId,
            sessionId: request.session?.session.id ?? null,
            accountId: tenantOf(caller),
            role: caller.kind === 'customer' ? 'user' : caller.kind,
          },
          tenant: accountId ?? tenantOf(caller),
          viewer: viewerOf(caller),
          connection,
          place: beginning.place,
        };
        feed.tell(stream, beginning);
      } catch (error) {
        freeSlot();
        throw error;
      }
    },
  );
};
