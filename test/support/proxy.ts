/**
 * A TCP proxy between a process of the product and a server, which can stop the traffic at a named point:
 * from the moment some bytes pass, one direction of that connection is held for ever. What lies between "the
 * server did it" and "the process knows it" becomes a place where a process can be killed.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';

export interface Point {
  /** The bytes, as Latin-1 text, that the process sends on one connection, in this order. */
  seen: string[];
  /**
   * `request`: what brought the last of these bytes, and all after it, never reaches the server.
   * `answer`: the server gets it; the process never hears anything on that connection again.
   * `nothing`: all goes on; the point is only told.
   */
  hold: Hold | 'nothing';
}

type Hold = 'request' | 'answer';

export interface TestProxy {
  /** `host:port` */
  address: string;
  /** The same address with the proxy's host and port. */
  through(url: string): string;
  /** Holds the first connection that comes to the point. `reached` resolves then. */
  hold(point: Point): { reached: Promise<void> };
  /** Holds one direction of every connection that there is now. */
  holdAll(direction: Hold): void;
  /** Breaks every connection that there is now. */
  drop(): void;
  close(): Promise<void>;
}

interface Trap extends Point {
  spring: () => void;
  /** By connection: how many of the texts have passed, and the end of what came last. */
  passed: WeakMap<Socket, { count: number; tail: string }>;
}

/** A text may come in two pieces. */
const LONGEST_TEXT = 200;

/** `target`: a URL with a port, or `host:port`. */
export async function startProxy(target: string): Promise<TestProxy> {
  const { hostname, port } = new URL(target.includes('://') ? target : `tcp://${target}`);
  const sockets = new Set<Socket>();
  const connections = new Set<{ held?: Point['hold'] }>();
  let trap: Trap | undefined;

  /** Whether the point is reached with this chunk. */
  function isReached(client: Socket, chunk: Buffer): boolean {
    if (!trap) return false;
    const before = trap.passed.get(client) ?? { count: 0, tail: '' };
    let { count } = before;
    let text = before.tail + chunk.toString('latin1');
    for (;;) {
      const next = trap.seen[count];
      if (next === undefined) return true;
      const found = text.indexOf(next);
      if (found < 0) break;
      text = text.slice(found + next.length);
      count += 1;
    }
    trap.passed.set(client, { count, tail: text.slice(-LONGEST_TEXT) });
    return false;
  }

  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname);
    const connection: { held?: Point['hold'] } = {};
    connections.add(connection);
    client.on('close', () => connections.delete(connection));
    client.on('data', (chunk) => {
      if (isReached(client, chunk) && trap) {
        connection.held = trap.hold;
        trap.spring();
        trap = undefined;
      }
      if (connection.held !== 'request') upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (connection.held !== 'answer') client.write(chunk);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    address,
    through(url) {
      const changed = new URL(url);
      changed.host = address;
      return changed.href;
    },
    hold(point) {
      const { promise, resolve } = Promise.withResolvers<void>();
      trap = { ...point, spring: resolve, passed: new WeakMap() };
      return { reached: promise };
    },
    holdAll(direction) {
      for (const connection of connections) connection.held = direction;
    },
    drop() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
