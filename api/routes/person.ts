/** What people change of themselves. */
import { hashPassword, verifyPassword } from '../../auth/passwords.ts';
import { ownChange, personView } from '../../contract/people.ts';
import { recordAudit } from '../../db/audit.ts';
import { takeLatestLink } from '../../db/links.ts';
import { passwordOf, setPassword, updatePerson } from '../../db/people.ts';
import { endSessions } from '../../db/sessions.ts';
import { answers, GUARDED, SESSION_WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import { sessionOf } from '../auth.ts';
import { actorOf } from '../callers.ts';
import type { ApiContext, Routes } from '../context.ts';
import { invalidField } from '../problems.ts';
import { viewPerson } from '../sessions.ts';

export const personRoutes: Routes = async (app, { api }) => {
  const { db } = api;

  app.patch(
    '/v1/person',
    {
      config: { access: 'person', limit: 'sign-in' },
      schema: {
        summary: 'Change your name, password or notices',
        description: 'A new password ends all other sessions of yours, and a link to set one.',
        operationId: 'changePerson',
        tags: ['Session'],
        body: ownChange,
        response: answers({ 200: personView }, [...GUARDED, ...SESSION_WRITES]),
      },
    },
    async (request) => {
      const { person, session } = sessionOf(request);
      const { currentPassword, newPassword, name, decisionEmails } = request.body;
      if (decisionEmails !== undefined && person.role === 'user') {
        throw invalidField('/decisionEmails', 'unknown_field', 'Only staff decide; leave it out.');
      }
      const by = { ...originOf(request), actor: actorOf(person), targetId: person.id };
      const hash = newPassword === undefined ? null : await hashPassword(newPassword);
      if (currentPassword !== undefined) await needPassword(api, person.id, currentPassword);
      const row = await db.transaction(async (tx) => {
        if (hash !== null) {
          await setPassword(tx, person.id, hash);
          await takeLatestLink(tx, 'password', person.id);
          await endSessions(tx, person.id, { but: session.id });
          await recordAudit(tx, { ...by, type: 'password.changed', data: { by: 'person' } });
        }
        const changes = {
          ...(name !== undefined && name !== person.name && { name }),
          ...(decisionEmails !== undefined && decisionEmails !== person.decisionEmails && { decisionEmails }),
        };
        const fields = Object.keys(changes);
        if (fields.length > 0) await recordAudit(tx, { ...by, type: 'person.changed', data: { fields } });
        return updatePerson(tx, person.id, changes);
      });
      return viewPerson(row);
    },
  );
};

async function needPassword({ db }: ApiContext, personId: string, password: string): Promise<void> {
  const hash = await passwordOf(db, personId);
  if (hash === null) {
    const detail = 'You have no password yet. Ask for a link to set one: POST /v1/password-resets.';
    throw invalidField('/currentPassword', 'wrong', detail);
  }
  if (!(await verifyPassword({ hash, password }))) {
    throw invalidField('/currentPassword', 'wrong', 'This is not your password.');
  }
}
