/** The people and keys of a development stack. Runs at each start and adds only what is missing. */
import { join } from 'node:path';
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { z } from 'zod';
import { newId } from '../contract/ids.ts';
import { createApiKey, hashApiKey } from '../db/api-keys.ts';
import { type Database, openDatabase } from '../db/client.ts';
import { apiKeys, memberships, organizations, people } from '../db/schema.ts';
import type { Credentials, Role } from './credentials.ts';
import { readJson, writeSecret } from './folder.ts';

interface Seed {
  name: string;
  email: string;
  role: 'user' | 'support' | 'operator';
  /** For customers: the account whose key they get. */
  organization?: { name: string; slug: string };
}

const SEEDS: Record<Role, Seed> = {
  customer: {
    name: 'Wanda Widget',
    email: 'customer@widgets.example',
    role: 'user',
    organization: { name: 'Widgets Inc.', slug: 'widgets' },
  },
  otherCustomer: {
    name: 'Gary Gadget',
    email: 'customer@gadgets.example',
    role: 'user',
    organization: { name: 'Gadgets Ltd.', slug: 'gadgets' },
  },
  support: { name: 'Sam Support', email: 'support@numbers.example', role: 'support' },
  otherSupport: { name: 'Sasha Support', email: 'second.support@numbers.example', role: 'support' },
  operator: { name: 'Olga Operator', email: 'operator@numbers.example', role: 'operator' },
};

const keysSchema = z.partialRecord(z.enum(Object.keys(SEEDS) as [Role, ...Role[]]), z.string());

/** Seeds the database; keys survive in `keys.json` of the stack's folder as long as the database knows them. */
export async function seed(databaseUrl: string, stack: string): Promise<Pick<Credentials, Role>> {
  const file = join(stack, 'keys.json');
  const known = keysSchema.catch({}).parse(readJson(file) ?? {});
  const db = openDatabase({ DATABASE_URL: databaseUrl, DATABASE_POOL: 2 }, { name: 'seed', max: 1 });
  try {
    const entries: [Role, Credentials[Role]][] = [];
    for (const [role, person] of Object.entries(SEEDS) as [Role, Seed][]) {
      const owner = await seedPerson(db, person);
      const old = known[role];
      const valid = old !== undefined && (await isValid(db, old, owner));
      const apiKey = valid ? old : await newKey(db, owner);
      entries.push([role, { email: person.email, password: null, apiKey }]);
    }
    const seeded = Object.fromEntries(entries) as Pick<Credentials, Role>;
    writeSecret(file, Object.fromEntries(entries.map(([role, { apiKey }]) => [role, apiKey])));
    return seeded;
  } finally {
    await db.close();
  }
}

type Owner = { organizationId: string } | { personId: string };

async function seedPerson(db: Database, { name, email, role, organization }: Seed): Promise<Owner> {
  await db
    .insert(people)
    .values({ id: newId('usr'), name, email, emailVerified: true, role })
    .onConflictDoNothing();
  const personId = await only(db.select({ id: people.id }).from(people).where(eq(people.email, email)));
  if (!organization) return { personId };
  await db
    .insert(organizations)
    .values({ id: newId('org'), ...organization, notificationEmails: [email] })
    .onConflictDoNothing();
  const organizationId = await only(
    db.select({ id: organizations.id }).from(organizations).where(eq(organizations.slug, organization.slug)),
  );
  await db
    .insert(memberships)
    .values({ id: newId('mem'), organizationId, personId, role: 'admin' })
    .onConflictDoNothing();
  return { organizationId };
}

async function only(rows: PromiseLike<{ id: string }[]>): Promise<string> {
  const [row] = await rows;
  if (!row) throw new Error('A seeded row is not there.');
  return row.id;
}

function owned(owner: Owner) {
  return 'personId' in owner
    ? eq(apiKeys.personId, owner.personId)
    : eq(apiKeys.organizationId, owner.organizationId);
}

async function isValid(db: Database, key: string, owner: Owner): Promise<boolean> {
  const rows = await db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.hash, hashApiKey(key)),
        owned(owner),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
      ),
    );
  return rows.length > 0;
}

async function newKey(db: Database, owner: Owner): Promise<string> {
  const { key } = await createApiKey(db, { ...owner, name: 'Development stack', scopes: ['read', 'write'] });
  return key;
}
