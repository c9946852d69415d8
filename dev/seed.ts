/** The people, passwords and keys of a development stack. Runs at each start and adds only what is missing. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { and, arrayContains, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { z } from 'zod';
import { hashPassword } from '../auth/passwords.ts';
import { newId } from '../contract/ids.ts';
import { createApiKey, hashApiKey, type Scope } from '../db/api-keys.ts';
import { type Database, openDatabase } from '../db/client.ts';
import { passwordOf, setPassword } from '../db/people.ts';
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

const secretsSchema = z.partialRecord(z.enum(Object.keys(SEEDS) as [Role, ...Role[]]), z.string()).catch({});

/**
 * Seeds the database; keys survive in `keys.json` of the stack's folder as long as the database knows them, and
 * passwords in `passwords.json`.
 */
export async function seed(databaseUrl: string, stack: string): Promise<Pick<Credentials, Role>> {
  const files = { keys: join(stack, 'keys.json'), passwords: join(stack, 'passwords.json') };
  const knownKeys = secretsSchema.parse(readJson(files.keys) ?? {});
  const knownPasswords = secretsSchema.parse(readJson(files.passwords) ?? {});
  const db = openDatabase({ DATABASE_URL: databaseUrl, DATABASE_POOL: 2 }, { name: 'seed', max: 1 });
  try {
    const entries: [Role, Credentials[Role]][] = [];
    for (const [role, person] of Object.entries(SEEDS) as [Role, Seed][]) {
      const { personId, owner } = await seedPerson(db, person);
      const old = knownKeys[role];
      const scopes: Scope[] = person.role === 'support' ? ['read', 'write'] : ['read', 'write', 'admin'];
      const valid = old !== undefined && (await isValid(db, old, owner, scopes));
      const apiKey = valid ? old : await newKey(db, owner, scopes);
      const password = await seedPassword(db, personId, knownPasswords[role]);
      entries.push([role, { email: person.email, password, apiKey }]);
    }
    const seeded = Object.fromEntries(entries) as Pick<Credentials, Role>;
    writeSecret(files.keys, Object.fromEntries(entries.map(([role, { apiKey }]) => [role, apiKey])));
    writeSecret(files.passwords, Object.fromEntries(entries.map(([role, { password }]) => [role, password])));
    return seeded;
  } finally {
    await db.close();
  }
}

type Owner = { organizationId: string } | { personId: string };

async function seedPerson(
  db: Database,
  { name, email, role, organization }: Seed,
): Promise<{ personId: string; owner: Owner }> {
  await db
    .insert(people)
    .values({ id: newId('usr'), name, email, emailVerified: true, role })
    .onConflictDoNothing();
  const personId = await only(db.select({ id: people.id }).from(people).where(eq(people.email, email)));
  if (!organization) return { personId, owner: { personId } };
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
  return { personId, owner: { organizationId } };
}

/** One that was changed by hand stays as it is, unknown to us. */
async function seedPassword(db: Database, personId: string, known: string | undefined): Promise<string> {
  if (known !== undefined && (await passwordOf(db, personId)) !== null) return known;
  const password = known ?? randomBytes(12).toString('base64url');
  const hash = await hashPassword(password);
  await db.transaction((tx) => setPassword(tx, personId, hash));
  return password;
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

async function isValid(db: Database, key: string, owner: Owner, scopes: Scope[]): Promise<boolean> {
  const rows = await db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.hash, hashApiKey(key)),
        owned(owner),
        arrayContains(apiKeys.scopes, scopes),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
      ),
    );
  return rows.length > 0;
}

async function newKey(db: Database, owner: Owner, scopes: Scope[]): Promise<string> {
  const { key } = await createApiKey(db, { ...owner, name: 'Development stack', scopes });
  return key;
}
