/** Where Meta tells of messages, statuses and changes. It is answered as soon as that is stored, and worked off after. */
import { createHmac } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isSame } from '../../auth/secrets.ts';
import { about } from '../../contract/views.ts';
import { storeUpdates } from '../../db/updates.ts';
import { answers } from '../answers.ts';
import type { Routes } from '../context.ts';
import { parseExactly } from '../exact-json.ts';
import { updatesOf } from '../meta-updates.ts';
import { ProblemError } from '../problems.ts';

/** Meta sends up to 3 MB. */
const BODY_LIMIT = 4 * 1024 * 1024;
/** Meta's batches have up to 1,000; more are stored in several steps. */
const AT_ONCE = 1_000;
/** Meta's own servers call, as often as it has something to tell; each call is signed. */
const config = { access: 'public', limit: 'none', streamedBody: true } as const;
const tags = ['Meta'];

const challenge = z.looseObject({
  'hub.mode': z.string().optional().meta(about('Always `subscribe`.', 'subscribe')),
  'hub.verify_token': z.string().optional().meta(about('META_VERIFY_TOKEN.', 'a word that only Meta knows')),
  'hub.challenge': z.string().max(1_000).optional().meta(about('What is to be answered.', '1158201444')),
});
const body = z.unknown().meta({
  type: 'object',
  description: 'As Meta sends it. What is not known is kept.',
  examples: [{ object: 'whatsapp_business_account', entry: [] }],
});

const plain = (description: string) =>
  ({ description, content: { 'text/plain': { schema: z.string() } } }) as never;

export const metaWebhookRoutes: Routes = async (app, { api }) => {
  const { db } = api;
  const { META_APP_SECRETS: appSecrets, META_VERIFY_TOKEN: verifyToken } = api.config;

  app.removeAllContentTypeParsers();
  // The signature is over the bytes as they came.
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, raw, done) =>
    done(null, raw),
  );

  app.get(
    '/webhooks/meta',
    {
      config,
      schema: {
        summary: "Answer Meta's challenge",
        description: 'Asked once, when the webhook is set up. Needs META_VERIFY_TOKEN.',
        operationId: 'answerMetaChallenge',
        tags,
        querystring: challenge,
        response: answers({ 200: plain('The challenge.') }, ['forbidden', 'not_found', 'invalid_request']),
      },
    },
    async (request, reply) => {
      if (verifyToken === undefined) throw new ProblemError('not_found');
      const {
        'hub.mode': mode,
        'hub.verify_token': token = '',
        'hub.challenge': answer = '',
      } = request.query;
      if (mode !== 'subscribe' || !isSame(Buffer.from(token), Buffer.from(verifyToken))) {
        throw new ProblemError('forbidden', { detail: 'This is not the verify token that was agreed upon.' });
      }
      return sendPlain(reply, answer);
    },
  );

  app.post(
    '/webhooks/meta',
    {
      config,
      bodyLimit: BODY_LIMIT,
      schema: {
        summary: 'Take what Meta tells',
        description:
          'Stored once, however often it comes, and answered at once. Signed in X-Hub-Signature-256 with one of META_APP_SECRETS.',
        operationId: 'takeMetaWebhook',
        tags,
        consumes: ['application/json'],
        body,
        response: answers({ 200: plain('It is stored: an empty text.') }, [
          'malformed_request',
          'wrong_signature',
          'not_found',
          'too_large',
          'unavailable',
        ]),
      },
    },
    async (request, reply) => {
      if (!appSecrets) throw new ProblemError('not_found');
      const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      if (!isSigned(request, raw, appSecrets)) throw new ProblemError('wrong_signature');
      const updates = updatesOf(parse(raw));
      for (let at = 0; at < updates.length; at += AT_ONCE) {
        await storeUpdates(db, updates.slice(at, at + AT_ONCE));
      }
      return sendPlain(reply, '');
    },
  );
};

/** A route's type knows only JSON. */
function sendPlain(reply: unknown, text: string): never {
  return (reply as FastifyReply).type('text/plain; charset=utf-8').send(text) as never;
}

/** Each secret is tried, in a time that does not tell how much of the signature is right. */
function isSigned({ headers }: FastifyRequest, raw: Buffer, secrets: string[]): boolean {
  const given = /^sha256=([0-9a-f]{64})$/i.exec(String(headers['x-hub-signature-256'] ?? ''))?.[1] ?? '';
  const signature = Buffer.from(given, 'hex');
  const right = secrets.map((secret) => isSame(signature, createHmac('sha256', secret).update(raw).digest()));
  return right.includes(true);
}

function parse(raw: Buffer): unknown {
  try {
    return parseExactly(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch (error) {
    throw new ProblemError('malformed_request', { detail: 'The body is not JSON in UTF-8.', cause: error });
  }
}
