/** What operators change of people, themselves excepted. */
import type { PersonChange } from '../contract/people.ts';
import { type AuditOrigin, recordAudit } from '../db/audit.ts';
import type { Transaction } from '../db/client.ts';
import { lockOperators, lockPerson, type PersonRow, updatePerson } from '../db/people.ts';
import { endSessions } from '../db/sessions.ts';
import type { Staff } from './auth.ts';
import { invalidField, ProblemError } from './problems.ts';

export async function changePersonFor(
  tx: Transaction,
  caller: Staff,
  id: string,
  changes: PersonChange,
  origin: Omit<AuditOrigin, 'actor'>,
): Promise<PersonRow> {
  const { name, role, disabled, reason } = changes;
  // Of two operators that disable each other, the second is none any more: there is always one left.
  if (!(await lockOperators(tx)).includes(caller.personId)) throw new ProblemError('forbidden');
  const before = await lockPerson(tx, id);
  if (!before) throw new ProblemError('not_found');
  if (id === caller.personId && disabled) {
    throw new ProblemError('forbidden', { detail: 'Nobody disables themselves. Ask another operator.' });
  }
  if (id === caller.personId && role !== undefined && role !== before.role) {
    const detail = 'Nobody changes their own role. Ask another operator.';
    throw new ProblemError('forbidden', { detail });
  }
  if (role !== undefined && before.role === 'user') {
    throw invalidField(
      '/role',
      'not_staff',
      'A customer does not become staff. Add a staff person with an address of their own.',
    );
  }

  const by = { ...origin, actor: caller.actor, targetId: id };
  const changed = {
    ...(name !== undefined && name !== before.name && { name }),
    ...(role !== undefined && role !== before.role && { role }),
  };
  if (Object.keys(changed).length > 0) {
    const data = {
      fields: Object.keys(changed),
      ...('role' in changed && { role, roleBefore: before.role }),
    };
    await recordAudit(tx, { ...by, type: 'person.changed', data });
  }
  if (disabled === true) {
    await endSessions(tx, id);
    await recordAudit(tx, { ...by, type: 'person.disabled', data: { reason } });
  }
  if (disabled === false && before.banned) await recordAudit(tx, { ...by, type: 'person.enabled' });
  return updatePerson(tx, id, {
    ...changed,
    ...(disabled !== undefined && { banned: disabled, banReason: reason ?? null, banExpires: null }),
  });
}
