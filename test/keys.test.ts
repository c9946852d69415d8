/** `deploy/keys.ts` as an operator runs it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { desc } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKeyHolder } from '../db/api-keys.ts';
import { findLink } from '../db/links.ts';
import { findPerson } from '../db/people.ts';
import { auditEvents } from '../db/schema.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function keys(...args: string[]): Promise<string> {
  const env = { ...process.env, DATABASE_URL: database.url, PUBLIC_URL: 'https://numbers.example/' };
  const { stdout } = await promisify(execFile)(process.execPath, ['deploy/keys.ts', ...args], { env });
  return stdout.trim();
}

const made = async (...args: string[]) => {
  const [id = '', key = ''] = (await keys(...args)).split(' ');
  return { id, key };
};

describe('keys', () => {
  it('makes keys of an account, the same account for the same slug', async () => {
    const first = await made('account', 'widgets', 'Widgets Inc.', 'ops@widgets.example');
    const second = await made('account', 'widgets', 'Widgets Inc.', 'ops@widgets.example');
    const holder = await findKeyHolder(database.db, first.key);
    expect(holder).toMatchObject({ id: first.id, person: null, scopes: ['read', 'write'] });
    expect(holder?.organizationId).toMatch(/^org_/);
    const other = await findKeyHolder(database.db, second.key);
    expect(other?.id).toBe(second.id);
    expect(other?.organizationId).toBe(holder?.organizationId);
    await expect(keys('account', 'widgets', 'Others', 'ops@others.example')).rejects.toThrow(
      'The account widgets exists, with the name "Widgets Inc.".',
    );
  });

  it('makes a key of a staff person, whose role stays', async () => {
    const { key } = await made('staff', 'support', 'Sam', 'sam@numbers.example');
    const holder = await findKeyHolder(database.db, key);
    expect(holder?.person).toMatchObject({ name: 'Sam', role: 'support' });
    await expect(keys('staff', 'operator', 'Sam', 'sam@numbers.example')).rejects.toThrow(
      'sam@numbers.example has the role support already.',
    );
  });

  it('makes a link to set the password of somebody, and none of nobody', async () => {
    await made('staff', 'operator', 'Otto', 'Otto@numbers.example');
    const link = new URL(await keys('password-link', 'otto@numbers.example'));
    expect(link.origin + link.pathname).toBe('https://numbers.example/reset-password');
    const token = link.searchParams.get('token') ?? '';
    const found = await findLink(database.db, 'password', token);
    expect(found?.personId).toBe((await findPerson(database.db, { email: 'otto@numbers.example' }))?.id);
    await expect(keys('password-link', 'nobody@numbers.example')).rejects.toThrow('There is no person');
  });

  it('revokes a key, once', async () => {
    const { id, key } = await made('staff', 'operator', 'Olga', 'olga@numbers.example');
    expect(await keys('revoke', id)).toBe(`${id} is revoked.`);
    expect(await findKeyHolder(database.db, key)).toBeNull();
    await expect(keys('revoke', id)).rejects.toThrow('that is still valid');
  });

  it('is in the audit log', async () => {
    const { id } = await made('account', 'gadgets', 'Gadgets Inc.', 'ops@gadgets.example');
    await keys('revoke', id);
    await made('staff', 'support', 'Sue', 'sue@numbers.example');
    const link = await keys('password-link', 'sue@numbers.example');
    const events = await database.db.select().from(auditEvents).orderBy(desc(auditEvents.seq)).limit(6);
    expect(events.map(({ type }) => type).reverse()).toEqual([
      'account.created',
      'key.created',
      'key.revoked',
      'person.created',
      'key.created',
      'password.reset-requested',
    ]);
    const sue = await findPerson(database.db, { email: 'sue@numbers.example' });
    expect(events[0]).toMatchObject({ actor: null, targetId: sue?.id, data: { by: 'deploy/keys.ts' } });
    expect(events[1]?.data).toMatchObject({ personId: sue?.id, scopes: ['read', 'write'] });
    expect(JSON.stringify(events)).not.toContain(new URL(link).searchParams.get('token'));
  });

  it('says how it is used', async () => {
    await expect(keys('account', 'Not A Slug', 'Widgets', 'ops@widgets.example')).rejects.toThrow(
      /A slug is of small letters.*Usage:/s,
    );
    await expect(keys('staff', 'boss', 'Bea', 'bea@numbers.example')).rejects.toThrow('Staff is "support"');
    await expect(keys()).rejects.toThrow('Usage:');
  });
});
