/** What is to be done at Meta next, and when something comes due there: follows from a number's state. Pure. */
import { type CodeMethod, isHeldUp, isUnshown } from '../contract/facebook.ts';
import type { NumberState } from '../contract/number.ts';
import { CUSTOMER_DUE_MS, CUSTOMER_REMINDER_MS, isAtFacebook, waitsForCustomer } from './at-facebook.ts';

export type Task =
  | { do: 'addNumber' | 'readNumber' | 'pushProfile' | 'deregister' }
  | { do: 'requestCode'; method: CodeMethod }
  /** `since`: registered anew where it was not since then; null for the first time. */
  | { do: 'register'; since: string | null };

/** What a lane knows beside the state: not worth a revision, and found out again where it is lost. */
export interface LaneMemory {
  /** Whether a number whose details are verified is brought to Meta by itself. */
  isWanted: boolean;
  isAdded: boolean;
  /** It may be registered at Meta. */
  isRegistered: boolean;
  /** A push that failed is to be tried again. */
  isPushDue: boolean;
}

export function nextTask(state: NumberState, memory: LaneMemory): Task | null {
  const { facebook, sync, status, whatsappName } = state;
  if (status === 'RELEASED' || status === 'WITHDRAWN') {
    return memory.isRegistered ? { do: 'deregister' } : null;
  }
  if (!isAtFacebook(state)) return null;
  if (sync?.state === 'pending' || (sync?.state === 'failed' && memory.isPushDue))
    return { do: 'pushProfile' };
  if (facebook === null) {
    const isOnTheWay = sync === null && memory.isWanted;
    return isOnTheWay ? adding(memory, null) : null;
  }
  if (facebook.turn !== 'facebook' || facebook.problem !== null) return null;
  switch (facebook.step) {
    case 'add':
      return adding(memory, facebook.codeMethod);
    case 'code':
      return { do: 'requestCode', method: facebook.codeMethod ?? 'SMS' };
    case 'register': {
      const isAnew = sync !== null || isUnshown(whatsappName);
      return { do: 'register', since: isAnew ? facebook.since : null };
    }
    case 'connect':
      return { do: 'readNumber' };
    case 'name':
      return null;
  }
}

function adding({ isAdded }: LaneMemory, method: CodeMethod | null): Task {
  return isAdded ? { do: 'requestCode', method: method ?? 'SMS' } : { do: 'addNumber' };
}

/** When something comes due by itself: `at` in milliseconds since 1970. */
export interface Alarm {
  kind: 'go-on' | 'remind' | 'expire' | 'push';
  at: number;
}

/** `remindedOf`: since when that was awaited of which the customer was reminded. `pushAt`: of a push that failed. */
export function nextAlarm(
  state: NumberState,
  { remindedOf, pushAt }: { remindedOf: string | null; pushAt: number | null },
): Alarm | null {
  const { facebook, sync } = state;
  if (!isAtFacebook(state)) return null;
  const alarms: Alarm[] = [];
  const until = isHeldUp(state) ? facebook?.problem?.until : null;
  if (until) alarms.push({ kind: 'go-on', at: Date.parse(until) });
  if (facebook && waitsForCustomer(state)) {
    const since = Date.parse(facebook.since);
    alarms.push(
      remindedOf === facebook.since
        ? { kind: 'expire', at: since + CUSTOMER_DUE_MS }
        : { kind: 'remind', at: since + CUSTOMER_REMINDER_MS },
    );
  }
  if (sync?.state === 'failed' && pushAt !== null) alarms.push({ kind: 'push', at: pushAt });
  return alarms.sort((one, other) => one.at - other.at)[0] ?? null;
}
