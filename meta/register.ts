import { randomInt } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { decrypt, encrypt } from '../auth/secrets.ts';
import type { StepResult } from '../contract/facebook.ts';
import { isHeldLive } from '../db/meta-news.ts';
import { changeMetaNumber, findNumberAtMeta, pinOrDrawn } from '../db/meta-numbers.ts';
import {
  endOf,
  isUnderWay,
  noteRefused,
  REGISTRATIONS,
  reserveRegistration,
} from '../db/meta-registrations.ts';
import type { Node } from './answers.ts';
import { type AtMeta, inStep, isUnknownObject } from './at-meta.ts';
import type { MetaDeps } from './deps.ts';
import { GraphError } from './graph-error.ts';
import { meaningOf, ownProblem } from './meanings.ts';
import { type Stopped, stopped, TryLater } from './outcome.ts';
import { isRegistered } from './read.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How long a number that was just verified may be without a name status before registering is tried all the same. */
const PROVISIONING_MS = 10 * MINUTE;
/** The pause after a registration that did not go through, by how many were counted before: the last are left for later. */
const PAUSES = [0, 0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 12 * HOUR];

/** `again`: Meta wants the number to be verified once more before it is registered. */
export type RegisterResult = StepResult & { again?: 'code' };

/**
 * Registers a number within its budget. One that is registered is left so; with `since` (RFC 3339) it is registered
 * again, as an approved change of its name needs, unless that is known to have been done after that time.
 */
export async function register(
  deps: MetaDeps,
  { numberId, since = null }: { numberId: string; since?: string | null },
): Promise<RegisterResult> {
  return inStep(deps, numberId, async (at): Promise<RegisterResult> => {
    const { db, graph, token, id, number, meta } = at;
    const node = await graph.readNumber(token, id);
    const isDone =
      since === null ? isRegistered(node) : meta.registeredAt !== null && meta.registeredAt > new Date(since);
    if (isDone) {
      const isNew = !meta.registeredAt || meta.deregisteredAt;
      if (isNew && (await isUnderWay(db, number.mobileNumber, 'deregister'))) throw underWay();
      if (isNew) await noteRegistered(at);
      else await changeMetaNumber(db, number.id, { readAt: sql`now()` });
      return { done: true };
    }
    waitForProvisioning(at, node);
    const pin = await pinOf(at);
    if (typeof pin !== 'string') return pin;
    const refused = await spend(at, 'register', () => graph.register(token, id, pin));
    if (refused instanceof GraphError) {
      const meaning = meaningOf(refused);
      if (refused.code !== 133006 || meaning.kind !== 'turn') throw refused;
      // Nobody can enter a code where Meta says that none is needed: it does not agree with itself yet.
      if (node.code_verification_status === 'VERIFIED') throw new TryLater(refused.message, 5 * MINUTE);
      await changeMetaNumber(db, number.id, { verifiedAt: null });
      return { ...stopped('customer', meaning.problem), again: 'code' };
    }
    if (refused) return refused;
    await noteRegistered(at);
    return { done: true };
  });
}

/** Whoever had the number before may have asked, or a step that was cancelled: what Meta shows is not what it will be. */
function underWay(): TryLater {
  return new TryLater('An earlier call may be on its way to Meta.', 15_000);
}

/** Ends a number's registration, within the same budget. One that a live number has now stays. */
export async function deregister(deps: MetaDeps, { numberId }: { numberId: string }): Promise<StepResult> {
  const found = await findNumberAtMeta(deps.db, numberId);
  if (!found?.meta?.phoneNumberId || (await isHeldLive(deps.db, found.meta))) return { done: true };
  // What is left of it then, the readings end.
  await changeMetaNumber(deps.db, numberId, { readAt: sql`now() + interval '15 minutes'` });
  return inStep(deps, numberId, async (at): Promise<StepResult> => {
    const { db, graph, token, id, number, meta } = at;
    const node = await graph.readNumber(token, id).catch((error: unknown) => {
      if (isUnknownObject(error)) return null;
      throw error;
    });
    if (node && !isRegistered(node) && (await isUnderWay(db, number.mobileNumber, 'register'))) {
      throw underWay();
    }
    if (node && isRegistered(node)) {
      // Submitted anew while Meta was slow.
      if (await isHeldLive(db, meta)) return { done: true };
      const refused = await spend(at, 'deregister', () => graph.deregister(token, id));
      if (refused instanceof GraphError && refused.code !== 133010) throw refused;
      if (refused && !(refused instanceof GraphError)) return refused;
    }
    await changeMetaNumber(db, number.id, { deregisteredAt: sql`now()`, readAt: null, code: null });
    return { done: true };
  });
}

async function noteRegistered({ db, number }: AtMeta): Promise<void> {
  await changeMetaNumber(db, number.id, {
    registeredAt: sql`now()`,
    deregisteredAt: null,
    readAt: sql`now()`,
  });
}

/** Counts a call before it is made. Null: it went through. Throws TryLater where it may go through later. */
async function spend(
  { db, number }: AtMeta,
  kind: 'register' | 'deregister',
  call: () => Promise<void>,
): Promise<GraphError | Stopped | null> {
  const reserved = await reserveRegistration(db, number.mobileNumber, kind);
  if ('until' in reserved) return usedUp(reserved.until);
  try {
    await call();
    return null;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    if (error.code !== null) await noteRefused(db, reserved.seq, error.code);
    if (error.code === 133016) {
      const { problem } = usedUp(endOf(new Date()));
      const { code, subcode, fbtraceId } = error;
      return stopped('operator', { ...problem, code, subcode, fbtraceId });
    }
    const meaning = meaningOf(error);
    // What a wrong certificate wants is another registration.
    if (meaning.kind !== 'passes' && error.code !== 131045) return error;
    const asked = meaning.kind === 'passes' ? (meaning.waitMs ?? 0) : 0;
    const wait = Math.max(asked, PAUSES[reserved.before] ?? 0);
    throw new TryLater(error.message, wait || null);
  }
}

function usedUp(until: Date): Stopped {
  const words = `Meta takes ${REGISTRATIONS} registrations of a number in 72 hours, and they are used up. It goes on by itself when there may be another.`;
  return stopped('operator', ownProblem(words, until));
}

/** Registering a number that Meta has not set up yet fails, and counts. Its name has a status once it is set up. */
function waitForProvisioning({ meta }: AtMeta, { name_status: status }: Node): void {
  if (status !== undefined && status !== 'NONE' && status !== 'NON_EXISTS') return;
  const since = meta.verifiedAt ? Date.now() - meta.verifiedAt.getTime() : PROVISIONING_MS;
  if (since >= PROVISIONING_MS) return;
  throw new TryLater('Meta has not set the number up yet.', Math.min(Math.max(since, 2_000), MINUTE));
}

/** Drawn once, and kept before Meta is told: otherwise nobody would know it after a crash. */
async function pinOf(at: AtMeta): Promise<string | Stopped> {
  const { db, secrets, number, meta, logger } = at;
  if (!secrets) throw new Error('Meta is not configured.');
  const drawn = () => String(randomInt(1_000_000)).padStart(6, '0');
  const kept = meta.pin ?? (await pinOrDrawn(db, number.id, await encrypt(secrets, drawn())));
  const pin = await decrypt(secrets, kept);
  if (pin) return pin.text;
  logger.error({ numberId: number.id }, 'Neither AUTH_SECRET nor a fallback fits the PIN of a number');
  return stopped(
    'operator',
    ownProblem('The PIN cannot be decrypted: AUTH_SECRET is another one than before.'),
  );
}
