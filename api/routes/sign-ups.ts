/** Signing up, verifying the address, and setting a forgotten password anew. */
import { z } from 'zod';
import { hashPassword } from '../../auth/passwords.ts';
import { addressBody, newPasswordBody, passwordBody, signUpBody } from '../../contract/people.ts';
import { recordAudit } from '../../db/audit.ts';
import { hasHadEnough } from '../../db/email-rows.ts';
import { findPerson } from '../../db/people.ts';
import { answers, noBody, SESSION_WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import type { Routes } from '../context.ts';
import { sendSoon } from '../mail.ts';
import { setPasswordByLink, writePasswordLink, writeToHolder } from '../password-links.ts';
import { confirmEmail, repeatVerification, signUp } from '../sign-ups.ts';

const tokenParams = z.object({
  token: z
    .string()
    .max(256)
    .meta({
      description: 'The `token` of the link in the email.',
      examples: ['ver_0199a1b2c3d4e5f60718293a4b5c6d7e.RqYkXb6w0yqzD1v0bUe3T9mF5sK2hL8jN4cV7xA1gZQ'],
    }),
});
const UNTOLD = 'The answer is the same whether somebody has this address or not.';
const sent = noBody('Taken. If there is something to send, the email is on its way.');

export const signUpRoutes: Routes = async (app, { api }) => {
  const config = { access: 'public', limit: 'sign-in' } as const;

  if (api.config.OPEN_SIGN_UP) {
    app.post(
      '/v1/sign-ups',
      {
        config,
        schema: {
          summary: 'Sign up and open an account',
          description: `The account exists, with the person as its admin, once the link in the email was used. ${UNTOLD} Signing up again before that replaces what was sent. Where somebody signs in with the address and a password already, the email says so, with a link to set a new one.`,
          operationId: 'signUp',
          tags: ['Session'],
          body: signUpBody,
          response: answers({ 202: sent }, SESSION_WRITES),
        },
      },
      async (request, reply) => {
        const { password, ...wanted } = request.body;
        // Before the address is looked for: the same work for those that are taken.
        const hash = await hashPassword(password);
        const personId =
          (await signUp(api, request, { ...wanted, hash })) ??
          (await writeToHolder(api, request, wanted.email));
        if (personId !== null) sendSoon(api, personId, request.log);
        return reply.code(202).send(undefined);
      },
    );
  }

  app.post(
    '/v1/email-verifications',
    {
      config,
      schema: {
        summary: 'Send the email of a sign-up again',
        description: `The link of the email before ends. An address gets five of them within an hour, sign-ups included. ${UNTOLD}`,
        operationId: 'repeatVerification',
        tags: ['Session'],
        body: addressBody,
        response: answers({ 202: sent }, SESSION_WRITES),
      },
    },
    async (request, reply) => {
      const personId = await repeatVerification(api, request.body.email);
      if (personId !== null) sendSoon(api, personId, request.log);
      return reply.code(202).send(undefined);
    },
  );

  app.post(
    '/v1/email-verifications/:token',
    {
      config,
      schema: {
        summary: 'Confirm an email address',
        description:
          "With the token of the link that was sent to it, and the password of the sign-up: a link that somebody else's sign-up sent lets nobody in.",
        operationId: 'verifyEmail',
        tags: ['Session'],
        params: tokenParams,
        body: passwordBody,
        response: answers({ 204: noBody('Confirmed; the account exists.') }, [
          ...SESSION_WRITES,
          'not_found',
          'link_not_valid',
        ]),
      },
    },
    async (request, reply) => {
      await confirmEmail(api, request, { token: request.params.token, ...request.body });
      return reply.code(204).send(undefined);
    },
  );

  app.post(
    '/v1/password-resets',
    {
      config,
      schema: {
        summary: 'Ask for an email to set a new password',
        description: `The link in it works once, for an hour. An address gets five of them within an hour; more requests change nothing. ${UNTOLD}`,
        operationId: 'requestPasswordReset',
        tags: ['Session'],
        body: addressBody,
        response: answers({ 202: sent }, SESSION_WRITES),
      },
    },
    async (request, reply) => {
      const { email } = request.body;
      const person = await findPerson(api.db, { email });
      const laneToSend = await api.db.transaction(async (tx) => {
        const mayReset =
          person !== null && !person.banned && !(await hasHadEnough(tx, email, 'reset-password'));
        if (mayReset) await writePasswordLink(api, tx, person, 'reset-password');
        await recordAudit(tx, {
          ...originOf(request),
          type: 'password.reset-requested',
          actor: null,
          targetId: person?.id ?? null,
          data: { email },
        });
        return mayReset ? person.id : null;
      });
      if (laneToSend !== null) sendSoon(api, laneToSend, request.log);
      return reply.code(202).send(undefined);
    },
  );

  app.post(
    '/v1/password-resets/:token',
    {
      config,
      schema: {
        summary: 'Set a new password',
        description:
          'All sessions of the person end. Two-factor authentication stays as it is. A sign-up that waits for its confirmation is confirmed by it.',
        operationId: 'resetPassword',
        tags: ['Session'],
        params: tokenParams,
        body: newPasswordBody,
        response: answers({ 204: noBody('Set; sign in with it.') }, [
          ...SESSION_WRITES,
          'not_found',
          'link_not_valid',
        ]),
      },
    },
    async (request, reply) => {
      await setPasswordByLink(api, request, request.params.token, request.body.password);
      return reply.code(204).send(undefined);
    },
  );
};
