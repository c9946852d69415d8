/** Run as a child process: all targets that answer, each by its path, and what has arrived there. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { conditionOf, EVENT_MARK, type Phase, planTraffic, targetOf } from './traffic.ts';

export interface Arrivals {
  /** Milliseconds since 1970, by event: the first time it came. NaN: never. */
  firstAt: Float64Array;
  /** How often, by event. */
  times: Uint16Array;
  /** Came again with another `webhook-id`. */
  otherId: number;
  /** Came to a target that it is not for, or is no event of the run. */
  strayed: number;
  /** Of those that were looked at. */
  wrongSignature: number;
  verified: number;
}

/** `secrets`: of the targets, by place. */
export type ToTargets = { secrets: string[] } | 'count' | 'arrivals';
/** `delivered`: events that healthy targets have. */
export type FromTargets = { port: number } | { delivered: number } | { arrivals: Arrivals };

const SLOW_MS = 10_000;
/** Each so many a signature is verified. */
const SAMPLE = 50;

const traffic = planTraffic(JSON.parse(process.env['PHASES'] ?? '[]') as Phase[]);
const total = traffic.numbers.length;
const ids: string[] = [];
const arrivals: Arrivals = {
  firstAt: new Float64Array(total).fill(Number.NaN),
  times: new Uint16Array(total),
  otherId: 0,
  strayed: 0,
  wrongSignature: 0,
  verified: 0,
};
let verifiers: Webhook[] = [];
let delivered = 0;
let seen = 0;
const tell = (message: FromTargets) => process.send?.(message);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => take(request, Buffer.concat(chunks), response));
});
// Who forwards decides how long a connection is kept.
server.keepAliveTimeout = 600_000;
server.requestTimeout = 0;

function take(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const target = Number(request.url?.slice('/'.length));
  if (!note(target, request, body)) arrivals.strayed += 1;
  const condition = conditionOf(target);
  if (condition === 'broken') request.socket.resetAndDestroy();
  else if (condition === 'slow') setTimeout(() => response.writeHead(204).end(), SLOW_MS);
  else if (condition === 'healthy') response.writeHead(204).end();
}

/** False where it should not have come. */
function note(target: number, { headers }: IncomingMessage, body: Buffer): boolean {
  const at = performance.timeOrigin + performance.now();
  const mark = body.indexOf(EVENT_MARK);
  const event = Number.parseInt(
    body.toString('latin1', mark + EVENT_MARK.length, mark + EVENT_MARK.length + 10),
    10,
  );
  const number = traffic.numbers[event];
  if (mark < 0 || number === undefined || targetOf(number) !== target) return false;
  const id = String(headers['webhook-id']);
  if (++seen % SAMPLE === 0) verify(target, headers as Record<string, string>, body);
  const times = arrivals.times[event] ?? 0;
  arrivals.times[event] = times + 1;
  if (times === 0) {
    arrivals.firstAt[event] = at;
    ids[event] = id;
    if (conditionOf(target) === 'healthy') delivered += 1;
  } else if (ids[event] !== id) arrivals.otherId += 1;
  return true;
}

function verify(target: number, headers: Record<string, string>, body: Buffer): void {
  arrivals.verified += 1;
  try {
    verifiers[target]?.verify(body, headers);
  } catch {
    arrivals.wrongSignature += 1;
  }
}

process.on('message', (message: ToTargets) => {
  if (message === 'count') tell({ delivered });
  else if (message === 'arrivals') tell({ arrivals });
  else verifiers = message.secrets.map((secret) => new Webhook(secret));
});
// Without the benchmark there is nobody to receive for.
process.on('disconnect', () => process.exit());
server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () =>
  tell({ port: (server.address() as AddressInfo).port }),
);
