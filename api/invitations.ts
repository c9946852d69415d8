/** Accepting an invitation: whoever has its link, and the password of its address, becomes a member. */
import { hashPassword, verifyPassword } from '../auth/passwords.ts';
import { type Acceptance, firstAcceptance } from '../contract/account-fields.ts';
import { type AuditOrigin, recordAudit } from '../db/audit.ts';
import { acceptInvitation, findOpenInvitation, type OpenInvitation } from '../db/invitations.ts';
import { passwordOf } from '../db/people.ts';
import type { ApiContext } from './context.ts';
import { linkNotValid, ProblemError } from './problems.ts';

/** The page that an invitation's email leads to. */
export function invitationLink(api: ApiContext): (token: string) => string {
  return (token) => `${api.wholeUrl}/invitations?token=${token}`;
}

/** Throws `link_not_valid`. */
export async function openInvitation(api: ApiContext, token: string): Promise<OpenInvitation> {
  const invitation = await findOpenInvitation(api.db, token);
  if (!invitation) throw linkNotValid('invitation');
  return invitation;
}

/**
 * Accepts. Somebody new gives a name and gets the password; who has the address already proves it with theirs, so that
 * nobody joins an account by somebody else's open mailbox alone. Nobody is signed in by it: that asks for a second
 * factor where there is one.
 */
export async function accept(
  api: ApiContext,
  token: string,
  body: Acceptance,
  from: Omit<AuditOrigin, 'actor'>,
): Promise<{ invitation: OpenInvitation; personId: string }> {
  const invitation = await openInvitation(api, token);
  const person = invitation.person
    ? await knownPerson(api, invitation, invitation.person, body, from)
    : await newPerson(body);
  // Refused within it, so that the invitation stays open.
  const { personId } = await api.db.transaction(async (tx) => {
    const accepted = await acceptInvitation(tx, invitation, person, from);
    if (accepted === null) throw linkNotValid('invitation');
    if (accepted === 'exists') {
      const detail = 'Somebody has signed up with this address meanwhile. Send the password of that sign-in.';
      throw new ProblemError('already_exists', { detail });
    }
    return accepted;
  });
  return { invitation, personId };
}

async function knownPerson(
  api: ApiContext,
  { accountId }: OpenInvitation,
  { id, banned }: NonNullable<OpenInvitation['person']>,
  body: Acceptance,
  from: Omit<AuditOrigin, 'actor'>,
): Promise<{ id: string }> {
  const password = await passwordOf(api.db, id);
  const right = password !== null && (await verifyPassword({ hash: password, password: body.password }));
  if (right && !banned) return { id };
  await recordAudit(api.db, {
    ...from,
    type: 'session.refused',
    actor: null,
    accountId,
    targetId: id,
    data: { by: 'invitation', why: banned ? 'banned' : 'invalid-password' },
  });
  throw new ProblemError('wrong_credentials', {
    detail:
      'Send the password that you sign in with. Where you have none or lost it, ask for a new one first.',
  });
}

async function newPerson(body: Acceptance): Promise<{ name: string; password: string }> {
  const checked = firstAcceptance.safeParse(body);
  if (!checked.success) {
    const errors = checked.error.issues.map(({ path, message }) => ({
      pointer: `/${path.join('/')}`,
      code: path[0] === 'name' ? 'required' : 'too_short',
      detail: message,
    }));
    throw new ProblemError('invalid_request', { errors });
  }
  const { name, password } = checked.data;
  return { name, password: await hashPassword(password) };
}
