/** Protection against requests that another site makes in a visitor's browser (CSRF). */
import type { FastifyRequest } from 'fastify';
import { ProblemError } from './problems.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses a call that changes something and comes from another site's page. Browsers say where a call is from, by
 * Sec-Fetch-Site, or by Origin where they are old; what says neither is no browser. A call with an `Authorization`
 * header passes: no browser adds that by itself.
 */
export function refuseCrossOrigin(request: FastifyRequest, publicUrl: string): void {
  if (SAFE.has(request.method) || request.headers.authorization !== undefined) return;
  const { 'sec-fetch-site': site, origin } = request.headers;
  if (site !== undefined ? site === 'same-origin' : isOwn(origin, request.host, publicUrl)) return;
  throw new ProblemError('cross_origin');
}

/** By the public address, or by the host that was asked: a proxy may call us by another one. */
function isOwn(origin: string | undefined, host: string, publicUrl: string): boolean {
  if (origin === undefined) return true;
  const parsed = URL.parse(origin);
  return parsed !== null && (parsed.host === host || parsed.origin === URL.parse(publicUrl)?.origin);
}
