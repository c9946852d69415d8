/** Asking better-auth on behalf of a request. */
import type { FastifyRequest } from 'fastify';
import { ADDRESS_HEADER, type Auth } from '../auth/better-auth.ts';

/** What is kept of a `User-Agent`. */
export const USER_AGENT_MAX = 256;

/** What better-auth sees of a request: its own cookies, who calls from where. `signingIn`: as in `auth.cookiesOf`. */
export function authHeaders(
  auth: Auth,
  request: FastifyRequest,
  options: { signingIn?: boolean } = {},
): Headers {
  const { cookie, 'user-agent': userAgent = '' } = request.headers;
  return new Headers({
    cookie: auth.cookiesOf(cookie, options),
    'user-agent': userAgent.slice(0, USER_AGENT_MAX),
    [ADDRESS_HEADER]: request.ip,
  });
}

export interface AuthAnswer {
  ok: boolean;
  /** Better-auth's word for what went wrong, e.g. `INVALID_PASSWORD`; empty where all is well. */
  code: string;
  body: Record<string, unknown>;
  /** Where it redirects to. */
  location: string | null;
  /** For the `Set-Cookie` headers of our own answer, also where something went wrong. */
  cookies: string[];
}

/** The answer of a call of `auth.api` with `asResponse: true`. Throws where better-auth itself failed. */
export async function askAuth(call: Promise<unknown>): Promise<AuthAnswer> {
  const response = (await call) as Response;
  const text = await response.text();
  const body = (text === '' ? null : JSON.parse(text)) ?? {};
  if (response.status >= 500) throw new Error(`Better-auth failed: ${text}`);
  return {
    ok: response.status < 400,
    code: response.status < 400 ? '' : String(body.code ?? ''),
    body,
    location: response.headers.get('location'),
    cookies: response.headers.getSetCookie(),
  };
}
