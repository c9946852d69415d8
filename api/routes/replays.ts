/** Sending again: one delivery, or what a number has since a time. */
import { deliveryView, kindOf, replayBody, replayView, viewDelivery } from '../../contract/delivery-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import type { Transaction } from '../../db/client.ts';
import {
  type Chosen,
  deliveriesToReplay,
  getDelivery,
  REPLAY_LIMIT,
  replayDeliveries,
  replayDelivery,
} from '../../db/deliveries.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { obstaclesAt } from '../../db/obstacles.ts';
import { getNumber } from '../../db/read.ts';
import { countSends, SENDS_PER_HOUR } from '../../db/requested-sends.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { type Answer, give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { findFor, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { needSends, obstacleProblem } from '../targets.ts';
import { deliveryParams } from './deliveries.ts';

const tags = ['Forwarding'];
const config = { access: ['customer'] } as const;

export const replayRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/deliveries/:id/replay',
    {
      config: { ...config, emptyBody: true },
      schema: {
        summary: 'Send an event again',
        description:
          'With the same `webhook-id`, from the start of the retry schedule. One that was taken already is sent once ' +
          'more; one that is pending is due at once. Refused while nothing is sent to its target (`target_off`, ' +
          `\`no_target\`, \`not_approved\`). An account has ${SENDS_PER_HOUR} replays and tests an hour.`,
        operationId: 'replayDelivery',
        tags,
        params: deliveryParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 202: deliveryView }, [
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
      const { accountId } = customerOf(request);
      const { id } = request.params;
      const found = await getDelivery(api.db, accountId, id);
      const number = found && (await getNumber(api.db, found.row.numberId, accountId));
      if (!found || !number) throw new ProblemError('not_found');
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const { targetId } = found.row;
        const obstacle = (await obstaclesAt(tx, number.row, [targetId])).get(targetId);
        if (obstacle) throw obstacleProblem(obstacle);
        await needSends(tx, accountId);
        await replayDelivery(tx, found);
        await countSends(tx, accountId, 1);
        const again = await getDelivery(tx, accountId, id);
        if (!again) throw new ProblemError('not_found');
        return { answer: { status: 202, headers: {}, body: viewDelivery(again) }, result: null };
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/numbers/:id/deliveries/replay',
    {
      config,
      schema: {
        summary: 'Send again what a number has since a time',
        description:
          'The oldest first, each with its `webhook-id`: those of a status, or all that were not taken. One call looks ' +
          `at ${REPLAY_LIMIT} deliveries at the most; \`next\` leads on. What goes to a target that nothing is sent to now ` +
          `is left as it is, and \`heldBack\` says why. An account has ${SENDS_PER_HOUR} replays and tests an hour.`,
        operationId: 'replayDeliveries',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: replayBody,
        response: answers({ 202: replayView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const { since, status: state } = request.body;
      const { row } = await findFor(api, caller, request.params.id);
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const limit = Math.min(REPLAY_LIMIT, await needSends(tx, caller.accountId));
        const { chosen, next } = await deliveriesToReplay(tx, row.id, { since, state, limit });
        const body = { ...(await replayThose(tx, row, chosen)), next: next?.toISOString() ?? null };
        return { answer: { status: 202, headers: {}, body } satisfies Answer, result: null };
      });
      return give(reply, answer);
    },
  );
};

/** Replays what can be sent, and tells what cannot. */
async function replayThose(tx: Transaction, number: NumberRow, chosen: Chosen[]) {
  const byTarget = Map.groupBy(chosen, ({ targetId }) => targetId);
  const obstacles = await obstaclesAt(tx, number, [...byTarget.keys()]);
  const open = chosen.filter(({ targetId }) => !obstacles.get(targetId));
  await replayDeliveries(tx, open);
  await countSends(tx, number.accountId, open.length);
  const heldBack = [...byTarget].flatMap(([targetId, { length: count }]) => {
    const obstacle = obstacles.get(targetId);
    if (!obstacle) return [];
    const target = kindOf(targetId);
    const { code, message: detail } = obstacleProblem(obstacle);
    return [{ target, callbackProfileId: target === 'callback' ? targetId : null, count, code, detail }];
  });
  return { replayed: open.length, heldBack };
}
