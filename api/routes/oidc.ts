/** Signing in at an OpenID Connect provider, for staff that exist already. Both calls are a browser's. */
import { z } from 'zod';
import { OIDC } from '../../auth/oidc.ts';
import { askAuth, authHeaders } from '../better-auth.ts';
import type { Routes } from '../context.ts';
import { html, sendPage, servePages } from '../html.ts';
import { ProblemError } from '../problems.ts';
import { noteRefusal, noteStart } from '../sign-ins.ts';

/** A path of ours: no other site's address, however browsers may read it. */
const ownPath = z
  .string()
  .max(2048)
  .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/);
const startQuery = z.object({ returnTo: ownPath.catch('/docs/') });
/** `code`, `state`, and what else the provider tells. */
const callbackQuery = z.record(z.string(), z.string());
const config = { access: 'public', limit: 'sign-in' } as const;

export const oidcRoutes: Routes = async (app, { api }) => {
  const { auth } = api;
  const { oidc } = auth;
  if (!oidc) return;
  servePages(app);

  app.get(
    '/v1/session/oidc',
    { config, schema: { hide: true, querystring: startQuery } },
    async (request, reply) => {
      const { returnTo } = request.query;
      const body = { provider: OIDC, callbackURL: returnTo, disableRedirect: true };
      const answer = await askAuth(
        oidc.signInSocial({ body, headers: authHeaders(auth, request), asResponse: true }),
      );
      if (!answer.ok) {
        const detail =
          'The OpenID Connect provider cannot be reached. Try again later, or sign in with a password.';
        throw new ProblemError('unavailable', { detail });
      }
      return reply.header('set-cookie', answer.cookies).redirect(String(answer.body['url']), 303);
    },
  );

  app.get(
    '/v1/session/oidc/callback',
    { config, schema: { hide: true, querystring: callbackQuery } },
    async (request, reply) => {
      const answer = await askAuth(
        oidc.callbackOAuth({
          method: 'GET',
          params: { id: OIDC },
          query: request.query,
          headers: authHeaders(auth, request),
          asResponse: true,
        }),
      );
      reply.header('set-cookie', answer.cookies);
      const found = await noteStart(api, request, answer.cookies, 'oidc');
      if (found) return reply.redirect(answer.location ?? '/docs/', 303);
      const why = URL.parse(answer.location ?? '', api.wholeUrl)?.searchParams.get('error') ?? 'unknown';
      await noteRefusal(api, request, { personId: null, by: 'oidc', why });
      const text = html`<p>The sign-in was not completed, or there is no staff person with the address that the provider has verified. Ask an operator, or sign in with a password.</p>`;
      return sendPage(reply, 'You are not signed in', text, 403);
    },
  );
};
