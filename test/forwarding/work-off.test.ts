import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Change } from '../../db/changes.ts';
import { events } from '../../db/schema.ts';
import { storeUpdates } from '../../db/updates.ts';
import { until } from '../../dev/until.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { connectWaba, messageUpdate, numberAtMeta, startForwarding } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a change is worked off once that goes well, and tried again until it does', async () => {
  const { db } = database;
  const accountId = (await createAccount(db)).id;
  const waba = await connectWaba(db, accountId);
  const number = await numberAtMeta(db, accountId, waba.id);
  const at = new Date('2026-11-20T10:00:00Z');
  const value = { display_phone_number: number.digits, decision: 'APPROVED' };
  await storeUpdates(db, [
    messageUpdate(waba, number, {
      ...{ type: 'change', field: 'phone_number_name_update', at, content: JSON.stringify(value) },
    }),
  ]);
  const tried: Change[] = [];
  const workOffChange = async (change: Change) => {
    tried.push(change);
    if (tried.length === 1) throw new Error('Temporal is away');
  };
  const forwarding = await startForwarding(database, {}, { workOffChange });
  try {
    await until(async () => {
      const [event] = await db.select().from(events).where(eq(events.numberId, number.id));
      expect(event?.workedOffAt).not.toBeNull();
    }, AbortSignal.timeout(30_000));
    const { wabaId, id: connectionId } = waba;
    const change = { wabaId, connectionId, accountId, numberId: number.id, at, value };
    expect(tried).toHaveLength(2);
    expect(tried[1]).toMatchObject({ ...change, field: 'phone_number_name_update' });
  } finally {
    await forwarding.stop();
  }
});
