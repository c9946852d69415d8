/** Sending a picture, so that it can be nothing else, whatever a browser takes it for. */
import type { FastifyReply } from 'fastify';
import type { ImageRow } from '../db/images.ts';

const POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'";

export function sendPicture(reply: FastifyReply, image: ImageRow, content: Buffer): FastifyReply {
  const extension = image.contentType === 'image/png' ? 'png' : 'jpg';
  return reply
    .headers({
      'content-disposition': `inline; filename="${image.id}.${extension}"`,
      'content-security-policy': POLICY,
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    .type(image.contentType)
    .send(content);
}
