/** How a step can end otherwise than done. */
import type { FacebookProblem, FacebookTurn } from '../contract/facebook.ts';

/** Somebody has to act, or Meta lets nobody go on before a time that the problem names. */
export interface Stopped {
  done: false;
  turn: FacebookTurn;
  problem: FacebookProblem;
}

export function stopped(turn: FacebookTurn, problem: FacebookProblem): Stopped {
  return { done: false, turn, problem };
}

/** Passes by itself: the step is to be tried again, after so many milliseconds or, where null, with the usual back-off. */
export class TryLater extends Error {
  override name = 'TryLater';
  readonly retryAfterMs: number | null;
  /** Until then no call of the connection is taken, whatever number it is about. */
  readonly isOfConnection: boolean;

  constructor(message: string, retryAfterMs: number | null, { isOfConnection = false } = {}) {
    super(message);
    this.retryAfterMs = retryAfterMs;
    this.isOfConnection = isOfConnection;
  }
}
