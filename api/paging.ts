/** Cursors, `limit` and the `Link` header of lists. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { malformedQuery } from './problems.ts';

/** A place in a list, as opaque text. It holds nothing secret; whoever makes one up sees their own data. */
function writeCursor(place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** Reads a cursor, or null for the first page. Throws `malformed_request` for what is none of ours. */
export function readCursor<T>(cursor: string | undefined, schema: z.ZodType<T>): T | null {
  if (cursor === undefined) return null;
  const place = schema.safeParse(parse(Buffer.from(cursor, 'base64url').toString()));
  if (place.success) return place.data;
  throw malformedQuery([
    { pointer: 'cursor', code: 'invalid', detail: 'Send a `nextCursor` as it was answered.' },
  ]);
}

/** Finishes a page: `nextCursor`, and the `Link` to the next one with the same filters. */
export function page<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  publicUrl: string,
  items: T[],
  next: unknown,
): { items: T[]; nextCursor: string | null } {
  if (next === null) return { items, nextCursor: null };
  const nextCursor = writeCursor(next);
  const url = new URL(request.url, 'http://here');
  url.searchParams.set('cursor', nextCursor);
  reply.header('link', `<${publicUrl}${url.pathname}${url.search}>; rel="next"`);
  return { items, nextCursor };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
