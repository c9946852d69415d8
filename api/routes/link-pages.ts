/** The pages that links in emails lead to. Opening one changes nothing, as mail scanners do; its button does. */
import { z } from 'zod';
import { newPassword, PASSWORD } from '../../contract/people.ts';
import { findLink, type LinkPurpose } from '../../db/links.ts';
import type { ApiContext, Routes } from '../context.ts';
import {
  atOurAddress,
  described,
  type Faults,
  faultOf,
  type Html,
  html,
  sendPage,
  servePages,
} from '../html.ts';
import { setPasswordByLink } from '../password-links.ts';
import { linkNotValid, ProblemError } from '../problems.ts';
import { confirmEmail } from '../sign-ups.ts';

const withToken = z.object({ token: z.string().catch('') });
const passwordForm = withToken.extend({ password: z.string().catch('') });
const config = { access: 'public', limit: 'sign-in' } as const;
const schema = { hide: true };

export const linkPageRoutes: Routes = async (app, { api }) => {
  servePages(app);

  app.get('/reset-password', { config, schema }, async (request, reply) => {
    const token = await validToken(api, 'password', request.query);
    return sendPage(reply, 'Set a new password', passwordFields(token));
  });

  app.post('/reset-password', { config, schema }, async (request, reply) => {
    const { token, password } = passwordForm.parse(request.body);
    const checked = newPassword.safeParse(password);
    if (!checked.success) {
      const faults = { password: checked.error.issues[0]?.message ?? '' };
      return sendPage(reply, 'Set a new password', passwordFields(token, faults), 422);
    }
    await setPasswordByLink(api, request, token, checked.data);
    return sendPage(
      reply,
      'Your password is set',
      html`<p>You can now sign in${atOurAddress(api)} with it. Close this page.</p>`,
    );
  });

  app.get('/verify-email', { config, schema }, async (request, reply) => {
    const token = await validToken(api, 'email', request.query);
    return sendPage(reply, 'Confirm your email address', confirmation(token));
  });

  app.post('/verify-email', { config, schema }, async (request, reply) => {
    const given = passwordForm.parse(request.body);
    try {
      await confirmEmail(api, request, given);
    } catch (error) {
      const [fault] = (error instanceof ProblemError && error.options.errors) || [];
      if (!fault) throw error;
      const faults = { password: fault.detail };
      return sendPage(reply, 'Confirm your email address', confirmation(given.token, faults), 422);
    }
    return sendPage(
      reply,
      'Your email address is confirmed',
      html`<p>Your account is open. You can now sign in${atOurAddress(api)}. Close this page.</p>`,
    );
  });
};

/** The token of a page's address. Throws `link_not_valid`. */
async function validToken(api: ApiContext, purpose: LinkPurpose, query: unknown): Promise<string> {
  const { token } = withToken.parse(query);
  if (!(await findLink(api.db, purpose, token))) throw linkNotValid(purpose);
  return token;
}

function confirmation(token: string, faults: Faults = {}): Html {
  return html`<p>Is this address yours, and did you sign up with it? Then confirm it.</p>
<form method="post" action="/verify-email">
<input type="hidden" name="token" value="${token}">
<label for="password">The password that you chose</label>
${faultOf('password', 'Password', faults)}
<input type="password" id="password" name="password" required maxlength="${PASSWORD.max}" autocomplete="current-password"${described('password', faults, 'hint')}>
<p class="hint" id="hint">So that nobody else has signed up with your address.</p>
<button>Confirm this address</button>
</form>`;
}

function passwordFields(token: string, faults: Faults = {}): Html {
  const { min, max } = PASSWORD;
  return html`<form method="post" action="/reset-password">
<input type="hidden" name="token" value="${token}">
<label for="password">New password</label>
${faultOf('password', 'Password', faults)}
<input type="password" id="password" name="password" required minlength="${min}" maxlength="${max}" autocomplete="new-password"${described('password', faults, 'hint')}>
<p class="hint" id="hint">At least ${min} characters.</p>
<button>Set password</button>
</form>`;
}
