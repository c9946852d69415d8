import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import { Fault } from './fault.ts';

/** The ports of the stack and their defaults, by the variable that sets them. */
const DEFAULTS = {
  PORT: 3000,
  METRICS_PORT: 9464,
  TEMPORAL_PORT: 7233,
  TEMPORAL_UI_PORT: 8233,
  POSTGRES_PORT: 5433,
  SMTP_PORT: 1025,
  MAIL_PORT: 8025,
  META_PORT: 8026,
  ENDPOINT_PORT: 8027,
} as const;

export type PortName = keyof typeof DEFAULTS;
export type Ports = Record<PortName | 'WORKER_METRICS_PORT' | 'DELIVERY_METRICS_PORT', number>;

/** UDP sockets by port: this process's claims on the TCP ports of the same number. */
const claims = new Map<number, Socket>();

/**
 * Takes a port for a part that will listen later, and for its restarts: other stacks see the claim, which
 * ends with this process. False when the port is in use or claimed.
 */
async function claim(port: number): Promise<boolean> {
  if (!(await listens(port))) return false;
  if (claims.has(port)) return true;
  const socket = createSocket('udp4');
  const bound = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
  if (!bound) return false;
  socket.unref();
  claims.set(port, socket);
  return true;
}

/** Whether a server can listen on the port now. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/**
 * A free port below the range that systems hand to outgoing connections: one picked from that range could
 * be taken by a connection while its part is being restarted.
 */
async function freePort(taken: Set<number>): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(20_000, 32_000);
    if (!taken.has(port) && (await claim(port))) return port;
  }
  throw new Fault('No free port was found between 20000 and 32000.');
}

/**
 * Decides all ports. A port that was asked for and is taken is a `Fault`; 0 asks for any free one; a taken
 * default gives way to a free one, which `say` tells. `unused` are ports of parts that are not started.
 */
export async function choosePorts(
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
  unused: ReadonlySet<PortName> = new Set(),
): Promise<Ports> {
  const taken = new Set<number>();
  const choose = async (name: PortName): Promise<number> => {
    const text = env[name];
    const preferred = DEFAULTS[name];
    if (text) {
      const port = Number(text);
      if (!Number.isInteger(port) || port < 0 || port > 65_535) {
        throw new Fault(
          `${name}=${text} is not a port. Set it to a number from 0 to 65535; 0 picks a free one.`,
        );
      }
      if (port === 0) return freePort(taken);
      if (taken.has(port) || !(await claim(port))) {
        throw new Fault(
          `${name}=${port}: this port is taken. Set ${name} to another one, or to 0 for any free one.`,
        );
      }
      return port;
    }
    if (!taken.has(preferred) && (await claim(preferred))) return preferred;
    const port = await freePort(taken);
    say(`Port ${preferred} (${name}) is taken; using ${port} instead.`);
    return port;
  };
  const ports: Partial<Ports> = {};
  // What was asked for comes first, so that no free choice takes it away.
  const names = Object.keys(DEFAULTS) as PortName[];
  for (const name of names.toSorted((a, b) => Number(!Number(env[a])) - Number(!Number(env[b])))) {
    if (unused.has(name)) {
      ports[name] = 0;
      continue;
    }
    const port = await choose(name);
    taken.add(port);
    ports[name] = port;
  }
  const WORKER_METRICS_PORT = await freePort(taken);
  const DELIVERY_METRICS_PORT = await freePort(taken.add(WORKER_METRICS_PORT));
  return { ...(ports as Record<PortName, number>), WORKER_METRICS_PORT, DELIVERY_METRICS_PORT };
}
