import type { FastifyBaseLogger } from 'fastify';
import type { ApiContext } from './context.ts';

/** Asks for the sending of a lane. The answer does not wait for it: what stays unsent, the Schedule sends. */
export function sendSoon(api: Pick<ApiContext, 'mail'>, lane: string, log: FastifyBaseLogger): void {
  api.mail.send(lane).catch((error) => {
    log.warn({ err: error, lane }, 'Written, but its sending is left to the Schedule email-leftovers');
  });
}
