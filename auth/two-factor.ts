/** The authenticator apps of people, whose secrets better-auth keeps encrypted. */
import type { Database } from '../db/client.ts';
import { findTwoFactor, peopleWithTwoFactor, replaceEncrypted } from '../db/two-factor.ts';
import { decrypt, encrypt, type Secrets } from './secrets.ts';

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
