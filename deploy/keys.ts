/**
 * The first accounts and people of a new installation, and their API keys:
 *
 *   npm run keys -- account <slug> <name> <notification address>
 *   npm run keys -- staff <support|operator> <name> <address>
 *   npm run keys -- password-link <address>
 *   npm run keys -- revoke <key id>
 *   npm run keys -- reencrypt
 *
 * Account and person are created where there is none of that slug or address; a new key is made each time and
 * shown once. The link sets the password of a person that exists: the first operator signs in with it. `reencrypt` is
 * for a rotation of AUTH_SECRET: what a fallback has encrypted is encrypted anew.
 */
import { and, eq, isNull } from 'drizzle-orm';
import { z } from 'zod';
import { passwordLink } from '../auth/links.ts';
import { renewed, type Secrets, secretsOf } from '../auth/secrets.ts';
import { renewAll } from '../auth/two-factor.ts';
import { type Config, ConfigError, loadConfig } from '../contract/config.ts';
import { newId } from '../contract/ids.ts';
import { createApiKey, type Scope } from '../db/api-keys.ts';
import { type AuditEntry, recordAudit } from '../db/audit.ts';
import { type Database, openDatabase, type Transaction } from '../db/client.ts';
import { ENCRYPTED, encryptedAfter, replaceEncryptedIn } from '../db/encrypted.ts';
import { createLink } from '../db/links.ts';
import { findPerson } from '../db/people.ts';
import { apiKeys, organizations, people } from '../db/schema.ts';

const USAGE = `Usage:
  npm run keys -- account <slug> <name> <notification address>
  npm run keys -- staff <support|operator> <name> <address>
  npm run keys -- password-link <address>
  npm run keys -- revoke <key id>
  npm run keys -- reencrypt`;

const LINK_MS = 3_600_000;
const REENCRYPTED_AT_ONCE = 500;

const slug = z.string().regex(/^[a-z0-9-]+$/, 'A slug is of small letters, digits and "-".');
const name = z.string().trim().min(1, 'The name is empty.');
const address = z
  .email('The address is not an email address.')
  // As people sign in with it.
  .transform((value) => value.toLowerCase());
const role = z.enum(['support', 'operator'], 'Staff is "support" or "operator".');
const keyId = z.string().startsWith('key_', 'A key id begins with "key_".');
const commands = z.union([
  z.tuple([z.literal('account'), slug, name, address]),
  z.tuple([z.literal('staff'), role, name, address]),
  z.tuple([z.literal('password-link'), address]),
  z.tuple([z.literal('revoke'), keyId]),
  z.tuple([z.literal('reencrypt')]),
]);
type Command = z.output<typeof commands>;

try {
  const given = process.argv.slice(2);
  const command = commands.safeParse(given);
  if (!command.success) throw new ConfigError(`${faultOf(given)}${USAGE}`);
  const config = loadConfig();
  const db = openDatabase(config, { name: 'keys', max: 1 });
  try {
    await run(db, config, command.data);
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** What is wrong with the arguments of a known command, as a line; empty where the command itself is unknown. */
function faultOf(given: string[]): string {
  const [meant] = commands.options.filter((option) => option.def.items[0].def.values[0] === given[0]);
  const issue = meant?.safeParse(given).error?.issues.find(({ path }) => path.length > 0);
  return issue ? `${issue.message}\n` : '';
}

async function run(db: Database, config: Config, command: Command): Promise<void> {
  if (command[0] === 'revoke') return revoke(db, command[1]);
  if (command[0] === 'reencrypt') return reencrypt(db, config);
  if (command[0] === 'password-link') return printLink(db, config, command[1]);
  const { id, key } = await db.transaction(async (tx) => {
    const owner =
      command[0] === 'staff'
        ? await person(tx, command[1], command[2], command[3])
        : await account(tx, command[1], command[2], command[3]);
    const scopes: Scope[] = ['read', 'write'];
    const created = await createApiKey(tx, { ...owner, name: 'Made by an operator', scopes });
    const of = 'personId' in owner ? { personId: owner.personId } : {};
    const accountId = 'organizationId' in owner ? owner.organizationId : null;
    await note(tx, { type: 'key.created', accountId, targetId: created.id, data: { scopes, ...of } });
    return created;
  });
  console.log(`${id} ${key}`);
}

async function account(db: Transaction, slug: string, name: string, address: string) {
  const values = { id: newId('org'), slug, name, notificationEmails: [address] };
  const { rowCount } = await db.insert(organizations).values(values).onConflictDoNothing();
  if (rowCount === 1) {
    await note(db, { type: 'account.created', accountId: values.id, targetId: values.id, data: { name } });
  }
  const [found] = await db.select().from(organizations).where(eq(organizations.slug, slug));
  if (found && found.name !== name)
    throw new Error(`The account ${slug} exists, with the name "${found.name}".`);
  return { organizationId: found?.id ?? values.id };
}

async function person(db: Transaction, role: 'support' | 'operator', name: string, address: string) {
  const values = { id: newId('usr'), role, name, email: address, emailVerified: true };
  const { rowCount } = await db.insert(people).values(values).onConflictDoNothing();
  if (rowCount === 1)
    await note(db, { type: 'person.created', targetId: values.id, data: { email: address, role } });
  const [found] = await db.select().from(people).where(eq(people.email, address));
  if (found && found.role !== role) throw new Error(`${address} has the role ${found.role} already.`);
  return { personId: found?.id ?? values.id };
}

/** A link to set the person's password, once, within an hour. */
async function printLink(db: Database, config: Config, email: string): Promise<void> {
  const url = config.PUBLIC_URL?.replace(/\/+$/, '');
  if (url === undefined) throw new ConfigError('PUBLIC_URL is not set: the link leads there.');
  const person = await findPerson(db, { email });
  if (!person || person.banned)
    throw new Error(`There is no person with the address ${email} who may sign in.`);
  const expiresAt = new Date(Date.now() + LINK_MS);
  const token = await db.transaction(async (tx) => {
    await note(tx, { type: 'password.reset-requested', targetId: person.id, data: { email } });
    return createLink(tx, 'password', person.id, { data: {}, expiresAt });
  });
  console.log(passwordLink(url, token));
}

/** The key stops at its next use. */
async function revoke(db: Database, id: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [revoked] = await tx
      .update(apiKeys)
      .set({ revokedAt: new Date() })
      .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)))
      .returning({ accountId: apiKeys.organizationId });
    if (!revoked) throw new Error(`There is no key ${id} that is still valid.`);
    await note(tx, { type: 'key.revoked', accountId: revoked.accountId, targetId: id });
  });
  console.log(`${id} is revoked.`);
}

/** Afterwards, nothing that is encrypted needs a fallback any more. Can be repeated. */
async function reencrypt(db: Database, config: Config): Promise<void> {
  const secrets = secretsOf(config);
  const { renewed: apps, unreadable } = await renewAll(db, secrets);
  console.log(`Encrypted anew: the authenticator apps of ${apps} people.`);
  for (const column of ENCRYPTED) unreadable.push(...(await reencryptColumn(db, secrets, column)));
  if (unreadable.length > 0) {
    throw new Error(`Neither AUTH_SECRET nor a fallback fits those of: ${unreadable.join(', ')}`);
  }
}

/** Returns the ids for which no secret fits. */
async function reencryptColumn(
  db: Database,
  secrets: Secrets,
  column: (typeof ENCRYPTED)[number],
): Promise<string[]> {
  const unreadable: string[] = [];
  let count = 0;
  let page = await encryptedAfter(db, column, '', REENCRYPTED_AT_ONCE);
  while (page.length > 0) {
    for (const row of page) {
      const data = await renewed(secrets, row.data);
      if (data === null) continue;
      if (data === 'unreadable') unreadable.push(`${row.id} (${column.name})`);
      else await replaceEncryptedIn(db, column, row, data).then(() => count++);
    }
    page = await encryptedAfter(db, column, page.at(-1)?.id ?? '', REENCRYPTED_AT_ONCE);
  }
  console.log(`Encrypted anew: ${count} ${column.name}.`);
  return unreadable;
}

/** In the audit log. Nobody is named: whoever runs this has the database itself. */
async function note(tx: Transaction, entry: Omit<AuditEntry, 'actor'>): Promise<void> {
  await recordAudit(tx, { ...entry, actor: null, data: { ...entry.data, by: 'deploy/keys.ts' } });
}
