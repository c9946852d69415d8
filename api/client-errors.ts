/** What is no HTTP at all never reaches a route; it is answered with a problem too. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import { PROBLEMS } from '../contract/errors.ts';

/** Headers of what is answered before any hook runs. */
export const BARE_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
};

export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  publicUrl: string,
  logger?: FastifyBaseLogger,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'too_large' : 'malformed_request';
  const { status, title } = PROBLEMS[code];
  const detail = code === 'too_large' ? 'Send less in headers.' : 'This is not HTTP as this server reads it.';
  const requestId = randomUUID();
  logger?.info({ requestId, status, reason: error.code }, 'Request');
  const body = JSON.stringify({
    type: `${publicUrl}/problems/${code}`,
    title,
    status,
    detail,
    code,
    // It was not read so far.
    instance: '/',
    requestId,
    errors: [],
  });
  const headers = {
    connection: 'close',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    ...BARE_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}
