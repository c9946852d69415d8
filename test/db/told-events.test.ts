/** What a number's Incoming URL is told of its changes: stored in the transaction that saves them. */
import { asc, eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FacebookNews } from '../../contract/facebook.ts';
import type { NumberEvent, NumberState, SaveRequest } from '../../contract/number.ts';
import { acceptResubmission } from '../../db/accept.ts';
import { type NumberRow, stateOf } from '../../db/number-row.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { saveNumber } from '../../db/save.ts';
import { deliveries, events } from '../../db/schema.ts';
import { apply, type Command } from '../../workflows/lifecycle.ts';
import { acceptNumber, readNumber } from '../support/accepted.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { AN_HOUR_LATER, CUSTOMER, decision } from '../support/number-state.ts';
import { createAccount } from '../support/stack.ts';

let database: TestDatabase;
let accountId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  accountId = (await createAccount(database.db)).id;
});
afterAll(() => database.drop());

const save = (request: SaveRequest) => saveNumber(database.db, request, 'numbers.example');
const toldOf = async ({ id }: NumberRow) => {
  const rows = await database.db
    .select({ event: events, delivery: deliveries })
    .from(events)
    .leftJoin(deliveries, eq(deliveries.id, events.id))
    .where(eq(events.numberId, id))
    .orderBy(asc(events.id));
  return rows.map(({ event, delivery }) => ({
    type: event.type,
    target: delivery?.targetId,
    data: JSON.parse(event.content),
  }));
};

/** What the workflow would save after these commands. */
function after(row: NumberRow, ...commands: Command[]): SaveRequest {
  let state: NumberState = stateOf(row);
  const made: NumberEvent[] = [];
  for (const command of commands) {
    const outcome = apply(state, command, { ...AN_HOUR_LATER, now: new Date().toISOString() });
    if ('refused' in outcome) throw new Error(outcome.refused);
    state = outcome.state;
    made.push(...outcome.events);
  }
  return { numberId: row.id, state, events: made };
}

const verify = (outcome: 'approved' | 'rejected' = 'approved'): Command => ({
  type: 'verify',
  decision: decision({ decisionId: 'op_verify', outcome }),
});
const approve: Command = { type: 'decideFacebook', decision: decision({ decisionId: 'op_facebook' }) };
const news = (operationId: string, heard: Partial<FacebookNews>): Command => ({
  type: 'facebookNews',
  operationId,
  news: { source: 'poll', at: '2026-11-28T10:00:00.000Z', ...heard },
});

test('each change of the status, the quality and the limit is told once, in order', async () => {
  const row = await acceptNumber(database.db, accountId, { incomingUrl: 'https://example.com/in' });
  await save(after(row, verify()));
  await save(after(await readNumber(database.db, row.id), approve));
  const approved = await readNumber(database.db, row.id);
  const heard = after(
    approved,
    news('op_1', {
      quality: { connectionStatus: 'CONNECTED', color: 'GREEN' },
      limit: { limit: 'TIER_250', scope: 'portfolio' },
    }),
  );
  expect(heard.events.map(({ type }) => type)).toEqual([
    'quality.changed',
    'status.changed',
    'limit.changed',
  ]);
  expect(await save(heard)).toEqual({ kind: 'saved' });
  // A repeat after a lost answer.
  expect(await save(heard)).toMatchObject({ kind: 'ahead' });
  const flagged = news('op_2', { quality: { connectionStatus: 'FLAGGED' } });
  const { events: last, ...rest } = after(await readNumber(database.db, row.id), flagged, {
    type: 'edit',
    operationId: 'op_3',
    by: CUSTOMER,
    changes: { website: 'https://a.example' },
  });
  await save({ ...rest, events: last });

  const quality = { qualityAt: '2026-11-28T10:00:00.000Z', qualitySource: 'poll', qualityColor: 'GREEN' };
  const unknown = { qualityRating: null, qualityColor: null, connectionStatus: null };
  expect(await toldOf(row)).toEqual(
    [
      {
        type: 'number.status_changed',
        data: { status: 'PENDING_FACEBOOK_APPROVAL', attempt: 1, rejection: null, revision: 2 },
      },
      {
        type: 'number.status_changed',
        data: { status: 'APPROVED', attempt: 1, rejection: null, revision: 3 },
      },
      {
        type: 'number.quality_changed',
        data: {
          ...quality,
          qualityRating: 'CONNECTED',
          connectionStatus: 'CONNECTED',
          previous: unknown,
          revision: 5,
        },
      },
      {
        type: 'number.limit_changed',
        data: {
          messagingLimit: 'TIER_250',
          limitScope: 'portfolio',
          limitAt: '2026-11-28T10:00:00.000Z',
          limitSource: 'poll',
          previous: { messagingLimit: null, limitScope: null },
          revision: 6,
        },
      },
      {
        type: 'number.quality_changed',
        data: {
          ...quality,
          qualityRating: 'FLAGGED',
          connectionStatus: 'FLAGGED',
          previous: { qualityRating: 'CONNECTED', qualityColor: 'GREEN', connectionStatus: 'CONNECTED' },
          revision: 7,
        },
      },
    ].map((told, index) => ({ ...told, target: index === 0 ? undefined : row.id })),
  );
});

test('a rejection is told with its reason, and the resubmission, too', async () => {
  const row = await acceptNumber(database.db, accountId);
  await save(after(row, verify('rejected')));
  const settings = {
    verificationDueMs: 1000,
    workingTime: { zone: 'UTC', days: [1, 2, 3, 4, 5, 6, 7], hours: { from: 0, to: 1440 } },
    fourEyes: [],
    mailDomain: 'numbers.example',
    submissionsPerDay: 10,
  };
  const again = { accountId, numberId: row.id, by: CUSTOMER, operationId: 'op_again', changes: {}, settings };
  await database.db.transaction((tx) => acceptResubmission(tx, again));
  expect((await toldOf(row)).map(({ data }) => data)).toEqual([
    {
      status: 'REJECTED',
      attempt: 1,
      rejection: { by: 'support', reason: 'The address is not yours', code: null, fields: ['address'] },
      revision: 2,
    },
    { status: 'PENDING_VERIFICATION', attempt: 2, rejection: null, revision: 3 },
  ]);
});

test('a change is saved though nobody has made partitions for its day', async () => {
  const row = await acceptNumber(database.db, accountId);
  const drop = () =>
    database.db.execute(sql`do $$ declare part text; begin
      for part in select inhrelid::regclass::text from pg_inherits
        where inhparent in ('events'::regclass, 'deliveries'::regclass)
      loop execute 'drop table ' || part; end loop; end $$`);
  await drop();
  expect(await save(after(row, verify()))).toEqual({ kind: 'saved' });
  await drop();
  await database.db.transaction((tx) =>
    insertOwnEvents(tx, [
      { numberId: row.id, type: 'test', at: new Date(), operationId: 'op_t', data: {}, target: null },
    ]),
  );
  expect((await toldOf(row)).map(({ type }) => type)).toEqual(['test']);
});

test('where nothing is saved, nothing is told', async () => {
  const row = await acceptNumber(database.db, accountId);
  const known = after(row, verify());
  await save(known);
  // Nor is there anything to be sent, where there is no Incoming URL.
  expect((await toldOf(row)).map(({ target }) => target)).toEqual([undefined]);
  // A workflow that was reset to before it, and hears something.
  const lagging = after(row, news('op_x', { limit: { limit: 'TIER_1K', scope: 'number' } }));
  expect(await save(lagging)).toMatchObject({ kind: 'ahead', known: [] });
  expect((await toldOf(row)).map(({ data }) => data.status)).toEqual(['PENDING_FACEBOOK_APPROVAL']);
});
