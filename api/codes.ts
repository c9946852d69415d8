/** Codes of authenticator apps. */
import { type AuthAnswer, askAuth } from './better-auth.ts';
import type { ApiContext } from './context.ts';

/**
 * Has better-auth check a code or a backup code of a person, who is signed in or signing in by the headers' cookies; null:
 * nobody is. Besides better-auth's, the answer's code may be `AUTH_SECRET_CHANGED`.
 */
export async function verifyCode(
  { auth }: ApiContext,
  headers: Headers,
  personId: string | null,
  { code, backupCode }: { code?: string | undefined; backupCode?: string | undefined },
): Promise<AuthAnswer> {
  const app = personId === null ? null : await auth.appOf(personId);
  if (app === 'unreadable') return refused('AUTH_SECRET_CHANGED');
  if (code === undefined) {
    const body = { code: backupCode ?? '' };
    return askAuth(auth.api.verifyBackupCode({ body, headers, asResponse: true }));
  }
  return askAuth(auth.api.verifyTOTP({ body: { code }, headers, asResponse: true }));
}

function refused(code: string): AuthAnswer {
  return { ok: false, code, body: {}, location: null, cookies: [] };
}
