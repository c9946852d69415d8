/** Accounts with a WhatsApp Business Account each, their approved numbers, and the targets of these with a secret each. */
import { secretsOf } from '../../auth/secrets.ts';
import { newId } from '../../contract/ids.ts';
import { openDatabase } from '../../db/client.ts';
import {
  callbackProfiles,
  metaConnections,
  metaNumbers,
  numbers,
  organizations,
  targets,
} from '../../db/schema.ts';
import { targetSecrets } from '../../targets/secrets.ts';
import {
  accountOf,
  digitsOf,
  hasIncomingUrl,
  NUMBERS,
  phoneNumberIdOf,
  TARGETS,
  targetOf,
  wabaIdOf,
} from './traffic.ts';

export interface Seeded {
  /** By place. */
  targets: { id: string; secret: string }[];
}

/** `urlOf`: of a target, by its place. */
export async function seed(
  databaseUrl: string,
  authSecret: string,
  urlOf: (target: number) => string,
): Promise<Seeded> {
  const db = openDatabase({ DATABASE_URL: databaseUrl, DATABASE_POOL: 2 }, { name: 'bench' });
  const places = (count: number) => Array.from({ length: count }, (_, place) => place);
  const now = new Date();
  const accounts = places(TARGETS / 2).map(() => ({
    id: newId('org'),
    profileId: newId('cbp'),
    wabaId: newId('mtc'),
  }));
  const account = (of: number) => accounts[of] as (typeof accounts)[number];
  const rows = places(NUMBERS).map((number) => ({
    id: newId('num'),
    accountId: account(accountOf(number)).id,
    mobileNumber: `+${digitsOf(number)}`,
    displayName: `Shop ${number}`,
    businessCategory: 'RETAIL' as const,
    incomingUrl: hasIncomingUrl(number) ? urlOf(targetOf(number)) : null,
    callbackProfileId: hasIncomingUrl(number) ? null : account(accountOf(number)).profileId,
    ...{ status: 'APPROVED' as const, attempt: 1, startedAttempt: 1, revision: 3 },
    submittedBy: { type: 'customer' as const, id: 'key_1' },
    submittedAt: now.toISOString(),
    updatedAt: now.toISOString(),
  }));
  const secrets = targetSecrets(secretsOf({ AUTH_SECRET: authSecret }));
  const aimed = await Promise.all(
    places(TARGETS).map(async (target) => {
      const { id: accountId, profileId } = account(Math.floor(target / 2));
      const incoming = target % 2 === 0;
      const number = rows.find((_, place) => hasIncomingUrl(place) && targetOf(place) === target);
      const id = incoming ? (number?.id ?? '') : profileId;
      const kind = incoming ? ('incoming' as const) : ('callback' as const);
      return { id, accountId, kind, ...(await secrets.create()) };
    }),
  );
  try {
    await db
      .insert(organizations)
      .values(accounts.map(({ id }, place) => ({ id, name: `Account ${place}`, slug: `account-${place}` })));
    await db.insert(callbackProfiles).values(
      accounts.map(({ id, profileId }, place) => ({
        ...{
          id: profileId,
          accountId: id,
          name: 'Statuses',
          statuses: ['delivered' as const, 'read' as const],
        },
        url: urlOf(place * 2 + 1),
      })),
    );
    await db.insert(metaConnections).values(
      accounts.map(({ id, wabaId }, place) => ({
        ...{ id: wabaId, accountId: id, wabaId: wabaIdOf(place), tokenHash: 'none' },
      })),
    );
    await db.insert(numbers).values(rows);
    await db.insert(metaNumbers).values(
      rows.map(({ id }, number) => ({
        numberId: id,
        connectionId: account(accountOf(number)).wabaId,
        digits: digitsOf(number),
        phoneNumberId: phoneNumberIdOf(number),
      })),
    );
    await db
      .insert(targets)
      .values(aimed.map(({ sealed, secret: _, ...target }) => ({ ...target, secret: sealed })));
    await db.execute('analyze');
  } finally {
    await db.close();
  }
  return { targets: aimed.map(({ id, secret }) => ({ id, secret })) };
}
