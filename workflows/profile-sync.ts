/** The rules of the profile's way to Meta: an edit is ours at once, and reaches Meta after it. Pure, as `lifecycle.ts`. */
import type { Sync } from '../contract/facebook.ts';
import type { Changes } from '../contract/fields.ts';
import type { NumberState } from '../contract/number.ts';
import { askedFor, isSameName } from './at-facebook.ts';
import type { Circumstances, Command, Outcome } from './lifecycle.ts';
import { step } from './transition.ts';

/** Of these Meta knows nothing. */
const OURS_ALONE = ['incomingUrl', 'callbackProfileId'];

/**
 * An edit of what Meta shows is on its way there; `sync` is null where the profile never goes there. Whoever edits a
 * field that Meta shows otherwise has chosen.
 */
export function markUnsent(sync: Sync | null, edited: string[], now: string): Sync | null {
  if (sync === null || edited.every((field) => OURS_ALONE.includes(field))) return sync;
  const differences = sync.differences.filter(({ field }) => !edited.includes(field));
  return { state: 'pending', reason: null, at: now, differences };
}

/** Fields of an edit that Meta shows otherwise: to name one is to choose, also where it stays as it is here. */
export function chosenBy(sync: Sync | null, changes: Changes): string[] {
  const named = Object.keys(changes);
  return (sync?.differences ?? []).map(({ field }) => field).filter((field) => named.includes(field));
}

/** The profile has reached Meta as it is, or why it has not. */
export function takeSync(
  state: NumberState,
  command: Command & { type: 'sync' },
  at: Circumstances,
): Outcome {
  const { sync: before } = state;
  const { result } = command;
  if (before === null) return { refused: 'not_approved' };
  if (result.done) {
    if (before.state === 'synced') return { state, events: [] };
    // What nobody has chosen about was not pushed.
    const sync: Sync = { ...before, state: 'synced', reason: null, at: at.now };
    return step({ ...requested(state, at.now), sync, updatedAt: at.now }, 'synced', command, null);
  }
  const { message: reason } = result.problem;
  if (before.state === 'failed' && before.reason === reason) return { state, events: [] };
  const sync: Sync = { ...before, state: 'failed', reason, at: at.now };
  return step({ ...state, sync, updatedAt: at.now }, 'sync.failed', command, null, { reason });
}

/** A display name that was edited was asked for with the rest of the profile; what WhatsApp shows Meta decides. */
function requested(state: NumberState, now: string): NumberState {
  const { whatsappName: known, profile } = state;
  const requestedName = profile.displayName;
  if (known === null || isSameName(known.requestedName ?? known.name, requestedName)) return state;
  return { ...state, whatsappName: askedFor(known, requestedName, now) };
}
