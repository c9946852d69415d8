/** The audit log: every filter finds what looking at each entry would, by a walk that ends early; old entries go. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AUDIT_TYPES } from '../../contract/audit.ts';
import {
  type AuditFilter,
  type AuditRow,
  deleteOldAudit,
  listAudit,
  pageOfAudit,
  recordAudit,
} from '../../db/audit.ts';
import { auditEvents } from '../../db/schema.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ENTRIES = 20_000;
/** Of the newest entry; each one before it is a minute older, but for some that were long under way. */
const NOW = Date.parse('2026-06-15T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000);

let database: TestDatabase;
/** Newest first. */
let all: AuditRow[];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.execute(sql`
    insert into audit_events (id, at, type, actor, account_id, target_id)
    select 'aud_' || n,
      ${minutesAgo(0).toISOString()}::timestamptz - make_interval(mins => ${ENTRIES}::int - n + case when n % 50 = 0 then 30 else 0 end),
      -- Nearly all are sign-ins; the first few are of a type that never comes again.
      case when n <= 5 then 'account.erased' when n % 400 = 0 then 'key.created' else 'session.started' end,
      case when n % 10 > 0 then jsonb_build_object('type', 'customer', 'id',
        case when n % 1000 = 7 then 'usr_rare' else 'usr_' || n % 3 end) end,
      -- Half of all are of one account, which made no key lately.
      case when n % 2 = 1 then 'org_large' when n % 500 = 8 then 'org_small' end,
      case when n % 3 = 1 then 'usr_target' when n <= 100 then 'key_old' end
    from generate_series(1, ${ENTRIES}::int) n`);
  await database.db.execute(sql`vacuum analyze audit_events`);
  all = (await database.db.select().from(auditEvents)).sort(
    (one, other) => other.at.getTime() - one.at.getTime() || other.seq - one.seq,
  );
});
afterAll(() => database.drop());

function matches(row: AuditRow, { type, accountId, targetId, actorId, since }: AuditFilter): boolean {
  return (
    (type?.includes(row.type) ?? true) &&
    (accountId === undefined || row.accountId === accountId) &&
    (targetId === undefined || row.targetId === targetId) &&
    (actorId === undefined || row.actor?.id === actorId) &&
    (since === undefined || row.at >= since)
  );
}

const about: AuditFilter[] = [
  {},
  { accountId: 'org_large' },
  { accountId: 'org_small' },
  { targetId: 'usr_target' },
  { targetId: 'key_old' },
  { actorId: 'usr_1' },
  { actorId: 'usr_rare' },
  { actorId: 'usr_nobody' },
  { accountId: 'org_large', actorId: 'usr_rare', targetId: 'usr_target' },
];
const types: AuditFilter[] = [
  {},
  { type: ['session.started'] },
  { type: ['account.erased'] },
  { type: ['key.created', 'account.erased', 'member.removed'] },
];
const times: AuditFilter[] = [{}, { since: minutesAgo(20) }, { since: minutesAgo(15_000) }];
const filters = about.flatMap((who) =>
  types.flatMap((what) => times.map((when) => ({ ...who, ...what, ...when }))),
);

test.each(filters)('%o', async (filter) => {
  const expected = all.filter((row) => matches(row, filter));
  const found: string[] = [];
  let before: number | null = null;
  for (let pages = 0; pages < 4; pages += 1) {
    const page = await listAudit(database.db, filter, { limit: 40, before });
    found.push(...page.items.map(({ id }) => id));
    before = page.next;
    if (before === null) break;
  }
  expect(found).toEqual(expected.slice(0, 160).map(({ id }) => id));
  expect(before !== null).toBe(expected.length > 160);

  // The first page, and one far down: neither looks at more entries than a page of each type.
  const deep = expected[Math.floor(expected.length * 0.9)]?.seq ?? null;
  for (const start of [null, deep]) {
    const limit = 41;
    const statement = pageOfAudit(database.db, filter, { limit, before: start }).getSQL();
    const { rows } = await database.db.execute<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      sql`explain (analyze, format json) ${statement}`,
    );
    const plan = rows[0]?.['QUERY PLAN'][0].Plan;
    expect(plan && lookedAt(plan), JSON.stringify(plan)).toBeLessThan((AUDIT_TYPES.length + 2) * limit);
  }
});

interface Plan {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: Plan[];
}

/** Entries that were read from the table or an index of it. */
function lookedAt(plan: Plan): number {
  const below = (plan.Plans ?? []).reduce((sum, one) => sum + lookedAt(one), 0);
  if (!plan['Node Type'].includes('Scan') || plan['Node Type'].startsWith('Bitmap Heap')) return below;
  return below + (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops'];
}

test('entries of one transaction, which have one time, are each on one page', async () => {
  const entries = Array.from({ length: 5 }, (_, n) => ({
    type: 'key.revoked' as const,
    actor: null,
    targetId: `key_${n}`,
  }));
  await database.db.transaction((tx) => recordAudit(tx, ...entries));
  const found: (string | null)[] = [];
  let before: number | null = null;
  do {
    const page = await listAudit(database.db, { type: ['key.revoked'] }, { limit: 2, before });
    found.push(...page.items.map(({ targetId }) => targetId));
    before = page.next;
  } while (before !== null);
  expect(found).toEqual(['key_4', 'key_3', 'key_2', 'key_1', 'key_0']);
});

test('old entries are deleted, a batch at a time, and none where they are kept for ever', async () => {
  const { db } = database;
  const days = (ago: number) => new Date(Date.now() - ago * 24 * 3_600_000);
  await db.delete(auditEvents);
  await db.insert(auditEvents).values(
    [399, 401, 402, 5_000].map((ago) => ({
      id: `aud_${ago}_days`,
      type: 'key.created' as const,
      at: days(ago),
    })),
  );
  const { next } = await listAudit(db, {}, { limit: 2, before: null });
  expect(await deleteOldAudit(db, 0)).toBe(0);
  expect(await deleteOldAudit(db, 400, 2)).toBe(2);
  expect(await deleteOldAudit(db, 400, 2)).toBe(1);
  expect(await deleteOldAudit(db, 400, 2)).toBe(0);
  // Whoever reads on from an entry that was deleted meanwhile is at the end.
  expect(await listAudit(db, {}, { limit: 2, before: next })).toEqual({ items: [], next: null });
  expect((await listAudit(db, {}, { limit: 2, before: null })).items.map(({ id }) => id)).toEqual([
    'aud_399_days',
  ]);
});
