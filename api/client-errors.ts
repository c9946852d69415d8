/** What is no HTTP at all never reaches a route; it is answered with a problem too. */

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEMS } from '../contract/errors.ts';

export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const { status, title } = PROBLEMS.malformed_request;
  const code = 'malformed_request';
  const body = JSON.stringify({ type: `/problems/${code}`, title, status, detail: title, code, errors: [] });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
      `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
