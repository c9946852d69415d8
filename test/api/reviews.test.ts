/** What reviewers see in the queue: its order, its filters, what was wrong before, and what to look at. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../contract/ids.ts';
import type { Decision } from '../../contract/number.ts';
import type { ReviewView } from '../../contract/reviews.ts';
import { claims, numberEvents, numbers } from '../../db/schema.ts';
import { freshNumber, readNumber } from '../support/accepted.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { startTestApi, submit, type TestApi } from './harness.ts';

const MINUTE = 60_000;

let api: TestApi;
let account: Awaited<ReturnType<typeof createAccount>>;
let support: { id: string; key: string };
let operator: { key: string };

beforeAll(async () => {
  api = await startTestApi();
  support = await createStaff(api.db, 'support');
  operator = await createStaff(api.db, 'operator');
});
beforeEach(async () => {
  await api.db.delete(claims);
  await api.db.delete(numberEvents);
  await api.db.delete(numbers);
  account = await createAccount(api.db);
});
afterAll(() => api.close());

const set = (id: string, values: Partial<typeof numbers.$inferInsert>) =>
  api.db.update(numbers).set(values).where(eq(numbers.id, id));
const ago = (minutes: number) => new Date(Date.now() - minutes * MINUTE).toISOString();

async function read<T>(path: string, as = support): Promise<T> {
  const response = await api.call(as.key, 'GET', path);
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function queue(query = ''): Promise<string[]> {
  const { items } = await read<{ items: ReviewView[] }>(`/v1/reviews${query}`);
  return items.map((item) => item.number.id);
}

/** A number that has waited for so long, in minutes. */
async function waiting(minutes: number, values: Partial<typeof numbers.$inferInsert> = {}): Promise<string> {
  const { id } = await submit(api.call, account.key);
  await set(id, { waitingSince: ago(minutes), ...values });
  return id;
}

const claim = (id: string, as = support) => api.call(as.key, 'PUT', `/v1/numbers/${id}/claim`);

describe('the queue', () => {
  it('has resubmissions first, then the longest waiting, over both stages and all pages', async () => {
    const facebook = { status: 'PENDING_FACEBOOK_APPROVAL' } as const;
    const again = { attempt: 2 };
    const c = await waiting(9);
    const d = await waiting(8, facebook);
    const b = await waiting(2, again);
    const a = await waiting(3, { ...again, ...facebook });
    const e = await waiting(7);
    expect(await queue()).toEqual([a, b, c, d, e]);
    expect(await queue('?stage=facebook')).toEqual([a, d]);
    const paged: string[] = [];
    for (let url: string | null = '/v1/reviews?limit=1'; url; ) {
      const page: { items: ReviewView[]; nextCursor: string | null } = await read(url);
      paged.push(...page.items.map((item) => item.number.id));
      url = page.nextCursor && `/v1/reviews?limit=1&cursor=${page.nextCursor}`;
    }
    expect(paged).toEqual([a, b, c, d, e]);
  });

  it('is filtered by who has claimed it', async () => {
    const other = await createStaff(api.db, 'support');
    const [a, b, c] = [await waiting(3), await waiting(2), await waiting(1)];
    await claim(a);
    await claim(b, other);
    expect(await queue('?claimedBy=me')).toEqual([a]);
    expect(await queue(`?claimedBy=${other.id}`)).toEqual([b]);
    expect(await queue('?claimedBy=none')).toEqual([c]);
    await set(a, { attempt: 2 });
    expect(await queue('?claimedBy=me')).toEqual([]);
    expect(await queue('?claimedBy=none')).toEqual([a, c]);
    expect(await queue(`?claimedBy=usr_${'0'.repeat(32)}`)).toEqual([]);
  });

  it('is counted by stage', async () => {
    const by = { type: 'support', id: support.id } as const;
    const question = {
      operationId: newId('op'),
      at: ago(1),
      by,
      remainingMs: 0,
      text: 'Is it yours?',
      fields: [],
    };
    const late = { dueAt: ago(1) };
    const a = await waiting(9, late);
    await waiting(3);
    await waiting(2, { question });
    await waiting(1, { question, ...late });
    await waiting(4, { status: 'APPROVED', ...late });
    await claim(a);
    const empty = { waiting: 0, overdue: 0, claimed: 0, waitingForCustomer: 0, oldestWaitingSince: null };
    const summary = await read<Record<string, object>>('/v1/reviews/summary', operator as typeof support);
    const oldestWaitingSince = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(summary).toEqual({
      verification: { waiting: 2, overdue: 2, claimed: 1, waitingForCustomer: 2, oldestWaitingSince },
      facebook: empty,
    });
    const { items } = await read<{ items: ReviewView[] }>('/v1/reviews?limit=1');
    expect(summary).toMatchObject({ verification: { oldestWaitingSince: items[0]?.waitingSince } });
  });
});

describe('a resubmission', () => {
  it.each(['support', 'facebook'] as const)('shows why %s rejected it, and what has changed', async (by) => {
    const { id } = await submit(api.call, account.key, { address: 'Via Dante 1' });
    const rejected: Decision = {
      decisionId: newId('op'),
      outcome: 'rejected',
      reason: 'The address is not yours.',
      code: 'address_mismatch',
      fields: ['address'],
      by: { type: 'support', id: support.id },
      at: '2026-11-03T10:00:00.000Z',
    };
    await set(id, {
      status: 'REJECTED',
      [by === 'support' ? 'verification' : 'facebookDecision']: rejected,
    });
    const { decisionId: operationId, outcome: _, by: actor, at, ...data } = rejected;
    await api.db.insert(numberEvents).values({
      id: newId('evt'),
      numberId: id,
      attempt: 1,
      revision: 2,
      type: by === 'support' ? 'verification.rejected' : 'facebook.rejected',
      at: new Date(at),
      actor,
      data,
      operationId,
    });
    await set(id, { revision: 2 });
    const changes = { address: 'Via Roma 1', website: 'https://widgets.com' };
    await api.call(account.key, 'POST', `/v1/numbers/${id}/resubmission`, changes);
    const { items } = await read<{ items: ReviewView[] }>('/v1/reviews');
    expect(items[0]?.previous).toEqual({
      rejection: { by, at, ...data },
      changes: {
        address: { from: 'Via Dante 1', to: 'Via Roma 1' },
        website: { from: null, to: 'https://widgets.com' },
      },
    });
    expect((await claim(id)).json().previous).toEqual(items[0]?.previous);
  });
});

describe('warnings', () => {
  const warningsOf = async (id: string) => {
    const { items } = await read<{ items: ReviewView[] }>('/v1/reviews?limit=100');
    return items.find((item) => item.number.id === id)?.warnings ?? expect.fail('not in the queue');
  };

  it('say what to look at', async () => {
    const { id } = await submit(api.call, account.key, {
      mobileNumber: '+1 (555) 555-0123',
      displayName: 'WIDGETS',
      contactEmail: 'widgets@gmail.com',
    });
    expect((await warningsOf(id)).map(({ code }) => code)).toEqual([
      'number_not_valid',
      'name_all_caps',
      'contact_free_mail',
    ]);
  });

  it('tell how alike submissions ended, in whatever account, but not of own approved ones', async () => {
    const other = await createAccount(api.db, 'Other');
    const ended = async (key: string, fields: object, values: Partial<typeof numbers.$inferInsert>) => {
      const { id } = await submit(api.call, key, fields as Record<string, unknown>);
      await set(id, { decidedAt: ago(60), dueAt: null, waitingSince: null, ...values });
      return id;
    };
    const website = 'https://acme.com';
    const rejection = { outcome: 'rejected', reason: 'Not yours.', by: { type: 'support', id: 'usr_1' } };
    const verification = rejection as unknown as Decision;
    const mobileNumber = '+14155559999';
    const a = await ended(
      other.key,
      { displayName: 'acme', mobileNumber },
      { status: 'REJECTED', verification },
    );
    const b = await ended(
      other.key,
      { website, displayName: 'Another' },
      { status: 'APPROVED', decidedAt: ago(30) },
    );
    const c = await ended(account.key, { displayName: 'ACME' }, { status: 'WITHDRAWN', decidedAt: ago(20) });
    await ended(account.key, { displayName: 'Acme', website }, { status: 'APPROVED' });
    await ended(other.key, { displayName: 'Acme Two', website: `${website}/two` }, { status: 'RELEASED' });
    await submit(api.call, other.key, { displayName: 'Acme' });
    const { id } = await submit(api.call, account.key, { displayName: 'Acme', website, mobileNumber });

    const warnings = await warningsOf(id);
    expect(warnings.map(({ code }) => code)).toEqual(Array(3).fill('earlier_decision'));
    expect(warnings.map(({ earlier }) => earlier)).toEqual([
      {
        numberId: c,
        account: { id: account.id, name: 'Widgets Inc.' },
        same: ['displayName'],
        outcome: 'withdrawn',
        reason: null,
        at: expect.any(String),
      },
      expect.objectContaining({ numberId: b, same: ['website'], outcome: 'approved', reason: null }),
      expect.objectContaining({
        numberId: a,
        account: { id: other.id, name: 'Other' },
        same: ['mobileNumber', 'displayName'],
        outcome: 'rejected',
        reason: 'Not yours.',
      }),
    ]);
    const seen = await api.call(account.key, 'GET', `/v1/numbers/${id}`);
    expect(seen.body).not.toContain(a);
  });

  it('name the latest few where there are many', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) {
      const { id } = await submit(api.call, account.key, { displayName: 'Acme' });
      await set(id, { status: 'WITHDRAWN', decidedAt: ago(60 - index) });
      ids.unshift(id);
    }
    const { id } = await submit(api.call, account.key, { displayName: 'Acme' });
    expect((await warningsOf(id)).map(({ earlier }) => earlier?.numberId)).toEqual(ids.slice(0, 3));
  });

  it('tell of a rejection also where many own approved ones came after it', async () => {
    const website = 'https://chain.example';
    const rejected = await submit(api.call, account.key, { website, displayName: 'Chain' });
    await set(rejected.id, { status: 'REJECTED', decidedAt: ago(90) });
    const own = await readNumber(api.db, rejected.id);
    const approved = Array.from({ length: 30 }, (_, index) => ({
      ...own,
      id: newId('num'),
      mobileNumber: freshNumber(),
      status: 'APPROVED' as const,
      decidedAt: ago(index),
    }));
    await api.db.insert(numbers).values(approved);
    const { id } = await submit(api.call, account.key, { website, displayName: 'Chain' });
    expect((await warningsOf(id)).map(({ earlier }) => earlier)).toMatchObject([
      { numberId: rejected.id, same: ['displayName', 'website'] },
    ]);
  });
});
