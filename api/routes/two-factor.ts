/** Setting two-factor authentication up and taking it away, for whoever is signed in. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AuditType } from '../../contract/audit.ts';
import { confirmationBody, passwordBody } from '../../contract/people.ts';
import { recordAudit } from '../../db/audit.ts';
import { sqlStateOf, UNIQUE_VIOLATION } from '../../db/errors.ts';
import { endSessions, findSession } from '../../db/sessions.ts';
import { answers, GUARDED, noBody, SESSION_WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import { sessionOf } from '../auth.ts';
import { type AuthAnswer, askAuth, authHeaders } from '../better-auth.ts';
import { actorOf } from '../callers.ts';
import { CODE_USED, verifyCode } from '../codes.ts';
import type { ApiContext, Routes } from '../context.ts';
import { invalidField, ProblemError } from '../problems.ts';

const setup = z
  .object({
    totpUri: z.string().meta({
      description: 'For the authenticator app, as a QR code or by hand.',
      examples: ['otpauth://totp/Number%20approval:wanda@widgets.example?secret=…&issuer=Number%20approval'],
    }),
    backupCodes: z
      .array(z.string())
      .meta({ description: 'In place of a code, each once. Shown only here.', examples: [['k3Xd9-bQ27a']] }),
  })
  .describe('What to set up the app with.');

export const twoFactorRoutes: Routes = async (app, { api }) => {
  const { auth } = api;
  const config = { access: 'person', limit: 'sign-in' } as const;

  app.post(
    '/v1/session/two-factor/setup',
    {
      config: { ...config, beforeTwoFactor: true },
      schema: {
        summary: 'Begin to set up two-factor authentication',
        description:
          'It is on once a code has confirmed it. Beginning again draws a new secret and new backup codes.',
        operationId: 'setUpTwoFactor',
        tags: ['Session'],
        body: passwordBody,
        response: answers({ 200: setup }, [...GUARDED, ...SESSION_WRITES, 'already_exists']),
      },
    },
    async (request) => {
      const { password } = request.body;
      const headers = authHeaders(auth, request);
      const begin = () =>
        askAuth(auth.api.enableTwoFactor({ body: { password }, headers, asResponse: true }));
      const answer = await begin().catch((error) => {
        // Another set-up of the person was there first: this one replaces it, as a later one does.
        if (sqlStateOf(error) === UNIQUE_VIOLATION) return begin();
        throw error;
      });
      if (!answer.ok) throw refusal(answer);
      // Better-auth writes blanks as in a form; some apps show that "+" to people.
      const totpUri = String(answer.body['totpURI']).replaceAll('+', '%20');
      return setup.parse({ totpUri, backupCodes: answer.body['backupCodes'] });
    },
  );

  app.post(
    '/v1/session/two-factor/confirmation',
    {
      config: { ...config, beforeTwoFactor: true },
      schema: {
        summary: 'Switch two-factor authentication on with a first code',
        description: 'Other sessions of the person end. A code counts once: sign in with the next one.',
        operationId: 'confirmTwoFactor',
        tags: ['Session'],
        body: confirmationBody,
        response: answers({ 204: noBody('It is on.') }, [...GUARDED, ...SESSION_WRITES]),
      },
    },
    async (request, reply) => {
      const { person } = sessionOf(request);
      const answer = await verifyCode(api, authHeaders(auth, request), person.id, request.body);
      if (!answer.ok) throw refusal(answer);
      if (!person.twoFactorEnabled) await changed(api, request, answer, 'two-factor.enabled');
      return reply.code(204).header('set-cookie', answer.cookies).send(undefined);
    },
  );

  app.delete(
    '/v1/session/two-factor',
    {
      config,
      schema: {
        summary: 'Switch two-factor authentication off',
        description:
          'E.g. to set it up on another phone. Where staff need it, they can do nothing else before that.',
        operationId: 'removeTwoFactor',
        tags: ['Session'],
        body: passwordBody,
        response: answers({ 204: noBody('It is off.') }, [...GUARDED, ...SESSION_WRITES]),
      },
    },
    async (request, reply) => {
      const { password } = request.body;
      const headers = authHeaders(auth, request);
      const answer = await askAuth(
        auth.api.disableTwoFactor({ body: { password }, headers, asResponse: true }),
      );
      if (!answer.ok) throw refusal(answer);
      if (sessionOf(request).person.twoFactorEnabled)
        await changed(api, request, answer, 'two-factor.disabled');
      return reply.code(204).header('set-cookie', answer.cookies).send(undefined);
    },
  );
};

function refusal({ code }: AuthAnswer): ProblemError {
  switch (code) {
    case 'INVALID_PASSWORD':
      return invalidField('/password', 'wrong', 'This is not your password.');
    case 'INVALID_CODE':
      return invalidField('/code', 'wrong', 'This is not the code of now. Check the clock of the phone.');
    case 'CODE_USED':
      return invalidField('/code', 'wrong', CODE_USED);
    case 'AUTH_SECRET_CHANGED':
      return invalidField(
        '/code',
        'wrong',
        'Your authenticator app is not valid any more: switch two-factor authentication off, and set it up anew.',
      );
    case 'TOTP_NOT_ENABLED':
      return invalidField('/code', 'wrong', 'Begin first: POST /v1/session/two-factor/setup.');
    case 'TOTP_ALREADY_ENABLED':
      return new ProblemError('already_exists', { detail: 'Two-factor authentication is on already.' });
    default:
      // The session ended this moment.
      return new ProblemError('unauthenticated');
  }
}

/** Better-auth has replaced the session; what others had of the person ends. */
async function changed(
  api: ApiContext,
  request: FastifyRequest,
  { cookies }: AuthAnswer,
  type: AuditType,
): Promise<void> {
  const { person } = sessionOf(request);
  const now = await findSession(api.db, api.auth.startedBy(cookies) ?? '');
  await api.db.transaction(async (tx) => {
    await endSessions(tx, person.id, { but: now?.session.id ?? '' });
    await recordAudit(tx, { ...originOf(request), type, actor: actorOf(person), targetId: person.id });
  });
}
