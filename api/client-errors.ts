/** What is no HTTP at all never reaches a route; it is answered with a problem too. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEMS } from '../contract/errors.ts';

export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, publicUrl: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'too_large' : 'malformed_request';
  const { status, title } = PROBLEMS[code];
  const detail = code === 'too_large' ? 'Send less in headers.' : 'This is not HTTP as this server reads it.';
  const body = JSON.stringify({
    type: `${publicUrl}/problems/${code}`,
    title,
    status,
    detail,
    code,
    // It was not read so far.
    instance: '/',
    requestId: randomUUID(),
    errors: [],
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
      `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
