/** Where events go: how an Incoming URL does, switching a target on again, and a test of it. */
import { callbackProfileView, viewCallbackProfile } from '../../contract/callback-profiles.ts';
import {
  incomingUrlView,
  testEventBody,
  testEventView,
  viewTargetState,
} from '../../contract/delivery-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import { getCallbackProfile } from '../../db/callback-profiles.ts';
import { obstaclesAt } from '../../db/obstacles.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { countSends, SENDS_PER_HOUR } from '../../db/requested-sends.ts';
import { switchOn } from '../../db/target-on.ts';
import { getTarget } from '../../db/targets.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { findFor, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { needSends, obstacleProblem } from '../targets.ts';
import { profileParams } from './callback-profiles.ts';

const tags = ['Forwarding'];
const config = { access: ['customer'] } as const;
const without = { ...config, emptyBody: true };
const ENABLED =
  'What waits for it is sent at once, also where it is on but failing; what was given up can be replayed. Another URL alone ' +
  'does not switch it on.';

export const targetRoutes: Routes = async (app, { api }) => {
  const { db } = api;

  app.get(
    '/v1/numbers/:id/incoming-url',
    {
      config,
      schema: {
        summary: "Read how a number's Incoming URL does",
        description: 'Whether anything is sent there, and since when it fails.',
        operationId: 'getIncomingUrl',
        tags,
        params: numberParams,
        response: answers({ 200: incomingUrlView }, [...GUARDED, 'not_found']),
      },
    },
    async (request) => {
      const { row } = await findFor(api, customerOf(request), request.params.id);
      return { url: row.incomingUrl, ...viewTargetState(await getTarget(db, row.id)) };
    },
  );

  app.post(
    '/v1/numbers/:id/incoming-url/enable',
    {
      config: without,
      schema: {
        summary: 'Switch an Incoming URL on again',
        description: ENABLED,
        operationId: 'enableIncomingUrl',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 200: incomingUrlView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const { row } = await findFor(api, caller, request.params.id);
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx, operationId) => {
        await switchOn(tx, row.id, { actor: caller.actor, operationId });
        const body = { url: row.incomingUrl, ...viewTargetState(await getTarget(tx, row.id)) };
        return { answer: { status: 200, headers: {}, body }, result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/callback-profiles/:id/enable',
    {
      config: without,
      schema: {
        summary: 'Switch a callback profile on again',
        description: ENABLED,
        operationId: 'enableCallbackProfile',
        tags,
        params: profileParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 200: callbackProfileView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const { accountId, actor } = customerOf(request);
      const row = await getCallbackProfile(db, accountId, request.params.id);
      if (!row) throw new ProblemError('not_found');
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx, operationId) => {
        await switchOn(tx, row.id, { actor, operationId });
        const body = viewCallbackProfile(row, await getTarget(tx, row.id));
        return { answer: { status: 200, headers: {}, body }, result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/numbers/:id/test-event',
    {
      config,
      schema: {
        summary: 'Send a test',
        description:
          'An event of the type `test`, signed and retried like any other. To the Incoming URL of an approved number, ' +
          "or to a number's callback profile in every status. Refused while nothing is sent there (`target_off`, " +
          `\`no_target\`, \`not_approved\`). An account has ${SENDS_PER_HOUR} replays and tests an hour.`,
        operationId: 'sendTestEvent',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: testEventBody,
        response: answers({ 202: testEventView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'no_target',
          'target_off',
          'not_approved',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const { target } = request.body;
      const { row } = await findFor(api, caller, request.params.id);
      const { answer } = await inTransaction(db, keyedRequest(request), async (tx, operationId) => {
        const targetId = target === 'incoming' ? row.id : row.callbackProfileId;
        if (targetId === null) throw noProfile();
        const obstacle = (await obstaclesAt(tx, row, [targetId])).get(targetId);
        if (obstacle) throw obstacleProblem(obstacle);
        await needSends(tx, caller.accountId);
        const event = { numberId: row.id, type: 'test', at: new Date(), operationId, target } as const;
        const [deliveryId] = await insertOwnEvents(tx, [{ ...event, data: { target } }]);
        // Deleted in this very moment.
        if (deliveryId === undefined) throw noProfile();
        await countSends(tx, caller.accountId, 1);
        return { answer: { status: 202, headers: {}, body: { deliveryId } }, result: null };
      });
      return give(reply, answer);
    },
  );
};

function noProfile(): ProblemError {
  const detail =
    'The number has no callback profile, or it was deleted. Edit the number to name one, and repeat the request.';
  return new ProblemError('no_target', { detail });
}
