/** Connections when the server stops: Node waits for each, also where no request comes any more. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** How long a connection may take to send its first request once the server stops. */
const FIRST_REQUEST_MS = 500;

/**
 * Answers that are under way when the server begins to stop end their connections, as Fastify ends those of later ones.
 * Connections without any request, as browsers open them beforehand, are closed.
 */
export function endConnections(app: FastifyInstance): void {
  const unused = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }: IncomingMessage) => unused.delete(socket));

  let closing: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    closing = setInterval(() => {
      for (const socket of unused) socket.destroy();
    }, FIRST_REQUEST_MS);
  });
  app.addHook('onClose', async () => clearInterval(closing));
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
