/**
 * Run as a child process: sends signed webhooks at a rate, as Meta does. What is not answered with 200 is sent again, at
 * once and then less often.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { bodyOf, EVENTS_PER_REQUEST, type Phase, planTraffic } from './traffic.ts';

export interface Load {
  /** Where the webhook endpoint is. */
  origin: string;
  appSecret: string;
  /** Place of the first event in the run. */
  first: number;
  phase: Phase;
}

/** Milliseconds since 1970, by request. */
export interface Sent {
  /** The first try of it. */
  sentAt: Float64Array;
  /** With 200. */
  answeredAt: Float64Array;
  /** Milliseconds from when it was due to its answer. */
  took: Float64Array;
  repeated: number;
}

export type FromLoad = { sent: Sent } | { failed: string };

const CONNECTIONS = 64;
const ANSWER_MS = 20_000;
/** Before the second, third, … try; the last for all others. */
const PAUSES_MS = [0, 250, 500, 1_000, 2_000];
const GIVE_UP_MS = 120_000;

const traffic = planTraffic(JSON.parse(process.env['PHASES'] ?? '[]') as Phase[]);

process.on('message', async (load: Load) => {
  const answer: FromLoad = await run(load).then(
    (sent) => ({ sent }),
    (error: unknown) => ({ failed: String(error) }),
  );
  process.send?.(answer);
});
// Without the benchmark there is nobody to send for.
process.on('disconnect', () => process.exit());

async function run({ origin, appSecret, first, phase }: Load): Promise<Sent> {
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  });
  const count = Math.ceil(phase.events / EVENTS_PER_REQUEST);
  const times = () => new Float64Array(count).fill(Number.NaN);
  const sent: Sent = { sentAt: times(), answeredAt: times(), took: times(), repeated: 0 };
  const startedAt = now();
  const send = async (nth: number, dueAt: number) => {
    const body = bodyOf(traffic, first + nth * EVENTS_PER_REQUEST, new Date());
    const signature = createHmac('sha256', appSecret).update(body).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
    sent.sentAt[nth] = now();
    for (let tries = 0; !(await isTaken(pool, body, headers)); tries++) {
      if (now() > dueAt + GIVE_UP_MS) throw new Error('A webhook was not taken for two minutes');
      sent.repeated += 1;
      await sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]);
    }
    sent.answeredAt[nth] = now();
    // An answer that is late counts from when its request was due.
    sent.took[nth] = now() - dueAt;
  };
  const sending: Promise<void>[] = [];
  for (let nth = 0; nth < count; nth++) {
    const dueAt = startedAt + (nth * 1_000) / phase.requestsPerSecond;
    const left = dueAt - now();
    if (left > 0) await sleep(left);
    sending.push(send(nth, dueAt));
  }
  await Promise.all(sending);
  await pool.close();
  return sent;
}

/** False where the endpoint cannot say so now. Throws where it says that it never will. */
async function isTaken(pool: Pool, body: string, headers: Record<string, string>): Promise<boolean> {
  let status: number;
  let text: string;
  try {
    const answer = await pool.request({ method: 'POST', path: '/webhooks/meta', headers, body });
    status = answer.statusCode;
    text = await answer.body.text();
  } catch {
    return false;
  }
  if (status !== 200 && status < 500) throw new Error(`A webhook was answered ${status}: ${text}`);
  return status === 200;
}

/** Comparable between processes. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
