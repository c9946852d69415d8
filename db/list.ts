/** Lists of numbers, newest first. What is filtered for makes the shape of a list: see list-plans.ts. */
import { and, desc, eq, sql } from 'drizzle-orm';
import type { QualityRating } from '../contract/facebook.ts';
import type { NumberStatus, WaitingFor } from '../contract/number.ts';
import type { Database } from './client.ts';
import { type Given, pickIds } from './list-plans.ts';
import { preparedByShape } from './prepared.ts';
import { containing, cut, type NumberOfAccount, type Page, type Tenant, withAccount } from './read.ts';
import { numbers } from './schema.ts';

export interface NumberFilter {
  status?: NumberStatus[] | undefined;
  waitingFor?: WaitingFor | undefined;
  /** E.164. */
  mobileNumber?: string | undefined;
  updatedSince?: Date | undefined;
  accountId?: string | undefined;
  /** Part of a display name or of a number; 3 characters or more. */
  q?: string | undefined;
  qualityRating?: QualityRating | undefined;
}

/** Newest first, from before the number `before`. */
export async function listNumbers(
  db: Database,
  tenant: Tenant,
  filter: NumberFilter,
  page: { limit: number; before: string | null },
): Promise<Page<NumberOfAccount, string>> {
  const { accountId = tenant, mobileNumber = null, updatedSince = null, waitingFor, q } = filter;
  const foreign = tenant !== null && accountId !== tenant;
  if (foreign) return { items: [], next: null };
  const given: Record<Given, unknown> = {
    accountId,
    statuses: filter.status ?? null,
    mobileNumber,
    qualityRating: filter.qualityRating ?? null,
    updatedSince: updatedSince?.toISOString() ?? null,
    name: q === undefined ? null : containing(q),
    digits: q === undefined ? null : digitsOf(q),
    before: page.before,
  };
  const names = (Object.keys(given) as Given[]).filter((name) => given[name] !== null);
  const found = await pageOf(db, { given: names, waitingFor }).execute({ ...given, limit: page.limit + 1 });
  return cut(found, page.limit, (last) => last.row.id);
}

/** Finds part of a phone number as people write it. Null: fewer digits would find half the table, without the index. */
function digitsOf(q: string): string | null {
  const digits = q.replace(/[\s().+-]/g, '');
  return /^\d{3,}$/.test(digits) ? containing(digits) : null;
}

interface Shape {
  given: Given[];
  waitingFor: WaitingFor | undefined;
}

const pageOf = preparedByShape('list', (db, { given, waitingFor }: Shape, name) => {
  const picked = sql`${numbers.id} = any (array(${pickIds(new Set(given), waitingFor)}))`;
  const mine = given.includes('accountId') ? eq(numbers.accountId, sql.placeholder('accountId')) : undefined;
  return withAccount(db).where(and(picked, mine)).orderBy(desc(numbers.id)).prepare(name);
});
