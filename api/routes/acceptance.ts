/** Accepting an invitation: the page that its email leads to, and the same as JSON. */
import { z } from 'zod';
import { acceptance } from '../../contract/account-fields.ts';
import { acceptedView } from '../../contract/account-views.ts';
import { about } from '../../contract/views.ts';
import type { OpenInvitation } from '../../db/invitations.ts';
import { answers, SESSION_WRITES } from '../answers.ts';
import { originOf } from '../audit.ts';
import type { ApiContext, Routes } from '../context.ts';
import { toProblem } from '../failures.ts';
import {
  atOurAddress,
  described,
  type Faults,
  faultOf,
  faultsIn,
  type Html,
  html,
  sendPage,
  servePages,
} from '../html.ts';
import { accept, openInvitation } from '../invitations.ts';
import { linkNotValid } from '../problems.ts';

const token = z
  .string()
  .max(256)
  .meta(about('The `token` of the link in the email.', 'RqYkXb6w0yqzD1v0bUe3T9mF5sK2hL8jN4cV7xA1gZQ'));

export const acceptanceRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/invitations/:token/acceptance',
    {
      config: { access: 'public', limit: 'sign-in' },
      schema: {
        summary: 'Accept an invitation',
        description:
          'Somebody new sends a name and a password to have; who has the address already sends their password. Signing in comes after it.',
        operationId: 'acceptInvitation',
        tags: ['Session'],
        params: z.object({ token }),
        body: acceptance,
        response: answers({ 200: acceptedView }, [
          ...SESSION_WRITES,
          'not_found',
          'wrong_credentials',
          'already_exists',
          'link_not_valid',
        ]),
      },
    },
    async (request) => {
      const { invitation, personId } = await accept(
        api,
        request.params.token,
        request.body,
        originOf(request),
      );
      const { accountId, accountName, email, role } = invitation;
      return { account: { id: accountId, name: accountName }, personId, email, role };
    },
  );

  await app.register(invitationPages, { api });
};

const query = z.object({ token: z.string() });
const form = z.object({ token: z.string(), name: z.string().optional(), password: z.string() });

/** Not for programs: left out of the OpenAPI document. */
const invitationPages: Routes = async (app, { api }) => {
  servePages(app);
  const config = { access: 'public', limit: 'sign-in' } as const;

  app.get('/invitations', { config, schema: { hide: true } }, async (request, reply) => {
    const given = query.safeParse(request.query);
    if (!given.success) throw linkNotValid('invitation');
    const invitation = await openInvitation(api, given.data.token);
    return sendPage(reply, titleOf(invitation), formFor(invitation, given.data.token));
  });

  app.post('/invitations', { config, schema: { hide: true } }, async (request, reply) => {
    const given = form.safeParse(request.body);
    if (!given.success) throw linkNotValid('invitation');
    const { token } = given.data;
    try {
      const { name, password } = given.data;
      const checked = acceptance.parse({ ...(name !== undefined && { name }), password });
      const { invitation } = await accept(api, token, checked, originOf(request));
      return sendPage(reply, 'Welcome', welcome(api, invitation));
    } catch (error) {
      return showAgain(api, reply, given.data, error);
    }
  });
};

/** The form again, with what was wrong; what cannot be mended is left to the page of the problem. */
async function showAgain(
  api: ApiContext,
  reply: Parameters<typeof sendPage>[0],
  { token, name }: z.output<typeof form>,
  error: unknown,
): Promise<ReturnType<typeof sendPage>> {
  const faults = inputFaults(error);
  if (!faults) throw error;
  const invitation = await openInvitation(api, token);
  return sendPage(reply, titleOf(invitation), formFor(invitation, token, { faults, name }), 422);
}

/** Sentences for whoever filled in the form; null where it was not their input. */
function inputFaults(error: unknown): Faults | null {
  if (error instanceof z.ZodError) return faultsIn(error);
  const { code, message, options } = toProblem(error);
  if (code === 'wrong_credentials' || code === 'already_exists') return { password: message };
  if (code !== 'invalid_request' || !options.errors) return null;
  return Object.fromEntries(options.errors.map(({ pointer, detail }) => [pointer.slice(1), detail]));
}

const titleOf = ({ accountName }: OpenInvitation) => `Join ${accountName}`;

/** `name`: what was typed already. */
function formFor(
  { accountName, email, role, person }: OpenInvitation,
  token: string,
  { faults = {}, name = '' }: { faults?: Faults; name?: string | undefined } = {},
): Html {
  const as = role === 'admin' ? 'an admin' : 'a member';
  return html`<p>You are invited to join <strong>${accountName}</strong> as ${as}, with the address ${email}.</p>
<form method="post" action="/invitations">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="username" value="${email}" autocomplete="username">
${
  person
    ? html`<label for="password">Your password</label>
${faultOf('password', 'Password', faults)}
<input id="password" name="password" type="password" autocomplete="current-password" required${described('password', faults)}>`
    : html`<label for="name">Your name</label>
${faultOf('name', 'Name', faults)}
<input id="name" name="name" value="${name}" autocomplete="name" maxlength="100" required${described('name', faults)}>
<label for="password">Choose a password</label>
${faultOf('password', 'Password', faults)}
<input id="password" name="password" type="password" autocomplete="new-password" minlength="12" maxlength="128" required${described('password', faults, 'hint')}>
<p class="hint" id="hint">At least 12 characters.</p>`
}
<button>Accept the invitation</button>
</form>`;
}

function welcome(api: ApiContext, { accountName, email }: OpenInvitation): Html {
  return html`<p>You belong to <strong>${accountName}</strong> now. Sign in${atOurAddress(api)} with ${email} and your password.</p>`;
}
