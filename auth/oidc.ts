/** Who may come in by OpenID Connect: staff that exist already. */
import type { BetterAuthOptions } from 'better-auth';
import { APIError } from 'better-auth/api';
import { eq } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { people } from '../db/schema.ts';

/** The provider's name in `credentials`. */
export const OIDC = 'oidc';

/**
 * An identity at the provider is only tied to staff, and a customer's session is never started by it. The
 * provider's tokens are not kept: nothing is asked of it in the person's name.
 */
export function staffOnly(db: Database): NonNullable<BetterAuthOptions['databaseHooks']> {
  const needStaff = async (personId: string) => {
    const [person] = await db.select({ role: people.role }).from(people).where(eq(people.id, personId));
    if (!person || person.role === 'user') throw new APIError('FORBIDDEN', { code: 'not_staff' });
  };
  return {
    account: {
      create: {
        before: async (account) => {
          if (account.providerId !== OIDC) return;
          await needStaff(account.userId);
          return { data: { ...account, accessToken: null, refreshToken: null, idToken: null } };
        },
      },
    },
    session: {
      create: {
        before: async (session, context) => {
          if (context?.path !== '/callback/:id') return;
          await needStaff(session.userId);
          return { data: { ...session, signedInBy: OIDC } };
        },
      },
    },
  };
}
