/** Every shape of a list finds what looking at each number would, in order, wherever its plan changes over. */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nextStep } from '../../contract/next-action.ts';
import type { NumberStatus } from '../../contract/number.ts';
import { listNumbers, type NumberFilter } from '../../db/list.ts';
import { type NumberRow, stateOf } from '../../db/number-row.ts';
import { numbers } from '../../db/schema.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** More than a search looks through before it turns to the index of names. */
const NUMBERS = 12_000;
const LARGE = 'org_large';
const SMALL = 'org_small';

let database: TestDatabase;
/** Newest first. */
let all: NumberRow[];

beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.execute(
    sql`insert into organizations (id, name, slug) values (${LARGE}, 'Large', 'large'), (${SMALL}, 'Small', 'small')`,
  );
  await database.db.execute(sql`
    insert into numbers (id, account_id, mobile_number, display_name, business_category, status, attempt, revision,
      question, quality_rating, submitted_by, submitted_at, updated_at)
    select 'num_' || lpad(to_hex(n), 32, '0'), case when n % 20 = 0 then ${SMALL} else ${LARGE} end,
      '+1415' || (5550000 + case when n % 6 in (3, 4) then n % 1000 else n end),
      -- Frequent everywhere; one in a hundred; once; only among the old; among the newest few and the oldest.
      concat_ws(' ', 'Shop', n, case when n % 7 = 0 then 'ÄRMEL' end, case when n % 100 = 1 then 'Middle' end,
        case when n in (3, 7000) then 'rare_%' end, case when n < 3000 then 'Veteran' end,
        case when n > 11990 or n < 40 then 'Outer' end),
      'RETAIL',
      (array['APPROVED', 'APPROVED', 'APPROVED', 'REJECTED', 'WITHDRAWN', 'PENDING_VERIFICATION'])[1 + n % 6], 1, 1,
      case when n % 24 = 5 then '{}'::jsonb end,
      case when n % 6 in (0, 1) then case when n % 60 = 1 then 'FLAGGED' else 'CONNECTED' end end, '{"type": "customer", "id": null}', now(),
      case when n % 3 = 0 then timestamptz '2026-06-01' when n % 500 = 1 then timestamptz '2026-09-01'
        else timestamptz '2026-01-01' end
    from generate_series(1, ${NUMBERS}::int) n`);
  all = (await database.db.select().from(numbers)).sort((one, other) => (one.id < other.id ? 1 : -1));
});
afterAll(() => database.drop());

/** As each number's own view says. */
const waitsFor = (row: NumberRow) => nextStep(stateOf(row)).waitingFor;

function matches(
  row: NumberRow,
  { q, status, waitingFor, updatedSince, mobileNumber, qualityRating }: NumberFilter,
): boolean {
  const digits = q?.replace(/[\s+]/g, '') ?? '';
  const inNumber = /^\d+$/.test(digits) && row.mobileNumber.includes(digits);
  return (
    (status?.includes(row.status) ?? true) &&
    (waitingFor === undefined || waitsFor(row) === waitingFor) &&
    (updatedSince === undefined || row.updatedAt >= updatedSince.toISOString()) &&
    (qualityRating === undefined || row.qualityRating === qualityRating) &&
    (mobileNumber === undefined || row.mobileNumber === mobileNumber) &&
    (q === undefined || row.displayName.toLowerCase().includes(q.toLowerCase()) || inNumber)
  );
}

const TEXTS = ['ärmel', 'Middle', 'rare_%', 'Veteran', 'Outer', 'nowhere', '1415', '+1 415 5550', '551000'];
const STATUSES: NumberStatus[][] = [['REJECTED'], ['PENDING_VERIFICATION', 'WITHDRAWN'], ['RELEASED'], []];
const SINCE = ['2026-05-01', '2026-08-01', '2027-01-01'].map((day) => new Date(day));
const filters: NumberFilter[] = [
  {},
  ...TEXTS.map((q) => ({ q })),
  ...STATUSES.map((status) => ({ status })),
  ...SINCE.map((updatedSince) => ({ updatedSince })),
  ...(['support', 'facebook', 'customer'] as const).map((waitingFor) => ({ waitingFor })),
  { mobileNumber: '+14155550010' },
  { mobileNumber: '+14155550010', status: ['APPROVED'] },
  ...TEXTS.flatMap((q) => STATUSES.map((status) => ({ q, status }))),
  ...STATUSES.flatMap((status) => SINCE.map((updatedSince) => ({ status, updatedSince }))),
  ...SINCE.map((updatedSince) => ({ updatedSince, q: 'Middle', waitingFor: 'customer' as const })),
  ...(['CONNECTED', 'FLAGGED', 'RESTRICTED'] as const).flatMap((qualityRating): NumberFilter[] => [
    { qualityRating },
    { qualityRating, status: ['APPROVED', 'RELEASED'] },
    { qualityRating, q: 'ärmel' },
    { qualityRating, updatedSince: new Date('2026-05-01') },
    { qualityRating, mobileNumber: '+14155550010' },
  ]),
  { waitingFor: 'customer', status: ['REJECTED', 'APPROVED'] },
  { waitingFor: 'support', updatedSince: new Date('2026-05-01') },
];

test.each(filters)('%o', async (filter) => {
  for (const tenant of [LARGE, SMALL, null]) {
    const expected = all.filter(
      (row) => (tenant === null || row.accountId === tenant) && matches(row, filter),
    );
    const found: string[] = [];
    // The first pages, and then one far down.
    for (let before: string | null = null, pages = 0; pages < 4; pages++) {
      const page = await listNumbers(database.db, tenant, filter, { limit: 40, before });
      found.push(...page.items.map(({ row }) => row.id));
      before = page.next;
      if (before === null) break;
    }
    expect(found).toEqual(expected.slice(0, 160).map(({ id }) => id));
    const deep = expected[Math.floor(expected.length * 0.9)];
    if (!deep) continue;
    const page = await listNumbers(database.db, tenant, filter, { limit: 100, before: deep.id });
    const rest = expected.slice(expected.indexOf(deep) + 1);
    expect(page.items.map(({ row }) => row.id)).toEqual(rest.slice(0, 100).map(({ id }) => id));
    expect(page.next).toBe(rest.length > 100 ? rest[99]?.id : null);
  }
});

test('an account is seen by itself and by staff', async () => {
  const page = { limit: 5, before: null };
  const ids = async (tenant: string | null, accountId: string) =>
    (await listNumbers(database.db, tenant, { accountId }, page)).items.map(({ row }) => row.id);
  const small = all.filter((row) => row.accountId === SMALL).map(({ id }) => id);
  expect(await ids(null, SMALL)).toEqual(small.slice(0, 5));
  expect(await ids(SMALL, SMALL)).toEqual(small.slice(0, 5));
  expect(await ids(LARGE, SMALL)).toEqual([]);
});
