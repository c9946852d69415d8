/** Signing in and out, and the session of whoever is signed in. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { emptyBody } from '../../contract/fields.ts';
import { sessionChange, sessionView, signInBody, twoFactorBody } from '../../contract/people.ts';
import { recordAudit } from '../../db/audit.ts';
import { findPerson } from '../../db/people.ts';
import { findSession } from '../../db/sessions.ts';
import { answers, GUARDED, noBody, SESSION_WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import { sessionOf } from '../auth.ts';
import { type AuthAnswer, askAuth, authHeaders } from '../better-auth.ts';
import { actorOf } from '../callers.ts';
import { verifyCode } from '../codes.ts';
import type { ApiContext, Routes } from '../context.ts';
import { invalidField, ProblemError } from '../problems.ts';
import { viewSession } from '../sessions.ts';
import { noteStart, refuse } from '../sign-ins.ts';

const codeNeeded = z
  .object({
    twoFactor: z.literal('needed').meta({
      description: 'Send the code: POST /v1/session/two-factor, within ten minutes.',
      examples: ['needed'],
    }),
  })
  .describe('The password is right, and a code is needed.');

export const sessionRoutes: Routes = async (app, { api }) => {
  const { auth, db } = api;

  app.post(
    '/v1/session',
    {
      config: { access: 'public', limit: 'sign-in' },
      schema: {
        summary: 'Sign in with email address and password',
        description:
          'Sets the session cookie. 202 where the person uses two-factor authentication: the code is still to be sent.',
        operationId: 'signIn',
        tags: ['Session'],
        body: signInBody,
        response: answers({ 200: sessionView, 202: codeNeeded }, [
          ...SESSION_WRITES,
          'wrong_credentials',
          'email_not_verified',
          'forbidden',
        ]),
      },
    },
    async (request, reply) => {
      const { email } = request.body;
      const headers = authHeaders(auth, request, { signingIn: true });
      const answer = await askAuth(auth.api.signInEmail({ body: request.body, headers, asResponse: true }));
      const person = await findPerson(db, { email });
      if (!answer.ok) return refuse(api, request, answer, { personId: person?.id ?? null, email });
      if (answer.body['twoFactorRedirect'] === true) {
        return reply.code(202).header('set-cookie', answer.cookies).send({ twoFactor: 'needed' });
      }
      return start(api, request, reply, answer, 'password');
    },
  );

  app.post(
    '/v1/session/two-factor',
    {
      config: { access: 'public', limit: 'sign-in' },
      schema: {
        summary: 'Finish signing in with a code',
        description:
          'After POST /v1/session answered 202, within ten minutes and five tries. Each code counts once. Ten wrong codes in a row lock two-factor authentication of the person for 15 minutes: 429 with `Retry-After`.',
        operationId: 'sendTwoFactorCode',
        tags: ['Session'],
        body: twoFactorBody,
        response: answers({ 200: sessionView }, [...SESSION_WRITES, 'wrong_credentials', 'forbidden']),
      },
    },
    async (request, reply) => {
      const { code } = request.body;
      const headers = authHeaders(auth, request, { signingIn: true });
      const personId = await auth.signingIn(request.headers.cookie);
      const answer = await verifyCode(api, headers, personId, request.body);
      if (!answer.ok) {
        reply.header('set-cookie', answer.cookies);
        return refuse(api, request, answer, { personId });
      }
      return start(api, request, reply, answer, code === undefined ? 'backup-code' : 'two-factor');
    },
  );

  app.get(
    '/v1/session',
    {
      config: { access: 'person', beforeTwoFactor: true },
      schema: {
        summary: 'Read who is signed in',
        description: 'The person, their accounts, and what has to be done before anything else.',
        operationId: 'getSession',
        tags: ['Session'],
        response: answers({ 200: sessionView }, GUARDED),
      },
    },
    async (request) => viewSession(api, sessionOf(request)),
  );

  app.patch(
    '/v1/session',
    {
      config: { access: 'person' },
      schema: {
        summary: 'Act for another account',
        description: 'Later calls of this session are for that account.',
        operationId: 'switchAccount',
        tags: ['Session'],
        body: sessionChange,
        response: answers({ 200: sessionView }, [...GUARDED, ...SESSION_WRITES]),
      },
    },
    async (request, reply) => {
      const { activeAccountId: organizationId } = request.body;
      if (sessionOf(request).person.role !== 'user') {
        throw new ProblemError('forbidden', { detail: 'Staff act as staff, for no account.' });
      }
      const before = await viewSession(api, sessionOf(request));
      if (!before.accounts.some(({ id }) => id === organizationId)) {
        throw invalidField('/activeAccountId', 'unknown', 'Send the id of an account of yours.');
      }
      const headers = authHeaders(auth, request);
      const answer = await askAuth(
        auth.api.setActiveOrganization({ body: { organizationId }, headers, asResponse: true }),
      );
      // Removed from the account, or signed out, this moment.
      if (!answer.ok) throw new ProblemError('unauthenticated');
      const after = await findSession(db, auth.startedBy(answer.cookies) ?? '');
      if (!after) throw new ProblemError('unauthenticated');
      reply.header('set-cookie', answer.cookies);
      return viewSession(api, after);
    },
  );

  app.delete(
    '/v1/session',
    {
      config: { access: 'person', beforeTwoFactor: true, emptyBody: true },
      schema: {
        summary: 'Sign out',
        description: 'Ends this session; others of the person go on.',
        operationId: 'signOut',
        tags: ['Session'],
        body: emptyBody,
        response: answers({ 204: noBody('Signed out.') }, [...GUARDED, ...SESSION_WRITES]),
      },
    },
    async (request, reply) => {
      const { person } = sessionOf(request);
      const answer = await askAuth(
        auth.api.signOut({ headers: authHeaders(auth, request), asResponse: true }),
      );
      await recordAudit(db, {
        ...originOf(request),
        type: 'session.ended',
        actor: actorOf(person),
        targetId: person.id,
      });
      return reply.code(204).header('set-cookie', answer.cookies).send(undefined);
    },
  );
};

/** Answers with the session that better-auth has just started. */
async function start(
  api: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: AuthAnswer,
  by: 'password' | 'two-factor' | 'backup-code',
) {
  const found = await noteStart(api, request, answer.cookies, by);
  if (!found) throw new ProblemError('wrong_credentials');
  reply.header('set-cookie', answer.cookies);
  return viewSession(api, found);
}
