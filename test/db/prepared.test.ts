/** Prepared statements answer what Drizzle's own do. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database, Transaction } from '../../db/client.ts';
import { prepared } from '../../db/prepared.ts';
import { withAccount } from '../../db/read.ts';
import { apiKeys, numbers, organizations, people } from '../../db/schema.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await db.insert(organizations).values({ id: 'org_1', name: 'Widgets', slug: 'widgets' });
  await db.insert(people).values({ id: 'usr_1', name: 'Sam', email: 'sam@example.com', role: 'support' });
  const key = { name: 'Key', scopes: ['read' as const] };
  await db.insert(apiKeys).values([
    { ...key, id: 'key_1', organizationId: 'org_1', lookup: 'a', hash: 'a' },
    { ...key, id: 'key_2', personId: 'usr_1', lookup: 'b', hash: 'b', lastUsedAt: new Date() },
  ]);
  const at = '2026-11-03T10:00:00.120Z';
  await db.insert(numbers).values({
    ...{
      id: 'num_1',
      accountId: 'org_1',
      mobileNumber: '+1',
      displayName: 'Shop',
      businessCategory: 'RETAIL',
    },
    ...{ status: 'REJECTED', attempt: 1, revision: 2, waitingSince: null, submittedAt: at, updatedAt: at },
    verification: {
      decisionId: 'op_1',
      outcome: 'rejected',
      reason: 'No',
      code: null,
      fields: [],
      by: SAM,
      at: '',
    },
    submittedBy: SAM,
  });
});
afterAll(() => database.drop());

const SAM = { type: 'support', id: 'usr_1' } as const;

const STATEMENTS = {
  'a row and a column': (db: Database | Transaction) => withAccount(db),
  'what a left join may not find': (db: Database | Transaction) =>
    db
      .select({
        key: apiKeys,
        person: people,
        account: { name: organizations.name, at: organizations.createdAt },
      })
      .from(apiKeys)
      .leftJoin(people, eq(people.id, apiKeys.personId))
      .leftJoin(organizations, eq(organizations.id, apiKeys.organizationId))
      .orderBy(apiKeys.id)
      .$dynamic(),
  'a group of two tables, and SQL': (db: Database | Transaction) =>
    db
      .select({
        both: { lookup: apiKeys.lookup, person: people.name },
        upper: sql<string>`upper(${apiKeys.name})`.as('upper'),
        one: sql<number>`1`.mapWith(String),
        at: sql`${apiKeys.lastUsedAt}`.mapWith(apiKeys.lastUsedAt),
      })
      .from(apiKeys)
      .leftJoin(people, eq(people.id, apiKeys.personId))
      .orderBy(apiKeys.id)
      .$dynamic(),
};

test.each(Object.entries(STATEMENTS))('%s', async (name, compose) => {
  const { db } = database;
  const own = await compose(db);
  expect(own.length).toBeGreaterThan(0);
  const statement = prepared((db) => compose(db).prepare(`test_${name.replaceAll(' ', '_')}`));
  expect(await statement(db).execute()).toStrictEqual(own);
});
