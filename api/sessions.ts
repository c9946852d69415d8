/** What a signed-in person is told of themselves. */
import type { PersonRole, PersonView, SessionView } from '../contract/people.ts';
import { accountsOf, type PersonRow } from '../db/people.ts';
import { type FoundSession, isBanned } from '../db/sessions.ts';
import { needsTwoFactor } from './auth.ts';
import type { ApiContext } from './context.ts';

/** Better-auth calls a customer's role `user`. */
function roleOf({ role }: Pick<PersonRow, 'role'>): PersonRole {
  return role === 'user' ? 'customer' : role;
}

export async function viewSession(api: ApiContext, found: FoundSession): Promise<SessionView> {
  const { person, session, membership } = found;
  const { id, name, email, twoFactorEnabled, decisionEmails } = person;
  return {
    person: { id, name, email, role: roleOf(person), twoFactorEnabled, decisionEmails },
    accounts: await accountsOf(api.db, id),
    // Staff act as staff, also where they belong to an account.
    activeAccountId: person.role === 'user' ? (membership?.accountId ?? null) : null,
    twoFactorNeeded: needsTwoFactor(api, found),
    expiresAt: session.expiresAt.toISOString(),
  };
}

export function viewPerson(row: PersonRow): PersonView {
  const { id, name, email, twoFactorEnabled } = row;
  const disabled = isBanned(row, new Date());
  return {
    id,
    name,
    email,
    role: roleOf(row),
    twoFactorEnabled,
    disabled,
    disabledReason: disabled ? row.banReason : null,
    lastActiveAt: row.lastActiveAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
