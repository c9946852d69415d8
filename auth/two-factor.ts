/** The authenticator apps of people, whose secrets better-auth keeps encrypted, and the time steps of their codes. */
import { createOTP } from '@better-auth/utils/otp';
import type { Database } from '../db/client.ts';
import { findTwoFactor, peopleWithTwoFactor, replaceEncrypted } from '../db/two-factor.ts';
import { decrypt, encrypt, isSame, type Secrets } from './secrets.ts';

/** Of better-auth's codes, in milliseconds. */
const STEP_MS = 30_000;

interface AuthenticatorApp {
  /** Of its row. */
  id: string;
  secret: string;
  /** Whether it was encrypted anew just now. */
  renewed: boolean;
}

/**
 * The app of a person, also one that is not confirmed yet; null where they have none. Better-auth knows only today's
 * AUTH_SECRET, so that what a fallback has encrypted is encrypted anew; `unreadable` where neither fits.
 */
export async function openApp(
  db: Database,
  secrets: Secrets,
  personId: string,
): Promise<AuthenticatorApp | 'unreadable' | null> {
  const row = await findTwoFactor(db, personId);
  if (!row) return null;
  const secret = await decrypt(secrets, row.secret);
  const backupCodes = await decrypt(secrets, row.backupCodes);
  if (!secret || !backupCodes) return 'unreadable';
  const renewed = secret.byFallback || backupCodes.byFallback;
  if (renewed) {
    const encrypted = {
      secret: await encrypt(secrets, secret.text),
      backupCodes: await encrypt(secrets, backupCodes.text),
    };
    // Otherwise a backup code was used this moment, or the app set up anew.
    if (!(await replaceEncrypted(db, row, encrypted))) return openApp(db, secrets, personId);
  }
  return { id: row.id, secret: secret.text, renewed };
}

/** Encrypts anew what fallbacks have encrypted. Of `unreadable` people neither AUTH_SECRET nor a fallback fits. */
export async function renewAll(
  db: Database,
  secrets: Secrets,
): Promise<{ renewed: number; unreadable: string[] }> {
  const all = { renewed: 0, unreadable: [] as string[] };
  for (const personId of await peopleWithTwoFactor(db)) {
    const app = await openApp(db, secrets, personId);
    if (app === 'unreadable') all.unreadable.push(personId);
    else if (app?.renewed) all.renewed++;
  }
  return all;
}

/**
 * The time step (RFC 6238) that a code of six digits is of; null where it is wrong. Better-auth takes that of now, the one
 * before and the one after. Should a code be of two of them, the later one is meant: it counts once for both.
 */
export async function timeStepOf(secret: string, code: string): Promise<number | null> {
  const now = Math.floor(Date.now() / STEP_MS);
  const given = Buffer.from(code);
  const otp = createOTP(secret);
  for (const step of [now + 1, now, now - 1]) {
    if (isSame(given, Buffer.from(await otp.hotp(step)))) return step;
  }
  return null;
}
