/** An OpenID Connect provider on 127.0.0.1 that asks nobody anything: the visitor of the test is signed in. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Context, Provider } from 'oidc-provider';

export interface Visitor {
  /** What the provider calls them. */
  sub: string;
  email: string;
  verified: boolean;
}

const CLIENT_ID = 'number-approval';
const CLIENT_SECRET = 'a secret of the tests';

export async function startProvider(redirectUri: string) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let visitor: Visitor | undefined;

  const provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    clientDefaults: { token_endpoint_auth_method: 'client_secret_post' },
    cookies: { keys: ['a key of the tests'] },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context: Context, { uid }: { uid: string }) => `/sign-in/${uid}` },
    findAccount: (_context: Context, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, email: visitor?.email, email_verified: visitor?.verified, name: 'Provided' }),
    }),
    async loadExistingGrant({ oidc }: Context) {
      const { clientId } = oidc.client;
      const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/sign-in/')) return void handle(request, response);
    const login = { accountId: visitor?.sub ?? '' };
    void provider.interactionFinished(request, response, { login });
  });

  return {
    env: { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: CLIENT_ID, OIDC_CLIENT_SECRET: CLIENT_SECRET },
    /** Goes through the provider's pages as this visitor; the address that it sends the browser back to. */
    async visit(url: string, as: Visitor): Promise<string> {
      visitor = as;
      const cookies = new Map<string, string>();
      let address = url;
      while (address.startsWith(issuer)) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await fetch(address, { redirect: 'manual', headers: { cookie } });
        for (const line of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          cookies.set(name, value);
        }
        const location = response.headers.get('location');
        if (!location) throw new Error(`${address}: ${response.status} ${await response.text()}`);
        address = new URL(location, issuer).href;
      }
      return address;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
