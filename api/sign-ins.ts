/** What came of a sign-in: told to who tried it, and noted in the audit log. */
import type { FastifyRequest } from 'fastify';
import { recordAudit } from '../db/audit.ts';
import { findSession } from '../db/sessions.ts';
import { findTwoFactor } from '../db/two-factor.ts';
import { originOf } from './audit.ts';
import type { AuthAnswer } from './better-auth.ts';
import { actorOf } from './callers.ts';
import { CODE_USED } from './codes.ts';
import type { ApiContext } from './context.ts';
import { ProblemError } from './problems.ts';

const AGAIN = 'The sign-in with the password has ended. Begin again: POST /v1/session.';

const WRONG_CODE =
  'This is not the code of now. Check the clock of the phone and send the next one, or a backup code that was not used yet.';

const ANEW =
  'Your authenticator app and backup codes are not valid any more. Ask an operator to take two-factor authentication away, and set it up anew.';

/** What better-auth refuses for, and we beside it, as we tell it. Everything else answers like a wrong password. */
const REFUSALS: Record<string, () => ProblemError> = {
  EMAIL_NOT_VERIFIED: () => new ProblemError('email_not_verified'),
  BANNED_USER: () => new ProblemError('forbidden', { detail: 'This person is disabled. Ask an operator.' }),
  INVALID_TWO_FACTOR_COOKIE: () => new ProblemError('wrong_credentials', { detail: AGAIN }),
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: () => new ProblemError('wrong_credentials', { detail: AGAIN }),
  CODE_USED: () => new ProblemError('wrong_credentials', { detail: CODE_USED }),
  AUTH_SECRET_CHANGED: () => new ProblemError('wrong_credentials', { detail: ANEW }),
  INVALID_CODE: () => new ProblemError('wrong_credentials', { detail: WRONG_CODE }),
  INVALID_BACKUP_CODE: () => new ProblemError('wrong_credentials', { detail: WRONG_CODE }),
};

/** Better-auth takes no codes of a person for 15 minutes after ten wrong ones. */
async function locked({ db }: ApiContext, personId: string | null): Promise<ProblemError> {
  const until = personId === null ? null : (await findTwoFactor(db, personId))?.lockedUntil;
  const seconds = Math.max(1, Math.ceil(((until?.getTime() ?? 0) - Date.now()) / 1000));
  return new ProblemError('rate_limited', {
    detail: `Too many wrong codes in a row: no code counts for now. Begin again in ${seconds} seconds: POST /v1/session.`,
    headers: { 'retry-after': String(seconds) },
  });
}

/** Throws, after noting it. */
export async function refuse(
  api: ApiContext,
  request: FastifyRequest,
  { code }: Pick<AuthAnswer, 'code'>,
  of: { personId: string | null; email?: string },
): Promise<never> {
  const by = of.email === undefined ? 'two-factor' : 'password';
  await noteRefusal(api, request, { ...of, by, why: code });
  if (code === 'ACCOUNT_TEMPORARILY_LOCKED') throw await locked(api, of.personId);
  throw REFUSALS[code]?.() ?? new ProblemError('wrong_credentials');
}

/** Notes a sign-in that was refused. `why`: better-auth's word, or the provider's, which may be anything. */
export async function noteRefusal(
  api: ApiContext,
  request: FastifyRequest,
  of: { personId: string | null; email?: string; by: 'password' | 'two-factor' | 'oidc'; why: string },
): Promise<void> {
  const { personId, ...data } = of;
  await recordAudit(api.db, {
    ...originOf(request),
    type: of.by === 'two-factor' ? 'two-factor.refused' : 'session.refused',
    actor: null,
    targetId: personId,
    data: { ...data, why: data.why.slice(0, 64).toWellFormed().toLowerCase().replaceAll('_', '-') },
  });
}

/** Notes a session that was just started; null where it has ended already: the person was disabled this moment. */
export async function noteStart(
  api: ApiContext,
  request: FastifyRequest,
  cookies: string[],
  by: 'password' | 'two-factor' | 'backup-code' | 'oidc',
) {
  const found = await findSession(api.db, api.auth.startedBy(cookies) ?? '');
  if (!found) return null;
  const { person } = found;
  await recordAudit(api.db, {
    ...originOf(request),
    type: 'session.started',
    actor: actorOf(person),
    targetId: person.id,
    data: { by },
  });
  return found;
}
