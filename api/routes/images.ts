/** Pictures: uploading one, and reading it. */
import { hash } from 'node:crypto';
import multipart from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { imageView } from '../../contract/pictures.ts';
import { anyId } from '../../contract/queries.ts';
import { about, IMAGE_ID, pathOfImage } from '../../contract/views.ts';
import { expireImage, findImage, MAX_UNUSED } from '../../db/images.ts';
import { MAX_BYTES, reencode } from '../../images/reencode.ts';
import { warningsOf } from '../../images/warnings.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { callerOf, customerOf, tenantOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { ifNoneMatch, isUnchanged } from '../etag.ts';
import { earlierAnswer, give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { sendPicture } from '../pictures.ts';
import { ProblemError } from '../problems.ts';
import { uploadPlaces } from '../upload-places.ts';
import { FILE_PART, readFile } from '../uploads.ts';

/** How long an upload waits for one of the places, and how long after its start its picture may be begun with. */
const WAIT_MS = 8_000;
const BEGIN_MS = 12_000;
const BUSY = 'Too many pictures arrive at the moment. Repeat the request after the seconds of Retry-After.';
/** A day: it never changes, but whoever looks may lose the right to. */
const CACHE = 'private, max-age=86400, immutable';

/** Zod has no words for a file in a form. */
const body = z.unknown().meta({
  type: 'object',
  required: [FILE_PART],
  additionalProperties: false,
  properties: {
    [FILE_PART]: {
      type: 'string',
      format: 'binary',
      maxLength: MAX_BYTES,
      description: 'A JPEG or PNG picture of at most 5 MiB; 640 × 640 pixels are recommended.',
      examples: ['logo.png'],
    },
  },
});

export const imageRoutes: Routes = async (app, { api }) => {
  const { db, publicUrl, images } = api;
  const enter = uploadPlaces({ places: 4, share: 2, bytes: MAX_BYTES + 1 });

  app.removeAllContentTypeParsers();
  await app.register(multipart);
  // Anything else is told what to send; the handler does not read it.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  app.post(
    '/v1/images',
    {
      config: { access: ['customer'], streamedBody: true, answerHeaders: ['Location'] },
      schema: {
        summary: 'Upload a picture',
        description:
          'It is kept upright, without anything that is not its pixels, and with at most 1,024 pixels along an edge. ' +
          'Give it to a number within 24 hours: then it is deleted if no number uses it.',
        operationId: 'uploadImage',
        tags: ['Pictures'],
        consumes: ['multipart/form-data'],
        headers: writeHeaders,
        body,
        response: answers({ 201: imageView }, [...GUARDED, ...WRITES, 'quota_exceeded']),
      },
    },
    async (request, reply) => {
      const { accountId, actor: by } = customerOf(request);
      if (!request.isMultipart()) {
        const detail = `Send "Content-Type: multipart/form-data" with the picture in a part named "${FILE_PART}".`;
        throw new ProblemError('unsupported_media_type', { detail });
      }
      const gone = new AbortController();
      // Not the request's own signal: that aborts as soon as the body has been read.
      reply.raw.once('close', () => gone.abort());
      const { keyed, earlier, picture } = await receive(request, accountId, gone.signal);
      if (earlier) return give(reply, earlier);
      const image = await images.add({ accountId, by }, picture);
      if ('fullUntil' in image) throw quotaUsedUp(image.fullUntil);
      const { id, width, height } = image;
      const url = publicUrl + pathOfImage(id);
      const view = { id, url, width, height, warnings: warningsOf(picture) };
      const { answer, result } = await inTransaction(db, keyed, async () => ({
        answer: { status: 201, headers: { location: url }, body: view },
        result: id,
      }));
      // Another request with the same key was first: its picture is answered, and nobody hears of this one.
      if (result === null) await expireImage(db, id);
      return give(reply, answer);
    },
  );

  /** Reads the file and draws it anew, or finds what was answered to it before. The place is free again then. */
  async function receive(request: FastifyRequest, accountId: string, gone: AbortSignal) {
    const begin = AbortSignal.any([gone, AbortSignal.timeout(BEGIN_MS)]);
    const place = await enter(accountId, AbortSignal.any([gone, AbortSignal.timeout(WAIT_MS)])).catch(
      (error: unknown) => {
        throw new ProblemError('unavailable', { detail: BUSY, cause: error });
      },
    );
    try {
      const file = await readFile(request, place.buffer);
      const sha256 = hash('sha256', file);
      const keyed = keyedRequest(request, { sha256 });
      const earlier = await earlierAnswer(db, keyed);
      if (earlier) return { keyed, earlier };
      return { keyed, picture: await reencode(file, begin) };
    } finally {
      place.leave();
    }
  }

  app.get(
    '/v1/images/:id',
    {
      config: { access: ['customer', 'support', 'operator'], answerHeaders: ['ETag'] },
      schema: {
        summary: 'Read a picture',
        description: 'It never changes. A browser shows it and runs nothing in it.',
        operationId: 'getImage',
        tags: ['Pictures'],
        params: z.object({ id: anyId.meta(about('The picture, as it was answered.', IMAGE_ID)) }),
        headers: z.looseObject(ifNoneMatch),
        response: answers(
          {
            200: {
              description: 'The picture, in the format that it was uploaded in.',
              content: {
                'image/jpeg': { schema: z.unknown().meta({ type: 'string', format: 'binary' }) },
                'image/png': { schema: z.unknown().meta({ type: 'string', format: 'binary' }) },
              },
            },
            304: noBody('Not modified: the ETag is one of If-None-Match.'),
          } as never,
          [...GUARDED, 'not_found', 'invalid_request'],
        ),
      },
    },
    async (request, reply) => {
      const image = await findImage(db, request.params.id, tenantOf(callerOf(request)));
      if (!image) throw new ProblemError('not_found');
      const etag = `"${image.id}"`;
      const known = isUnchanged(request.headers['if-none-match'], etag);
      const content = known ? null : await images.read(image);
      // Not before: a failure must not be kept.
      reply.headers({ etag, 'cache-control': CACHE });
      if (!content) return reply.code(304).send();
      return sendPicture(reply as never, image, content) as never;
    },
  );
};

function quotaUsedUp(until: Date): ProblemError {
  const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1_000));
  const detail =
    `The account has ${MAX_UNUSED} pictures that no number uses. Use some of them, or wait: ` +
    'each is deleted 24 hours after its upload.';
  return new ProblemError('quota_exceeded', { detail, headers: { 'retry-after': String(seconds) } });
}
