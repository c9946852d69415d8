/** What each step begins and ends with: the number with its connection, and what an error of Meta's means. */
import type { FacebookProblem } from '../contract/facebook.ts';
import type { MetaConnectionRow } from '../db/meta-connections.ts';
import { findNumberAtMeta, type MetaNumberRow } from '../db/meta-numbers.ts';
import type { NumberRow } from '../db/number-row.ts';
import { connectionOf, stopCalls, tokenOf } from './connections.ts';
import type { MetaDeps } from './deps.ts';
import { GraphError } from './graph-error.ts';
import { meaningOf, ownProblem } from './meanings.ts';
import { type Stopped, stopped, TryLater } from './outcome.ts';

export interface AtMeta extends MetaDeps {
  number: NumberRow;
  meta: MetaNumberRow;
  /** Meta's id of the number. */
  id: string;
  connection: MetaConnectionRow;
  token: string;
}

/** Does a step for a number that Meta has. Throws TryLater. */
export async function inStep<T>(
  deps: MetaDeps,
  numberId: string,
  work: (at: AtMeta) => Promise<T>,
): Promise<T | Stopped> {
  const found = await findNumberAtMeta(deps.db, numberId);
  const connection = found && (await connectionOf(deps, found));
  const { number, meta } = found ?? {};
  if (!number || !meta?.phoneNumberId || !connection) return stopped('operator', notAdded());
  const token = await tokenOf(deps, connection);
  if (typeof token !== 'string') return token;
  const at = { ...deps, number, meta, id: meta.phoneNumberId, connection, token };
  return judging(deps, { number, connection }, () => work(at));
}

function notAdded(): FacebookProblem {
  return ownProblem('The number is not in a WhatsApp Business Account that is connected here.');
}

/** Runs calls to Meta; an error of theirs becomes a turn, stops the token, or is to be tried again (TryLater). */
export async function judging<T>(
  deps: MetaDeps,
  { number, connection }: Pick<AtMeta, 'number' | 'connection'>,
  work: () => Promise<T>,
): Promise<T | Stopped> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    const meaning = meaningOf(error);
    const about = { numberId: number.id, connectionId: connection.id, ...error.toJSON() };
    deps.logger.warn(about, 'A step at Meta did not go through');
    switch (meaning.kind) {
      case 'passes':
        throw new TryLater(error.message, meaning.waitMs, meaning);
      case 'token':
        return stopCalls(deps, connection, { state: meaning.state, error });
      case 'turn':
        return stopped(meaning.turn, meaning.problem);
    }
  }
}

/** Whether Meta refused a call with one of these codes. */
export function isRefusal(error: unknown, ...codes: number[]): boolean {
  return error instanceof GraphError && error.code !== null && codes.includes(error.code);
}

/** Meta does not know the id any more, or shows it to others only. */
export function isUnknownObject(error: unknown): boolean {
  return error instanceof GraphError && error.code === 100 && error.subcode === 33;
}
