/** What several routes say about targets: what is in the way at one, and how much an account may ask to be sent. */
import type { ProblemCode } from '../contract/errors.ts';
import type { Transaction } from '../db/client.ts';
import type { Obstacle } from '../db/obstacles.ts';
import { SENDS_PER_HOUR, sendsLeft } from '../db/requested-sends.ts';
import type { ApiContext } from './context.ts';
import { type Answer, give } from './idempotency.ts';
import { ProblemError } from './problems.ts';

const OBSTACLES: Record<Obstacle, { code: ProblemCode; detail?: string }> = {
  'no-url': {
    code: 'no_target',
    detail: 'The number has no Incoming URL. Edit the number to give it one, and repeat the request.',
  },
  'not-approved': {
    code: 'not_approved',
    detail:
      'Nothing is sent to the Incoming URL of a number that is not approved. Repeat the request when it is.',
  },
  'no-profile': {
    code: 'no_target',
    detail: 'The callback profile was deleted. What was to go there is in GET /v1/events.',
  },
  paused: {
    code: 'no_target',
    detail: 'The callback profile is not active. Set its `active` to true, and repeat the request.',
  },
  off: { code: 'target_off' },
};

/** That nothing is sent there now, and what to do. */
export function obstacleProblem(obstacle: Obstacle): ProblemError {
  const { code, detail } = OBSTACLES[obstacle];
  return new ProblemError(code, detail === undefined ? {} : { detail });
}

/** How many sends the account may ask for, one at least. Thrown, never stored for an Idempotency-Key, beyond them. */
export async function needSends(tx: Transaction, accountId: string): Promise<number> {
  const { left, until } = await sendsLeft(tx, accountId);
  if (left > 0) return left;
  const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000));
  throw new ProblemError('rate_limited', {
    detail: `An account replays, and tests, at most ${SENDS_PER_HOUR} deliveries an hour. Repeat the request after the seconds of Retry-After.`,
    headers: { 'retry-after': String(seconds) },
  });
}

/** Gives an answer whose `secret` is sealed, as it is stored for a repeat. */
export async function giveSecret<R extends object>(
  { targetSecrets }: ApiContext,
  reply: R,
  answer: Answer,
): Promise<R> {
  if (answer.status >= 400) return give(reply, answer);
  const body = answer.body as { secret: string };
  const secret = await targetSecrets.open(body.secret);
  if (secret === null)
    throw new Error('The secret of an answer was sealed under an AUTH_SECRET that is gone');
  return give(reply, { ...answer, body: { ...body, secret } });
}
