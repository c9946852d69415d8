/** Codes of authenticator apps: better-auth takes one for as long as it is valid, we take it once. */
import { timeStepOf } from '../auth/two-factor.ts';
import { giveBackTimeStep, takeTimeStep } from '../db/two-factor.ts';
import { type AuthAnswer, askAuth } from './better-auth.ts';
import type { ApiContext } from './context.ts';

export const CODE_USED = 'This code was used already. Wait for the next one.';
/** What better-auth never takes, but counts as a try. */
const WRONG = '';

/**
 * Has better-auth check a code or a backup code of a person, who is signed in or signing in by the headers' cookies; null:
 * nobody is. Besides better-auth's, the answer's code may be `CODE_USED` or `AUTH_SECRET_CHANGED`.
 */
export async function verifyCode(
  { auth, db }: ApiContext,
  headers: Headers,
  personId: string | null,
  { code, backupCode }: { code?: string | undefined; backupCode?: string | undefined },
): Promise<AuthAnswer> {
  const app = personId === null ? null : await auth.appOf(personId);
  if (app === 'unreadable') return refused('AUTH_SECRET_CHANGED');
  if (code === undefined) {
    // Of backup codes, better-auth lets one request take each.
    const body = { code: backupCode ?? WRONG };
    return askAuth(auth.api.verifyBackupCode({ body, headers, asResponse: true }));
  }
  const verify = (code: string) =>
    askAuth(auth.api.verifyTOTP({ body: { code }, headers, asResponse: true }));
  const step = app && (await timeStepOf(app.secret, code));
  // Not as it was sent: by now it might be right, and nobody would have taken it.
  if (!app || step === null) return verify(WRONG);
  // Taken before it is accepted, so that of two requests at once only one gets there.
  if (!(await takeTimeStep(db, app.id, step))) return refused('CODE_USED');
  const answer = await verify(code);
  if (!answer.ok) await giveBackTimeStep(db, app.id, step);
  return answer;
}

function refused(code: string): AuthAnswer {
  return { ok: false, code, body: {}, location: null, cookies: [] };
}
