/** The account's own WhatsApp Business Account at Meta. */
import type { FastifyRequest } from 'fastify';
import { encrypt } from '../../auth/secrets.ts';
import {
  metaConnectionBody,
  metaConnectionView,
  viewMetaConnection,
} from '../../contract/meta-connection.ts';
import { lockAccount } from '../../db/accounts.ts';
import { recordAudit } from '../../db/audit.ts';
import { findConnection, keepConnection } from '../../db/meta-connections.ts';
import { CheckFailed, checkConnection } from '../../meta/check.ts';
import { hashOf } from '../../meta/connections.ts';
import { openAccount } from '../accounts.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { auditOf } from '../audit.ts';
import { customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { earlierAnswer, give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { invalidField, ProblemError } from '../problems.ts';

const config = { access: ['customer'], scope: 'admin' } as const;
const tags = ['Account'];

export const metaConnectionRoutes: Routes = async (app, { api }) => {
  const otherwise = api.config.META_WABA_ID === undefined ? 'support' : 'service';

  app.get(
    '/v1/meta-connection',
    {
      config,
      schema: {
        summary: "Read your account's connection to Meta",
        description: 'Which WhatsApp Business Account numbers are added to, and whether its token works.',
        operationId: 'getMetaConnection',
        tags,
        response: answers({ 200: metaConnectionView }, GUARDED),
      },
    },
    async (request) => {
      const { accountId } = customerOf(request);
      return viewMetaConnection(await findConnection(api.db, accountId), otherwise);
    },
  );

  app.put(
    '/v1/meta-connection',
    {
      config,
      schema: {
        summary: 'Connect your WhatsApp Business Account',
        description:
          'Checked at Meta: a token of our app with both permissions that reads the account; our app then hears its webhooks. A new token lets go on what waited for it. Numbers that were added elsewhere before stay there.',
        operationId: 'connectMeta',
        tags,
        headers: writeHeaders,
        body: metaConnectionBody,
        response: answers({ 200: metaConnectionView }, [
          ...GUARDED,
          ...WRITES,
          'account_closed',
          'meta_not_configured',
          'waba_taken',
          'waba_in_use',
        ]),
      },
    },
    async (request, reply) => {
      const { accountId } = customerOf(request);
      const { wabaId, accessToken } = request.body;
      const keyed = keyedRequest(request);
      const earlier = await earlierAnswer(api.db, keyed);
      if (earlier) return give(reply, earlier);
      const { name } = await checked(api, request, { wabaId, accessToken });
      const token = await encrypt(api.secrets, accessToken);
      const { answer } = await inTransaction(api.db, keyed, async (tx) => {
        openAccount(await lockAccount(tx, accountId));
        const connected = { wabaId, name, token, tokenHash: hashOf(accessToken) };
        const kept = await keepConnection(tx, accountId, connected, new Date());
        if (kept === 'taken') throw new ProblemError('waba_taken');
        if (kept === 'in_use') throw new ProblemError('waba_in_use');
        const data = { wabaId };
        await recordAudit(tx, {
          ...auditOf(request),
          type: 'meta-connection.changed',
          accountId,
          targetId: kept.id,
          data,
        });
        const answer = { status: 200, headers: {}, body: viewMetaConnection(kept, otherwise) };
        return { answer, result: null };
      });
      return give(reply, answer);
    },
  );
};

/** What Meta calls the account, where all is well with it. Before the transaction, which must not wait for Meta. */
async function checked(
  { meta, config }: ApiContext,
  { log }: FastifyRequest,
  asked: { wabaId: string; accessToken: string },
): Promise<{ name: string | null }> {
  if (!meta || config.META_APP_ID === undefined) throw new ProblemError('meta_not_configured');
  const result = await checkConnection(meta, config.META_APP_ID, asked).catch((error: unknown) => {
    if (!(error instanceof CheckFailed)) throw error;
    log.error({ reason: error.cause }, error.message);
    throw new ProblemError('unavailable', { fact: 'Meta could not be asked about the token.' });
  });
  if ('pointer' in result) throw invalidField(result.pointer, result.code, result.detail);
  return result;
}
