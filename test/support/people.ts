/** People with passwords, and browsers that they sign in with. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { generate } from 'otplib';
import { expect } from 'vitest';
import { hashPassword } from '../../auth/passwords.ts';
import { newId } from '../../contract/ids.ts';
import type { Database } from '../../db/client.ts';
import { createPerson, setPassword } from '../../db/people.ts';
import { emails, memberships } from '../../db/schema.ts';
import { caller } from '../api/harness.ts';

export const PASSWORD = 'a password of the tests';
// Hashing is slow on purpose.
const hash = hashPassword(PASSWORD);

export interface TestPerson {
  id: string;
  email: string;
}

/** Somebody who can sign in with `PASSWORD`; `accounts`: where they are a member, and as what. */
export async function createUser(
  db: Database,
  role: 'user' | 'support' | 'operator' = 'user',
  accounts: Record<string, 'admin' | 'member'> = {},
): Promise<TestPerson> {
  const email = `${newId('usr')}@people.example`;
  const passwordHash = await hash;
  return db.transaction(async (tx) => {
    const person = await createPerson(tx, { name: `A ${role}`, email, role, emailVerified: true });
    if (!person) throw new Error('The address is taken.');
    await setPassword(tx, person.id, passwordHash);
    for (const [organizationId, as] of Object.entries(accounts)) {
      await tx
        .insert(memberships)
        .values({ id: newId('mem'), organizationId, personId: person.id, role: as });
    }
    return { id: person.id, email };
  });
}

/** A browser: it keeps cookies and sends them back. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #call: ReturnType<typeof caller>;
  /** Sent with every request. */
  readonly headers: Record<string, string>;

  constructor(app: FastifyInstance, headers: Record<string, string> = {}) {
    this.#call = caller(app);
    this.headers = headers;
  }

  async call(
    method: NonNullable<InjectOptions['method']>,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<LightMyRequestResponse> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = { ...(cookie !== '' && { cookie }), ...this.headers, ...headers };
    const response = await this.#call(null, method, url, body, sent);
    for (const line of [response.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/; Max-Age=0(;|$)/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** Sends a form of a page. */
  submit(url: string, fields: Record<string, string>): Promise<LightMyRequestResponse> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.call('POST', url, new URLSearchParams(fields).toString(), headers);
  }
}

export async function signIn(
  app: FastifyInstance,
  person: Pick<TestPerson, 'email'>,
  password = PASSWORD,
): Promise<Browser> {
  const browser = new Browser(app);
  const response = await browser.call('POST', '/v1/session', { email: person.email, password });
  expect(response.statusCode, response.body).toBe(200);
  return browser;
}

/** Switches two-factor authentication on. `code()` is a code that is right and was not used, `used` the one that was. */
export async function setUpTwoFactor(browser: Browser) {
  const setup = (await browser.call('POST', '/v1/session/two-factor/setup', { password: PASSWORD })).json();
  const secret = new URL(setup.totpUri).searchParams.get('secret') ?? '';
  const now = () => Math.floor(Date.now() / 1000);
  const begun = now();
  const used = await generate({ secret, epoch: begun });
  const confirmed = await browser.call('POST', '/v1/session/two-factor/confirmation', { code: used });
  expect(confirmed.statusCode, confirmed.body).toBe(204);
  // The step after the one that was used: 30 s ahead of the clock at the most, which is still right.
  const code = () => generate({ secret, epoch: Math.max(now(), begun + 30) });
  return { code, used, backupCodes: setup.backupCodes as string[] };
}

/** The token of the link in the latest email to an address. */
export async function tokenFor(db: Database, address: string): Promise<string> {
  const letters = await db.select().from(emails);
  const latest = letters.filter(({ recipient }) => recipient === address).at(-1);
  return new URL(String(latest?.data['link'])).searchParams.get('token') ?? '';
}
