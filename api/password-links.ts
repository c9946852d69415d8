/** Setting a password by a link in an email: after "forgotten", and for staff who were just added. */
import type { FastifyRequest } from 'fastify';
import { passwordLink } from '../auth/links.ts';
import { hashPassword } from '../auth/passwords.ts';
import { recordAudit } from '../db/audit.ts';
import type { Transaction } from '../db/client.ts';
import { writeEmail } from '../db/email-rows.ts';
import { createLink, findLink, takeLink } from '../db/links.ts';
import { lockPerson, type PersonRow, setPassword, updatePerson } from '../db/people.ts';
import { endSessions } from '../db/sessions.ts';
import { originOf } from './audit.ts';
import { actorOf } from './callers.ts';
import type { ApiContext } from './context.ts';
import { ProblemError } from './problems.ts';

const RESET_MS = 3_600_000;
const INVITATION_MS = 7 * 24 * 3_600_000;

/** Writes the email with the link; ask for its sending (lane: the person's id) once that is committed. */
export async function writePasswordLink(
  api: ApiContext,
  tx: Transaction,
  person: Pick<PersonRow, 'id' | 'name' | 'email' | 'role'>,
  kind: 'reset-password' | 'staff-invitation',
): Promise<void> {
  const { id, name, email, role } = person;
  const expiresAt = new Date(Date.now() + (kind === 'reset-password' ? RESET_MS : INVITATION_MS));
  const token = await createLink(tx, 'password', id, { data: {}, expiresAt });
  const data = {
    name,
    link: passwordLink(api.wholeUrl, token),
    expiresAt: expiresAt.toISOString(),
  };
  const letter = { lane: id, recipient: email, mailDomain: api.acceptance.mailDomain };
  if (kind === 'reset-password') return writeEmail(tx, { ...letter, kind, data });
  return writeEmail(tx, { ...letter, kind, data: { ...data, role: role === 'operator' ? role : 'support' } });
}

/**
 * Sets the password, once. Whoever had the link reads the mailbox, so that the address counts as verified; sessions of
 * whoever knew the old password end. Two-factor authentication stays. Throws `link_not_valid`.
 */
export async function setPasswordByLink(
  api: ApiContext,
  request: FastifyRequest,
  token: string,
  password: string,
): Promise<void> {
  // Hashing costs: not for tokens that somebody made up.
  if (!(await findLink(api.db, 'password', token))) throw new ProblemError('link_not_valid');
  const hash = await hashPassword(password);
  await api.db.transaction(async (tx) => {
    const link = await takeLink(tx, 'password', token);
    const person = link && (await lockPerson(tx, link.personId));
    if (!person || person.banned) throw new ProblemError('link_not_valid');
    await setPassword(tx, person.id, hash);
    await updatePerson(tx, person.id, { emailVerified: true });
    await endSessions(tx, person.id);
    await recordAudit(tx, {
      ...originOf(request),
      type: 'password.changed',
      actor: actorOf(person),
      targetId: person.id,
      data: { by: 'link' },
    });
  });
}
