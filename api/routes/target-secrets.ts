/** New secrets of targets. The one before signs along for a day. */

import type { TargetKind } from '../../contract/deliveries.ts';
import { secretView } from '../../contract/delivery-views.ts';
import { emptyBody } from '../../contract/fields.ts';
import { recordAudit } from '../../db/audit.ts';
import { getCallbackProfile } from '../../db/callback-profiles.ts';
import { rotateSecret, SECRET_OVERLAP_HOURS } from '../../db/targets.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { customerOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { findFor, numberParams } from '../numbers.ts';
import { ProblemError } from '../problems.ts';
import { giveSecret } from '../targets.ts';
import { profileParams } from './callback-profiles.ts';

const tags = ['Forwarding'];
const config = { access: ['customer'], emptyBody: true } as const;
const ROTATED =
  `The one before signs along for ${SECRET_OVERLAP_HOURS} hours: each webhook carries a signature of both, so that ` +
  'your system can change over meanwhile. One that signs along already ends at once. The audit log has who asked.';

export const targetSecretRoutes: Routes = async (app, { api }) => {
  async function draw(request: Parameters<typeof customerOf>[0], target: { id: string; kind: TargetKind }) {
    const { accountId } = customerOf(request);
    const { sealed } = await api.targetSecrets.create();
    const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
      const { previousValidUntil } = await rotateSecret(tx, { ...target, accountId, sealed });
      await recordAudit(tx, {
        ...auditOf(request),
        type: 'secret.drawn',
        accountId,
        targetId: target.id,
      });
      // Sealed as long as it is stored.
      const body = { secret: sealed, previousValidUntil: previousValidUntil?.toISOString() ?? null };
      return { answer: { status: 200, headers: {}, body }, result: null };
    });
    return answer;
  }

  app.post(
    '/v1/numbers/:id/incoming-secret',
    {
      config,
      schema: {
        summary: 'Draw a new secret for an Incoming URL',
        description: `The first one is drawn so, too: call this before you verify signatures. ${ROTATED}`,
        operationId: 'drawIncomingSecret',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 200: secretView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const { row } = await findFor(api, customerOf(request), request.params.id);
      return giveSecret(api, reply, await draw(request, { id: row.id, kind: 'incoming' }));
    },
  );

  app.post(
    '/v1/callback-profiles/:id/secret',
    {
      config,
      schema: {
        summary: 'Draw a new secret for a callback profile',
        description: `The first one is in the answer to its creation. ${ROTATED}`,
        operationId: 'drawCallbackSecret',
        tags,
        params: profileParams,
        headers: writeHeaders,
        body: emptyBody,
        response: answers({ 200: secretView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const row = await getCallbackProfile(api.db, customerOf(request).accountId, request.params.id);
      if (!row) throw new ProblemError('not_found');
      return giveSecret(api, reply, await draw(request, { id: row.id, kind: 'callback' }));
    },
  );
};
