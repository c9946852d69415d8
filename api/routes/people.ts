/** For operators: the staff, and keeping people out. */
import { z } from 'zod';
import { emptyBody } from '../../contract/fields.ts';
import { newStaff, personChange, personPage, personQuery, personView } from '../../contract/people.ts';
import { recordAudit } from '../../db/audit.ts';
import {
  createPerson,
  deleteUnconfirmed,
  listPeople,
  lockPerson,
  removeTwoFactor,
  updatePerson,
} from '../../db/people.ts';
import { endSessions } from '../../db/sessions.ts';
import { answers, GUARDED, noBody, WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import { staffOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { give, inTransaction, keyedRequest, writeHeaders } from '../idempotency.ts';
import { sendSoon } from '../mail.ts';
import { page, readCursor } from '../paging.ts';
import { writePasswordLink } from '../password-links.ts';
import { changePersonFor } from '../people.ts';
import { ProblemError } from '../problems.ts';
import { viewPerson } from '../sessions.ts';

const cursor = z.object({ id: z.string().regex(/^usr_[0-9a-f]{32}$/) });
const personParams = z.object({
  id: z
    .string()
    .max(64)
    .meta({ description: 'The person.', examples: ['usr_0199a1b2c3d4e5f60718293a4b5c6d7e'] }),
});

export const peopleRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/people',
    {
      config: { access: ['operator'] },
      schema: {
        summary: 'List people, the newest first',
        description: 'Staff, unless the query asks for others.',
        operationId: 'listPeople',
        tags: ['Operation'],
        querystring: personQuery,
        response: answers({ 200: personPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { role, email, limit, cursor: at } = request.query;
      const roles = role
        ? [role === 'customer' ? ('user' as const) : role]
        : (['support', 'operator'] as const);
      const filter = { email, ...((role || email === undefined) && { roles: [...roles] }) };
      const before = readCursor(at, cursor)?.id ?? null;
      const { items, next } = await listPeople(api.db, filter, { limit, before });
      return page(request, reply, api.publicUrl, items.map(viewPerson), next === null ? null : { id: next });
    },
  );

  app.post(
    '/v1/people',
    {
      config: { access: ['operator'], scope: 'admin' },
      schema: {
        summary: 'Add a staff person',
        description:
          'They get an email with a link to set a password, for seven days. Later: POST /v1/password-resets.',
        operationId: 'addPerson',
        tags: ['Operation'],
        headers: writeHeaders,
        body: newStaff,
        response: answers({ 201: personView }, [...GUARDED, ...WRITES, 'already_exists']),
      },
    },
    async (request, reply) => {
      const { actor } = staffOf(request);
      const { answer, result } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        // Whoever signs up with somebody's address must not keep them out of the staff.
        await deleteUnconfirmed(tx, request.body.email);
        const person = await createPerson(tx, { ...request.body, emailVerified: false });
        if (!person) {
          throw new ProblemError('already_exists', { detail: 'Somebody has this email address already.' });
        }
        await writePasswordLink(api, tx, person, 'staff-invitation');
        const data = { email: person.email, role: person.role };
        await recordAudit(tx, {
          ...originOf(request),
          type: 'person.created',
          actor,
          targetId: person.id,
          data,
        });
        return { answer: { status: 201, headers: {}, body: viewPerson(person) }, result: person.id };
      });
      if (result !== null) sendSoon(api, result, request.log);
      return give(reply, answer);
    },
  );

  app.patch(
    '/v1/people/:id',
    {
      config: { access: ['operator'], scope: 'admin' },
      schema: {
        summary: 'Rename, disable or enable a person, or give staff another role',
        description:
          'A disabled person cannot sign in; their sessions end, and keys of theirs stop, with the next request. Nobody disables themselves or changes their own role, so that an operator stays.',
        operationId: 'updatePerson',
        tags: ['Operation'],
        headers: writeHeaders,
        params: personParams,
        body: personChange,
        response: answers({ 200: personView }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const caller = staffOf(request);
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        const row = await changePersonFor(tx, caller, id, request.body, originOf(request));
        return { answer: { status: 200, headers: {}, body: viewPerson(row) }, result: null };
      });
      return give(reply, answer);
    },
  );

  app.delete(
    '/v1/people/:id/two-factor',
    {
      config: { access: ['operator'], scope: 'admin', emptyBody: true },
      schema: {
        summary: 'Take two-factor authentication away from a person who has lost the phone',
        description: 'Their sessions end. Be sure that it is they who ask.',
        operationId: 'resetTwoFactor',
        tags: ['Operation'],
        headers: writeHeaders,
        params: personParams,
        body: emptyBody,
        response: answers({ 204: noBody('It is off.') }, [...GUARDED, ...WRITES, 'not_found']),
      },
    },
    async (request, reply) => {
      const { id: targetId } = request.params;
      const { actor } = staffOf(request);
      const { answer } = await inTransaction(api.db, keyedRequest(request), async (tx) => {
        if (!(await lockPerson(tx, targetId))) throw new ProblemError('not_found');
        if (await removeTwoFactor(tx, targetId)) {
          await updatePerson(tx, targetId, { twoFactorEnabled: false });
          await endSessions(tx, targetId);
          await recordAudit(tx, { ...originOf(request), type: 'two-factor.disabled', actor, targetId });
        }
        return { answer: { status: 204, headers: {}, body: null }, result: null };
      });
      return give(reply, answer);
    },
  );
};
