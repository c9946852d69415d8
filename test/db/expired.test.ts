/** What the sweeper deletes of people: sessions that ran out, links of long ago, sign-ups that nobody confirmed. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { createLink, deleteExpiredLinks, findLink } from '../../db/links.ts';
import { createPerson, setPassword } from '../../db/people.ts';
import { credentials, memberships, people, sessions } from '../../db/schema.ts';
import { deleteExpiredSessions } from '../../db/sessions.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const inDays = (days: number) => new Date(Date.now() + days * 24 * 3_600_000);

/** Somebody who signed up, with a link that expires then. */
async function signedUp(
  days: number,
  person: Partial<Pick<typeof people.$inferSelect, 'role' | 'emailVerified'>> = {},
) {
  return database.db.transaction(async (tx) => {
    const row = await createPerson(tx, {
      name: 'Wanda',
      email: `${newId('usr')}@people.example`,
      role: 'user',
      emailVerified: false,
      ...person,
    });
    if (!row) throw new Error('The address is taken.');
    await setPassword(tx, row.id, 'hash');
    const options = { data: { accountName: 'Widgets' }, expiresAt: inDays(days) };
    return { id: row.id, token: await createLink(tx, 'email', row.id, options) };
  });
}

const isThere = async (id: string) => (await database.db.$count(people, eq(people.id, id))) === 1;

it('deletes links a week after they expired, with sign-ups that nobody confirmed', async () => {
  const { db } = database;
  const fresh = await signedUp(1);
  const lately = await signedUp(-6);
  const forgotten = await signedUp(-8);
  const confirmed = await signedUp(-8, { emailVerified: true });
  const staff = await signedUp(-8, { role: 'support' });
  const member = await signedUp(-8);
  const { id: organizationId } = await createAccount(db);
  await db.insert(memberships).values({ id: newId('mem'), organizationId, personId: member.id });

  expect(await deleteExpiredLinks(db, 3)).toBe(3);
  expect(await deleteExpiredLinks(db)).toBe(1);
  expect(await deleteExpiredLinks(db)).toBe(0);
  expect(await findLink(db, 'email', fresh.token)).toEqual({
    personId: fresh.id,
    data: { accountName: 'Widgets' },
  });
  const everybody = [fresh, lately, forgotten, confirmed, staff, member];
  expect(await Promise.all(everybody.map(({ id }) => isThere(id)))).toEqual([
    true,
    true,
    false,
    true,
    true,
    true,
  ]);
  expect(await db.$count(credentials, eq(credentials.personId, forgotten.id))).toBe(0);
});

it('deletes sessions that have run out', async () => {
  const { id: personId } = await signedUp(1);
  const session = (days: number) => {
    const id = newId('ses');
    return { id, personId, token: id, expiresAt: inDays(days) };
  };
  const living = session(1);
  await database.db.insert(sessions).values([living, session(-1), session(-2)]);
  expect(await deleteExpiredSessions(database.db, 1)).toBe(1);
  expect(await deleteExpiredSessions(database.db)).toBe(1);
  expect(await database.db.select({ id: sessions.id }).from(sessions)).toEqual([{ id: living.id }]);
});
