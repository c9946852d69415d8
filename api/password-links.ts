/** Setting a password by a link in an email: after "forgotten", and for staff who were just added. */
import type { FastifyRequest } from 'fastify';
import { passwordLink } from '../auth/links.ts';
import { hashPassword } from '../auth/passwords.ts';
import { recordAudit } from '../db/audit.ts';
import type { Transaction } from '../db/client.ts';
import { hasHadEnough, writeEmail } from '../db/email-rows.ts';
import { createLink, findLink, takeLatestLink, takeLink } from '../db/links.ts';
import {
  findPerson,
  lockPerson,
  type PersonRow,
  passwordOf,
  setPassword,
  updatePerson,
} from '../db/people.ts';
import { endSessions } from '../db/sessions.ts';
import { originOf } from './audit.ts';
import { actorOf } from './callers.ts';
import type { ApiContext } from './context.ts';
import { linkNotValid } from './problems.ts';
import { completeSignUp } from './sign-ups.ts';

const RESET_MS = 3_600_000;
const INVITATION_MS = 7 * 24 * 3_600_000;

/** Writes the email with the link; ask for its sending (lane: the person's id) once that is committed. */
export async function writePasswordLink(
  api: ApiContext,
  tx: Transaction,
  person: Pick<PersonRow, 'id' | 'name' | 'email' | 'role'>,
  kind: 'reset-password' | 'staff-invitation',
  { signedUp = false } = {},
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
  if (kind === 'reset-password') return writeEmail(tx, { ...letter, kind, data: { ...data, signedUp } });
  return writeEmail(tx, { ...letter, kind, data: { ...data, role: role === 'operator' ? role : 'support' } });
}

/**
 * Writes to whoever has an account that somebody signed up with their address, with a link to set a password: else they
 * would wait for an email in vain, as only the mailbox may tell them that they have one. The id of the person whose email
 * is to be sent; null where there is none to write.
 */
export async function writeToHolder(
  api: ApiContext,
  request: FastifyRequest,
  email: string,
): Promise<string | null> {
  return api.db.transaction(async (tx) => {
    const person = await findPerson(tx, { email });
    if (!person || person.banned) return null;
    // Whoever cannot sign in with a password yet was sent a link of their own, which a new one would end.
    const hasPassword = person.emailVerified && (await passwordOf(tx, person.id)) !== null;
    if (!hasPassword || (await hasHadEnough(tx, email, 'reset-password'))) return null;
    await writePasswordLink(api, tx, person, 'reset-password', { signedUp: true });
    const asked = { type: 'password.reset-requested', actor: null, targetId: person.id } as const;
    await recordAudit(tx, { ...originOf(request), ...asked, data: { email, by: 'sign-up' } });
    return person.id;
  });
}

/**
 * Sets the password, once. Whoever had the link reads the mailbox, so that the address counts as verified, and a sign-up
 * with it is complete; sessions of whoever knew the old password end. Two-factor authentication stays. Throws
 * `link_not_valid`.
 */
export async function setPasswordByLink(
  api: ApiContext,
  request: FastifyRequest,
  token: string,
  password: string,
): Promise<void> {
  // Hashing costs: not for tokens that somebody made up.
  const link = await findLink(api.db, 'password', token);
  if (!link) throw linkNotValid('password');
  const hash = await hashPassword(password);
  await api.db.transaction(async (tx) => {
    const person = await lockPerson(tx, link.personId);
    const taken = await takeLink(tx, 'password', token);
    if (!person || person.banned || !taken) throw linkNotValid('password');
    await setPassword(tx, person.id, hash);
    await updatePerson(tx, person.id, { emailVerified: true });
    const signUp = person.emailVerified ? null : await takeLatestLink(tx, 'email', person.id);
    if (signUp) await completeSignUp(tx, request, person, signUp);
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
