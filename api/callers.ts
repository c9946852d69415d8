/** As whom keys and sessions call. */
import type { Actor } from '../contract/number.ts';
import type { KeyHolder, Scope } from '../db/api-keys.ts';
import type { FoundSession } from '../db/sessions.ts';
import type { Caller } from './auth.ts';

/** A person as the audit log and timelines name them; staff with their name. */
export function actorOf({ id, name, role }: Pick<FoundSession['person'], 'id' | 'name' | 'role'>): Actor {
  return role === 'user' ? { type: 'customer', id } : { type: role, id, name };
}

/** The caller of a key; null where it has no role any more. */
export function callerFromKey(holder: KeyHolder): Caller | null {
  const { organizationId, person, scopes } = holder;
  if (organizationId !== null) {
    return {
      kind: 'customer',
      accountId: organizationId,
      personId: null,
      keyId: holder.id,
      actor: { type: 'customer', id: holder.id },
      scopes,
    };
  }
  // A key of a person is for staff: members of an account use the account's keys.
  if (!person || person.role === 'user') return null;
  return { kind: person.role, personId: person.id, keyId: holder.id, actor: actorOf(person), scopes };
}

/** Staff act as staff, also those who belong to an account; anybody else acts for the active account. */
export function callerFromSession(session: FoundSession): Caller | null {
  const { person, membership } = session;
  const rest = { personId: person.id, keyId: null, actor: actorOf(person) };
  if (person.role !== 'user') {
    const scopes: Scope[] = person.role === 'operator' ? ['read', 'write', 'admin'] : ['read', 'write'];
    return { kind: person.role, ...rest, scopes };
  }
  if (!membership) return null;
  const scopes: Scope[] = membership.role === 'admin' ? ['read', 'write', 'admin'] : ['read', 'write'];
  return { kind: 'customer', accountId: membership.accountId, ...rest, scopes };
}
