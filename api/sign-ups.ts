/** Signing up: a person whose address is not verified yet, and an account once it is. */
import type { FastifyRequest } from 'fastify';
import { verificationLink } from '../auth/links.ts';
import { verifyPassword } from '../auth/passwords.ts';
import { newId } from '../contract/ids.ts';
import { createAccount } from '../db/accounts.ts';
import { recordAudit } from '../db/audit.ts';
import type { Transaction } from '../db/client.ts';
import { hasHadEnough, writeEmail } from '../db/email-rows.ts';
import { createLink, findLink, latestLink, takeLink } from '../db/links.ts';
import {
  createPerson,
  findPerson,
  lockPerson,
  type PersonRow,
  passwordOf,
  setPassword,
  updatePerson,
} from '../db/people.ts';
import { memberships } from '../db/schema.ts';
import { originOf } from './audit.ts';
import { actorOf } from './callers.ts';
import type { ApiContext } from './context.ts';
import { invalidField, linkNotValid } from './problems.ts';

const VERIFICATION_MS = 24 * 3_600_000;

export interface SignUp {
  name: string;
  email: string;
  accountName: string;
  /** Of the password. */
  hash: string;
}

/**
 * Takes a sign-up; the id of the person whose email is to be sent, or null where the address is somebody's already.
 * One that was never verified is nobody's: the latest sign-up counts, and links of earlier ones end. Null, too, where the
 * address has had its share of emails; the latest link stays then.
 */
export async function signUp(
  api: ApiContext,
  request: FastifyRequest,
  wanted: SignUp,
): Promise<string | null> {
  const { name, email, accountName, hash } = wanted;
  return api.db.transaction(async (tx) => {
    const created = await createPerson(tx, { name, email, role: 'user', emailVerified: false });
    const found = created ?? (await unverified(tx, email));
    if (!found || (await hasHadEnough(tx, email, 'verify-email'))) return null;
    const person = await updatePerson(tx, found.id, { name });
    await setPassword(tx, person.id, hash);
    await writeVerification(api, tx, person, accountName);
    if (created) {
      const by = { ...originOf(request), actor: actorOf(person) };
      await recordAudit(tx, { ...by, type: 'person.created', targetId: person.id, data: { by: 'sign-up' } });
    }
    return person.id;
  });
}

/** Writes the email of a sign-up once more; null where there is none under way, or where it had its share of emails. */
export async function repeatVerification(api: ApiContext, email: string): Promise<string | null> {
  return api.db.transaction(async (tx) => {
    const person = await unverified(tx, email);
    const earlier = person && (await latestLink(tx, 'email', person.id));
    if (!earlier || (await hasHadEnough(tx, email, 'verify-email'))) return null;
    await writeVerification(api, tx, person, earlier.accountName);
    return person.id;
  });
}

/**
 * Confirms an address, once. It takes the password of the sign-up, too: whoever reads the mailbox must not let in a
 * stranger that has signed up with their address. Throws `link_not_valid`.
 */
export async function confirmEmail(
  api: ApiContext,
  request: FastifyRequest,
  { token, password }: { token: string; password: string },
): Promise<void> {
  const link = await findLink(api.db, 'email', token);
  const hash = link && (await passwordOf(api.db, link.personId));
  if (!hash) throw linkNotValid('email');
  if (!(await verifyPassword({ hash, password }))) {
    throw invalidField(
      '/password',
      'wrong',
      'This is not the password of the latest sign-up with this address. If you do not know it, ask for a link to set a new one.',
    );
  }
  await api.db.transaction(async (tx) => {
    const person = await lockPerson(tx, link.personId);
    // Another sign-up, with another password, has ended the link.
    const taken = await takeLink(tx, 'email', token);
    if (!person || person.banned || !taken) throw linkNotValid('email');
    await completeSignUp(tx, request, person, taken.data);
  });
}

/** Now there is the account, with the person as its admin. */
export async function completeSignUp(
  tx: Transaction,
  request: FastifyRequest,
  person: PersonRow,
  { accountName: name }: { accountName: string },
): Promise<void> {
  await updatePerson(tx, person.id, { emailVerified: true });
  const by = { ...originOf(request), actor: actorOf(person) };
  await recordAudit(tx, { ...by, type: 'email.verified', targetId: person.id });
  const account = await createAccount(tx, { name, notificationEmails: [person.email] }, by);
  const membership = { organizationId: account.id, personId: person.id, role: 'admin' as const };
  await tx.insert(memberships).values({ id: newId('mem'), ...membership });
}

/** The customer with an address that is still to be verified, locked. */
async function unverified(tx: Transaction, email: string): Promise<PersonRow | null> {
  const found = await findPerson(tx, { email });
  const person = found && (await lockPerson(tx, found.id));
  return person && !person.emailVerified && !person.banned && person.role === 'user' ? person : null;
}

async function writeVerification(
  api: ApiContext,
  tx: Transaction,
  { id, name, email }: PersonRow,
  accountName: string,
): Promise<void> {
  const expiresAt = new Date(Date.now() + VERIFICATION_MS);
  const token = await createLink(tx, 'email', id, { data: { accountName }, expiresAt });
  const link = verificationLink(api.wholeUrl, token);
  await writeEmail(tx, {
    lane: id,
    kind: 'verify-email',
    recipient: email,
    data: { name, link, expiresAt: expiresAt.toISOString() },
    mailDomain: api.acceptance.mailDomain,
  });
}
