/** Where Meta tells of messages, statuses and changes. It is answered as soon as that is stored, and worked off after. */
import { createHmac } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { Counter } from 'prom-client';
import { z } from 'zod';
import { isSame } from '../../auth/secrets.ts';
import { storeUpdates } from '../../db/updates.ts';
import type { Routes } from '../context.ts';
import { parseExactly } from '../exact-json.ts';
import { updatesOf } from '../meta-updates.ts';
import { ProblemError } from '../problems.ts';

/** Meta sends up to 3 MB. */
const BODY_LIMIT = 4 * 1024 * 1024;
/** Meta's batches have up to 1,000; more are stored in several steps. */
const AT_ONCE = 1_000;
/** Meta's own servers call, as often as it has something to tell; each call is signed. */
const config = { access: 'public', limit: 'none' } as const;
const PLAIN = 'text/plain; charset=utf-8';
/** Its form is Meta's, and nobody else can call it. */
const schema = { hide: true };
/** What Meta asks once, when the webhook is set up. */
const challenge = z.object({
  'hub.mode': z.literal('subscribe'),
  'hub.verify_token': z.string(),
  'hub.challenge': z.string().max(1_000).catch(''),
});

export const metaWebhookRoutes: Routes = async (app, { api }) => {
  const { db } = api;
  const { META_APP_SECRETS: appSecrets, META_VERIFY_TOKEN: verifyToken } = api.config;

  const unknowns = new Counter({
    name: 'meta_unknown_numbers_total',
    help: 'What Meta told of numbers of connected accounts that were not submitted here',
    registers: [app.metrics],
  });

  app.removeAllContentTypeParsers();
  // The signature is over the bytes as they came.
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, raw, done) =>
    done(null, raw),
  );

  app.get('/webhooks/meta', { config, schema }, async (request, reply) => {
    if (verifyToken === undefined) throw new ProblemError('not_found');
    const { data: asked } = challenge.safeParse(request.query);
    if (!asked || !isSame(Buffer.from(asked['hub.verify_token']), Buffer.from(verifyToken))) {
      throw new ProblemError('forbidden', { detail: 'This is not the verify token that was agreed upon.' });
    }
    return reply.type(PLAIN).send(asked['hub.challenge']);
  });

  app.post('/webhooks/meta', { config, schema, bodyLimit: BODY_LIMIT }, async (request, reply) => {
    if (!appSecrets) throw new ProblemError('not_found');
    const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    if (!isSigned(request, raw, appSecrets)) throw new ProblemError('wrong_signature');
    const updates = updatesOf(parse(raw));
    for (let at = 0; at < updates.length; at += AT_ONCE) {
      const { unknown } = await storeUpdates(db, updates.slice(at, at + AT_ONCE));
      unknowns.inc(unknown);
    }
    return reply.type(PLAIN).send('');
  });
};

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
