/** What is asked for: lists as clients ask for them, with the statements that the product runs for each. */
import pg from 'pg';
import { PENDING_STATUSES } from '../../contract/number.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { type Database, openDatabase } from '../../db/client.ts';
import { listNumbers, type NumberFilter } from '../../db/list.ts';
import type { Tenant } from '../../db/read.ts';
import { listReviews, type ReviewFilter } from '../../db/reviews.ts';
import type { BareRoute, Statement } from './bare.ts';

const LIMIT = 50;
const PAGE = 5_000;
const DAY_MS = 86_400_000;

export interface Shape extends BareRoute {
  /** Of the product. */
  path: string;
  key: string;
}

/** Whoever asks: an account, or staff. */
interface Reader {
  tenant: Tenant;
  key: string;
}

interface Asked extends NumberFilter {
  /** The number that the page comes after. */
  before?: string;
}

/** Plans the lists, of the largest account and of staff. Makes keys for both. */
export async function planShapes(databaseUrl: string): Promise<Shape[]> {
  const db = openDatabase({ DATABASE_URL: databaseUrl, DATABASE_POOL: 2 }, { name: 'bench' });
  try {
    const account = await only(
      db,
      'select account_id as id from numbers group by account_id order by count(*) desc limit 1',
    );
    const supporter = await only(db, "select id from people where role = 'support' limit 1");
    const before = await only(
      db,
      `select id from numbers where account_id = '${account}' order by id desc offset ${(PAGE - 1) * LIMIT - 1} limit 1`,
    );
    const key = { name: 'bench:list', scopes: ['read' as const] };
    const customer: Reader = {
      tenant: account,
      key: (await createApiKey(db, { ...key, organizationId: account })).key,
    };
    const staff: Reader = {
      tenant: null,
      key: (await createApiKey(db, { ...key, personId: supporter })).key,
    };
    const updatedSince = new Date(Date.now() - 3 * DAY_MS);
    const list = (name: string, asked: Asked, of = customer) => planList(db, name, asked, of);
    const reviews = (name: string, filter: ReviewFilter) => planReviews(db, name, filter, staff.key);
    return [
      await list('first page', {}),
      await list('page 5000', { before }),
      await list('status', { status: ['REJECTED'] }),
      await list('status page 5000', { status: ['APPROVED', 'RELEASED'], before }),
      await list('pending page 5000', { status: [...PENDING_STATUSES], before }),
      await list('waitingFor', { waitingFor: 'customer' }),
      await list('updatedSince', { updatedSince }),
      await list('updatedSince page 5000', { updatedSince, before }),
      await list('search, 13 hits in 100', { q: 'ard' }),
      await list('search, 1 hit in 100', { q: 'eri' }),
      await list('search, 3 hits in 1000', { q: 'mol' }),
      await list('search, 4 hits in 100000', { q: 'sox' }),
      await list('search, no hit', { q: 'zzz' }),
      await list('search, digits', { q: '415' }),
      await list('staff', {}, staff),
      await list('staff status', { status: ['REJECTED'] }, staff),
      await list('staff search, 3 hits in 1000', { q: 'mol' }, staff),
      await reviews('reviews', {}),
      await reviews('reviews stage', { stage: 'verification' }),
    ];
  } finally {
    await db.close();
  }
}

async function planList(
  db: Database,
  name: string,
  { before, ...filter }: Asked,
  { tenant, key }: Reader,
): Promise<Shape> {
  const query = new URLSearchParams();
  for (const [parameter, value] of Object.entries(filter)) {
    for (const one of [value ?? []].flat()) {
      query.append(parameter, one instanceof Date ? one.toISOString() : one);
    }
  }
  if (before) query.set('cursor', Buffer.from(JSON.stringify(before)).toString('base64url'));
  const page = { limit: LIMIT, before: before ?? null };
  return {
    ...{ name, key, kind: 'numbers', staff: tenant === null },
    path: `/v1/numbers?${query}`,
    statements: await recorded(() => listNumbers(db, tenant, filter, page)),
  };
}

async function planReviews(db: Database, name: string, filter: ReviewFilter, key: string): Promise<Shape> {
  return {
    ...{ name, key, kind: 'reviews', staff: true },
    path: `/v1/reviews?${new URLSearchParams(filter as Record<string, string>)}`,
    statements: await recorded(() => listReviews(db, filter, { limit: LIMIT, after: null })),
  };
}

async function only(db: Database, query: string): Promise<string> {
  const { rows } = await db.$client.query<{ id: string }>(query);
  const [row] = rows;
  if (!row) throw new Error('The database is not seeded.');
  return row.id;
}

/** What is asked of PostgreSQL meanwhile, as the driver is given it. */
async function recorded(work: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (
    this: pg.Client,
    asked: { text: string },
    values: unknown[],
    ...rest: unknown[]
  ) {
    statements.push({ text: asked.text, values });
    return (query as unknown as (...given: unknown[]) => unknown).call(this, asked, values, ...rest);
  } as never;
  try {
    await work();
    return statements;
  } finally {
    pg.Client.prototype.query = query;
  }
}
