/** Closed accounts take turns, whatever each of them has. What their workflows do stands in test/faults/closing.test.ts. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLOSING_LIMITS, createClosingActivities } from '../../activities/closing.ts';
import { loadConfig } from '../../contract/config.ts';
import { numbers, organizations } from '../../db/schema.ts';
import type { NumberWorkflows } from '../../temporal/numbers.ts';
import { TEMPORAL_DOWN } from '../api/harness.ts';
import { acceptNumber } from '../support/accepted.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
/** The accounts of the numbers that were asked to end, by name, in order. */
let asked: string[];

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  asked = [];
  await database.db.delete(numbers);
});
afterAll(() => database.drop());

async function accountWith(count: number, name: string): Promise<string> {
  const { id } = await createAccount(database.db, name);
  for (let index = 0; index < count; index += 1) await acceptNumber(database.db, id);
  return id;
}

async function close(id: string): Promise<void> {
  await database.db.update(organizations).set({ closedAt: new Date() }).where(eq(organizations.id, id));
}

/** Works closed accounts off, by pages of two. `ends` says what becomes of a number that was asked. */
function workOff(ends: (accountName: string) => Promise<boolean>) {
  const { db } = database;
  const workflows: NumberWorkflows = {
    ...TEMPORAL_DOWN,
    async withdraw(row) {
      const [account] = await db.select().from(organizations).where(eq(organizations.id, row.accountId));
      const name = account?.name ?? '';
      asked.push(name);
      if (await ends(name))
        await db.update(numbers).set({ status: 'WITHDRAWN' }).where(eq(numbers.id, row.id));
    },
  };
  const config = loadConfig({ NODE_ENV: 'test', DATABASE_URL: database.url });
  const logger = { info() {}, warn() {}, error() {} };
  const deps = { db, workflows, config, logger, stopping: new AbortController().signal };
  const limits = { ...CLOSING_LIMITS, page: 2, ending: 0 };
  return createClosingActivities(deps, limits).endNumbersOfClosedAccounts();
}

test('a small account is done in its first turn, beside a large one, also one that is closed meanwhile', async () => {
  await close(await accountWith(7, 'large'));
  await close(await accountWith(1, 'small'));
  const late = await accountWith(1, 'late');
  const ended = await workOff(async (name) => {
    if (name === 'small') await close(late);
    return true;
  });
  expect(ended).toEqual({ ended: 9 });
  expect(asked).toEqual([
    ...['large', 'large', 'small'],
    ...['large', 'large', 'late'],
    ...['large', 'large', 'large'],
  ]);
});

test('numbers that do not end give way to other accounts each time they were waited for', async () => {
  await close(await accountWith(1, 'stuck'));
  await close(await accountWith(3, 'other'));
  await expect(workOff(async (name) => name !== 'stuck')).rejects.toMatchObject({ type: 'numbers_left' });
  expect(asked).toEqual(['stuck', 'other', 'other', 'stuck', 'other', 'stuck']);
});
