/** Targets as customers see them: how they do, switching them on again, their secrets, a test. */
import { and, eq, sql } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { secretsOf } from '../../auth/secrets.ts';
import { newId, uuidOf } from '../../contract/ids.ts';
import type { NumberRow } from '../../db/number-row.ts';
import {
  auditEvents,
  deliveries,
  events,
  idempotencyRecords,
  numberEvents,
  numbers,
  targets,
} from '../../db/schema.ts';
import { targetSecrets } from '../../targets/secrets.ts';
import { acceptNumber } from '../support/accepted.ts';
import { callbackProfile } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

const HOUR = 3_600_000;
let api: TestApi;
let key: string;
let accountId: string;
let profileId: string;
let number: NumberRow;

beforeAll(async () => {
  api = await startTestApi();
});
beforeEach(async () => {
  ({ key, id: accountId } = await createAccount(api.db));
  profileId = await callbackProfile(api.db, accountId);
  number = await acceptNumber(api.db, accountId, {
    status: 'APPROVED',
    incomingUrl: 'https://example.com/in',
    callbackProfileId: profileId,
  });
  await jobs();
});
afterAll(() => api.close());

const get = async (url: string) => (await api.call(key, 'GET', url)).json();
const post = (url: string, body?: object, headers = {}) => api.call(key, 'POST', url, body, headers);
const incoming = (rest = '') => `/v1/numbers/${number.id}/incoming-url${rest}`;
const test = (target: string) => post(`/v1/numbers/${number.id}/test-event`, { target });
const profile = (rest = '') => `/v1/callback-profiles/${profileId}${rest}`;
const ON = {
  state: 'on',
  offSince: null,
  offReason: null,
  failingSince: null,
  pausedUntil: null,
  lastSuccessAt: null,
};

async function jobs(): Promise<string[]> {
  const { rows } = await api.db.execute<{ payload: { targets: string[] } }>(
    sql`delete from graphile_worker._private_jobs returning payload`,
  );
  return rows.flatMap(({ payload }) => payload.targets);
}

/** A target as forwarding switches it off. */
async function off(id: string, kind: 'incoming' | 'callback'): Promise<void> {
  const at = new Date();
  await api.db.insert(targets).values({
    ...{ id, accountId, kind, offAt: at, offReason: 'failing', failures: 900 },
    failingSince: new Date(at.getTime() - 120 * HOUR),
    openUntil: new Date(at.getTime() + HOUR),
  });
}
const timeline = async () =>
  (await get(`/v1/numbers/${number.id}/events`)).items.map(
    ({ type, actor, data }: Record<string, unknown>) => ({ type, actor, data }),
  );

describe('a target', () => {
  it('tells how it does', async () => {
    expect(await get(incoming())).toEqual({ url: 'https://example.com/in', ...ON });
    expect(await get(profile())).toMatchObject({ target: ON });
    await off(number.id, 'incoming');
    await off(profileId, 'callback');
    const told = {
      state: 'off',
      offSince: expect.any(String),
      offReason: 'failing',
      failingSince: expect.any(String),
      pausedUntil: expect.any(String),
      lastSuccessAt: null,
    };
    expect(await get(incoming())).toEqual({ url: 'https://example.com/in', ...told });
    expect(await get(profile())).toMatchObject({ target: told });
    const { items } = await get('/v1/callback-profiles');
    expect(items).toMatchObject([{ id: profileId, target: told }]);
  });

  it.each(['incoming', 'callback'] as const)('%s is switched on again: what waits is due', async (kind) => {
    const id = kind === 'incoming' ? number.id : profileId;
    const at = kind === 'incoming' ? incoming('/enable') : profile('/enable');
    const { deliveryId } = (await test(kind)).json();
    const isIt = eq(deliveries.id, uuidOf('dlv', deliveryId) ?? '');
    await api.db
      .update(deliveries)
      .set({ nextAt: new Date(Date.now() + HOUR) })
      .where(isIt);
    await api.db.delete(targets).where(eq(targets.id, id));
    await off(id, kind);
    await jobs();

    const answer = await post(at);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject(kind === 'incoming' ? ON : { target: ON });
    const [row] = await api.db.select().from(deliveries).where(isIt);
    expect(row?.nextAt.getTime()).toBeLessThanOrEqual(Date.now());
    expect(await jobs()).toEqual([id]);
    const event = {
      type: 'target.on',
      actor: { type: 'customer', id: expect.stringMatching(/^key_/) },
      data: { target: kind, ...(kind === 'callback' && { callbackProfileId: profileId }) },
    };
    expect((await timeline()).slice(1)).toEqual([event]);
    // It is on: nothing is to be done.
    expect((await post(at)).statusCode).toBe(200);
    expect(await jobs()).toEqual([]);
    expect(await timeline()).toHaveLength(2);
  });

  it('of another account does not exist', async () => {
    const other = (await createAccount(api.db)).key;
    await off(number.id, 'incoming');
    const calls = [
      ['GET', incoming()],
      ['POST', incoming('/enable')],
      ['POST', profile('/enable')],
      ['POST', profile('/secret')],
      ['POST', `/v1/numbers/${number.id}/incoming-secret`],
    ] as const;
    for (const [method, url] of calls) expect((await api.call(other, method, url)).statusCode).toBe(404);
    const body = { target: 'callback' };
    const tried = await api.call(other, 'POST', `/v1/numbers/${number.id}/test-event`, body);
    expect(tried.statusCode).toBe(404);
    const [row] = await api.db.select().from(targets).where(eq(targets.id, number.id));
    expect(row).toMatchObject({ offReason: 'failing', secret: null });
  });
});

describe('a secret', () => {
  const draw = (headers = {}) => post(`/v1/numbers/${number.id}/incoming-secret`, undefined, headers);
  const kept = async (id: string) => {
    const [row] = await api.db.select().from(targets).where(eq(targets.id, id));
    const { open } = targetSecrets(secretsOf(api.config));
    return {
      secret: row?.secret && (await open(row.secret)),
      previous: row?.previousSecret && (await open(row.previousSecret)),
      until: row?.previousValidUntil,
    };
  };

  it('is drawn, and the one before it signs along for a day', async () => {
    const first = (await draw()).json();
    expect(first).toEqual({ secret: expect.stringMatching(/^whsec_/), previousValidUntil: null });
    // As those who verify with it take it.
    expect(() => new Webhook(first.secret).sign('evt_1', new Date(), '{}')).not.toThrow();
    const second = (await draw()).json();
    expect(second.secret).not.toBe(first.secret);
    const left = Date.parse(second.previousValidUntil) - Date.now();
    expect(left).toBeGreaterThan(23 * HOUR);
    expect(left).toBeLessThanOrEqual(24 * HOUR);
    expect(await kept(number.id)).toEqual({
      secret: second.secret,
      previous: first.secret,
      until: new Date(second.previousValidUntil),
    });
    const audited = await api.db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.type, 'secret.drawn'), eq(auditEvents.targetId, number.id)));
    expect(audited).toMatchObject([{ accountId }, { accountId }]);
  });

  it('is answered again to a repeat, though none is stored or told that could be read', async () => {
    const headers = { 'idempotency-key': newId('op') };
    const first = await draw(headers);
    const again = await draw(headers);
    expect([again.statusCode, again.json()]).toEqual([200, first.json()]);
    const { secret } = first.json();
    const body = { name: 'Orders', url: 'https://192.0.2.1.example.com' };
    const creation = { 'idempotency-key': newId('op') };
    const created = await post('/v1/callback-profiles', body, creation);
    expect(created.statusCode).toBe(201);
    expect(await kept(created.json().id)).toMatchObject({ secret: created.json().secret, previous: null });
    expect((await post('/v1/callback-profiles', body, creation)).json()).toEqual(created.json());
    const { id } = created.json();
    expect(JSON.stringify(await get(`/v1/callback-profiles/${id}`))).not.toContain('whsec_');

    for (const table of [targets, idempotencyRecords, auditEvents, numberEvents]) {
      const { rows } = await api.db.execute(sql`select t::text as row from ${table} t`);
      for (const hidden of [secret, created.json().secret]) {
        expect(JSON.stringify(rows)).not.toContain(hidden.slice('whsec_'.length));
      }
    }
  });

  it('of a callback profile is drawn anew', async () => {
    const { secret, previousValidUntil } = (await post(profile('/secret'))).json();
    expect(previousValidUntil).toBeNull();
    expect(await kept(profileId)).toMatchObject({ secret });
  });
});

describe('a test', () => {
  it.each(['incoming', 'callback'] as const)('is on its way to %s', async (target) => {
    const answer = await test(target);
    expect(answer.statusCode).toBe(202);
    const delivery = await get(`/v1/deliveries/${answer.json().deliveryId}`);
    expect(delivery).toMatchObject({ type: 'test', target, status: 'pending', attempts: [] });
    expect(await jobs()).toEqual([target === 'incoming' ? number.id : profileId]);
    const [event] = await api.db.select().from(events).where(eq(events.numberId, number.id));
    expect(event).toMatchObject({ type: 'test', content: JSON.stringify({ target }) });
  });

  it('is sent once for one Idempotency-Key, and each waits for no other', async () => {
    const headers = { 'idempotency-key': newId('op') };
    const body = { target: 'incoming' };
    const first = await post(`/v1/numbers/${number.id}/test-event`, body, headers);
    expect((await post(`/v1/numbers/${number.id}/test-event`, body, headers)).json()).toEqual(first.json());
    await test('incoming');
    const rows = await api.db.select().from(deliveries).where(eq(deliveries.numberId, number.id));
    expect(new Set(rows.map(({ conversation }) => conversation)).size).toBe(2);
  });

  it('is refused where it has nowhere to go, with what to do', async () => {
    const refusal = async (target: string) => {
      const answer = await test(target);
      const { code, detail } = problemOf(answer);
      return [answer.statusCode, code, detail];
    };
    const change = (changes: Partial<NumberRow>) =>
      api.db.update(numbers).set(changes).where(eq(numbers.id, number.id));
    await change({ status: 'PENDING_VERIFICATION' });
    expect(await refusal('incoming')).toEqual([409, 'not_approved', expect.stringContaining('when it is')]);
    expect((await test('callback')).statusCode).toBe(202);
    await change({ incomingUrl: null, callbackProfileId: null });
    expect(await refusal('incoming')).toEqual([409, 'no_target', expect.stringContaining('Incoming URL')]);
    expect(await refusal('callback')).toEqual([
      409,
      'no_target',
      expect.stringContaining('callback profile'),
    ]);
    await change({ callbackProfileId: profileId });
    await api.call(key, 'PATCH', profile(), { active: false });
    expect(await refusal('callback')).toEqual([409, 'no_target', expect.stringContaining('active')]);
    expect(problemOf(await test('both'))).toMatchObject({ code: 'invalid_request' });
  });
});
