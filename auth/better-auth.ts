/**
 * Better-auth on our tables: passwords, sessions, two-factor authentication, OpenID Connect. None of its own
 * endpoints is mounted; routes of ours ask `auth.api` on the server and pass its cookies on.
 */
import { betterAuth } from 'better-auth';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { admin, genericOAuth, organization, twoFactor } from 'better-auth/plugins';
import type { Config } from '../contract/config.ts';
import { type IdPrefix, newId } from '../contract/ids.ts';
import { PASSWORD } from '../contract/people.ts';
import type { Database } from '../db/client.ts';
import * as tables from '../db/schema.ts';
import { onlyCookies, readSigned } from './cookies.ts';
import { OIDC, staffOnly } from './oidc.ts';
import { keysFor, secretsOf } from './secrets.ts';
import { openApp } from './two-factor.ts';

/** The prefix of the ids of better-auth's models. */
const PREFIXES: Record<string, IdPrefix> = {
  user: 'usr',
  session: 'ses',
  account: 'crd',
  verification: 'ver',
  organization: 'org',
  member: 'mem',
  invitation: 'inv',
  twoFactor: 'two',
};

/** The header that tells better-auth the caller's address, as Fastify knows it. */
export const ADDRESS_HEADER = 'x-caller-address';
/** A session that is used is prolonged after this part of its life. */
const RENEWED_AFTER = 1 / 7;
const COOKIE_PREFIX = 'numbers';

export type Auth = ReturnType<typeof createAuth>;

/** Throws a `ConfigError` without AUTH_SECRET. `publicUrl`: where browsers reach the API, without a slash at the end. */
export function createAuth(db: Database, config: Config, publicUrl: string) {
  const secrets = secretsOf(config);
  const secure = publicUrl.startsWith('https://');
  const prefix = `${secure ? '__Secure-' : ''}${COOKIE_PREFIX}.`;
  const lifetime = Math.round(config.SESSION_HOURS * 3600);
  const renewAfter = Math.round(lifetime * RENEWED_AFTER);
  const settings = { publicUrl, secret: secrets[0], secure, lifetime, renewAfter };
  const sessionCookie = `${prefix}session_token`;
  const auth = configure(db, settings, []);
  const provider = oidcPlugin(config, publicUrl);
  return {
    api: auth.api,
    /** For sign-ins at the provider; null where none is configured. Apart, because it asks the provider before anything. */
    oidc: provider && configure(db, settings, [provider]).api,
    sessionCookie,
    /**
     * What of a `Cookie` header is better-auth's, as it reads it: signed with today's AUTH_SECRET. `signingIn` leaves the
     * session out, so that a code is taken for the sign-in under way.
     */
    cookiesOf(header: string | undefined, { signingIn = false }: { signingIn?: boolean } = {}): string {
      const passes = (name: string) => name.startsWith(prefix) && !(signingIn && name === sessionCookie);
      return onlyCookies(header, passes, secrets);
    },
    /** The token of the session that a `Cookie` header brings, or null. */
    tokenOf: (cookies: string | undefined) => readSigned(cookies, sessionCookie, secrets),
    /** The token of a session that an answer of `api` has just started, or null. */
    startedBy: (cookies: string[]) =>
      readSigned(cookies.map((cookie) => cookie.split(';')[0]).join('; '), sessionCookie, secrets),
    /** Who has sent their password and not yet their code; null where there is no such sign-in. */
    async signingIn(cookies: string | undefined): Promise<string | null> {
      const identifier = readSigned(cookies, `${prefix}two_factor`, secrets);
      const { internalAdapter } = await auth.$context;
      return (identifier && (await internalAdapter.findVerificationValue(identifier))?.value) || null;
    },
    /** The authenticator app of a person. */
    appOf: (personId: string) => openApp(db, secrets, personId),
    /** The key for a purpose, and those that made what may be around still. */
    keysFor: (purpose: string) => keysFor(secrets, purpose),
    /** Whether a session that is used now has to be prolonged (`api.getSession`). */
    isDue: (expiresAt: Date) => expiresAt.getTime() - Date.now() < (lifetime - renewAfter) * 1000,
  };
}

interface Settings {
  publicUrl: string;
  secret: string;
  secure: boolean;
  /** Seconds. */
  lifetime: number;
  renewAfter: number;
}

function configure(db: Database, settings: Settings, plugins: ReturnType<typeof genericOAuth>[]) {
  const { publicUrl, secret } = settings;
  const person = { userId: 'personId' };
  return betterAuth({
    appName: 'Number approval',
    baseURL: publicUrl,
    secret,
    database: drizzleAdapter(db, { provider: 'pg', schema: tables, transaction: true }),
    user: { modelName: 'people' },
    session: {
      modelName: 'sessions',
      fields: person,
      additionalFields: { signedInBy: { type: 'string', required: false, input: false } },
      expiresIn: settings.lifetime,
      updateAge: settings.renewAfter,
      // Each request asks the database, so that a session that was ended ends at once.
      cookieCache: { enabled: false },
    },
    account: {
      modelName: 'credentials',
      fields: person,
      updateAccountOnSignIn: false,
      // By an address that the provider has verified. Ours need not be: who may be tied is judged in `staffOnly`.
      accountLinking: { enabled: true, requireLocalEmailVerified: false },
    },
    verification: { modelName: 'verifications', storeIdentifier: 'hashed', disableCleanup: true },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      requireEmailVerification: true,
      minPasswordLength: PASSWORD.min,
      maxPasswordLength: PASSWORD.max,
    },
    plugins: [
      organization({
        schema: {
          organization: { modelName: 'organizations' },
          member: { modelName: 'memberships', fields: person },
          invitation: { modelName: 'invitations' },
        },
      }),
      admin(),
      twoFactor({
        issuer: 'Number approval',
        schema: { twoFactor: { modelName: 'twoFactors', fields: person } },
      }),
      ...plugins,
    ],
    databaseHooks: staffOnly(db),
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      useSecureCookies: settings.secure,
      database: { generateId: ({ model }) => newId(PREFIXES[model] ?? 'ver') },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER], ipv6Subnet: 128 },
    },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    // It would log addresses of people; what fails is thrown, and logged by us.
    logger: { disabled: true },
  });
}

function oidcPlugin(config: Config, publicUrl: string) {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId = '', OIDC_CLIENT_SECRET: clientSecret } = config;
  if (issuer === undefined) return null;
  const provider = {
    providerId: OIDC,
    discoveryUrl: `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`,
    clientId,
    clientSecret,
    redirectURI: `${publicUrl}/v1/session/oidc/callback`,
    scopes: ['openid', 'email', 'profile'],
    requireIdTokenVerification: true,
    disableSignUp: true,
  };
  return genericOAuth({ config: [provider] });
}
