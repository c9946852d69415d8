/** The connection of a client that listens. It tells a client that reads from one that does not. */
import type { FastifyReply } from 'fastify';

/** How long a client may leave unread what fills the buffer. */
const UNREAD_MS = 15_000;
/** How long an orderly end waits for a client that does not read. */
const END_MS = 500;
/** When a client whose connection broke tries again. */
const RETRY_MS = 3_000;

export interface Connection {
  isOpen(): boolean;
  /** False where the client has not read what was sent before: nothing more is to be sent before `drained`. */
  send(text: string): boolean;
  /** Resolves when the client has read all; with false where the connection is gone, or it has not in time. */
  drained(): Promise<boolean>;
  /** Bytes that wait for the client. */
  unread(): number;
  end(): void;
}

/** Answers 200 and keeps the connection, with the headers that are set so far. `closed`: why it ended by itself. */
export function keepConnection(reply: FastifyReply, closed: (why: 'client' | 'unread') => void): Connection {
  reply.hijack();
  const { raw } = reply;
  let unread = false;
  raw.on('error', () => {});
  const tellClosed = () => closed(unread ? 'unread' : 'client');
  // It may have closed while the answer was prepared.
  if (raw.destroyed) process.nextTick(tellClosed);
  else raw.once('close', tellClosed);
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // For proxies that collect answers before they pass them on.
    'x-accel-buffering': 'no',
    // Nothing comes after it: a server that stops would wait for the next request.
    connection: 'close',
  });
  raw.write(`retry: ${RETRY_MS}\n\n`);
  const isOpen = () => !raw.destroyed && !raw.writableEnded;
  return {
    isOpen,
    send: (text) => isOpen() && raw.write(text),
    drained: () =>
      new Promise((resolve) => {
        if (!isOpen() || !raw.writableNeedDrain) return resolve(isOpen());
        const settle = () => {
          clearTimeout(late);
          raw.off('drain', settle).off('close', settle);
          resolve(isOpen());
        };
        const late = setTimeout(() => {
          unread = true;
          raw.destroy();
        }, UNREAD_MS);
        raw.on('drain', settle).on('close', settle);
      }),
    unread: () => raw.writableLength,
    end() {
      raw.end();
      setTimeout(() => raw.destroy(), END_MS).unref();
    },
  };
}
