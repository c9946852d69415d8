import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NumberEvent, NumberState, SaveRequest } from '../../contract/number.ts';
import { type NumberRow, stateOf } from '../../db/number-row.ts';
import { saveNumber } from '../../db/save.ts';
import { apply, type Command } from '../../workflows/lifecycle.ts';
import { acceptNumber, readEmails, readEvents, readState } from '../support/accepted.ts';
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

const accept = () => acceptNumber(database.db, accountId);
const save = (request: SaveRequest) => saveNumber(database.db, request, 'numbers.example');
const typesOf = async (row: NumberRow) =>
  (await readEvents(database.db, row.id)).map((event) => [event.revision, event.type]);

/** What the workflow would save after these commands. */
function after(row: NumberRow, ...commands: Command[]): SaveRequest {
  let state: NumberState = stateOf(row);
  const events: NumberEvent[] = [];
  for (const command of commands) {
    const at = new Date(Date.parse(state.updatedAt) + 1_000).toISOString();
    const outcome = apply(state, command, { ...AN_HOUR_LATER, now: at });
    if ('refused' in outcome) throw new Error(outcome.refused);
    state = outcome.state;
    events.push(...outcome.events);
  }
  return { numberId: row.id, state, events };
}

const verify = (decisionId = 'op_verify'): Command => ({
  type: 'verify',
  decision: decision({ decisionId }),
});
const reject = (decisionId: string): Command => ({
  type: 'verify',
  decision: decision({ decisionId, outcome: 'rejected' }),
});
const approve: Command = { type: 'decideFacebook', decision: decision({ decisionId: 'op_facebook' }) };
const edit = (operationId: string, website: string | null): Command => ({
  type: 'edit',
  operationId,
  by: CUSTOMER,
  changes: { website, address: 'Line 1\nLine 2 "quoted" \\ 🦊' },
});

test('a whole life, step by step: the row is the state, with an event and an email for each step', async () => {
  const row = await accept();
  const steps = [verify(), approve, edit('op_1', 'https://a.example'), edit('op_2', null)];
  for (let count = 1; count <= steps.length; count++) {
    const { numberId, state, events } = after(row, ...steps.slice(0, count));
    expect(await save({ numberId, state, events: events.slice(-1) })).toEqual({ kind: 'saved' });
    expect(await readState(database.db, row.id)).toEqual(state);
  }
  expect(await typesOf(row)).toEqual([
    [1, 'submitted'],
    [2, 'verification.approved'],
    [3, 'facebook.approved'],
    [4, 'edited'],
    [5, 'edited'],
  ]);
  const [, verified] = await readEvents(database.db, row.id);
  expect(verified).toMatchObject({
    attempt: 1,
    visibility: 'everyone',
    actor: { type: 'support' },
    data: { outcome: 'approved', reason: null, fields: [] },
  });
  expect(await readEmails(database.db, row.id)).toMatchObject([
    { kind: 'submitted' },
    {
      kind: 'verified',
      lane: row.id,
      state: 'unsent',
      messageId: `${row.id}.1.verified.1@numbers.example`,
      data: { accountId, mobileNumber: row.mobileNumber, displayName: 'Widgets number', rejection: null },
    },
    { kind: 'approved', settledAt: null },
  ]);
});

test('several steps at once are one save', async () => {
  const row = await accept();
  const request = after(row, verify(), approve, edit('op_1', 'https://a.example'));
  expect(await save(request)).toEqual({ kind: 'saved' });
  expect(await readState(database.db, row.id)).toEqual(request.state);
  expect((await typesOf(row)).map(([revision]) => revision)).toEqual([1, 2, 3, 4]);
});

test('a repeat writes nothing, and gets what was written first', async () => {
  const row = await accept();
  const first = after(row, verify());
  await save(first);
  const later = { ...first, state: { ...first.state, updatedAt: '2030-01-01T00:00:00.000Z' } };
  expect(await save(later)).toEqual({ kind: 'ahead', state: first.state, known: ['op_verify'] });
  expect(await readState(database.db, row.id)).toEqual(first.state);
  expect(await typesOf(row)).toHaveLength(2);
  expect(await readEmails(database.db, row.id)).toHaveLength(2);
});

test('where a part is known, the rest is asked for anew', async () => {
  const row = await accept();
  const first = after(row, verify());
  await save(first);
  expect(await save(after(row, verify(), approve))).toEqual({
    kind: 'ahead',
    state: first.state,
    known: ['op_verify'],
  });
  expect(await readState(database.db, row.id)).toEqual(first.state);
});

test('where another change has the revision, nothing is written', async () => {
  const row = await accept();
  const first = after(row, verify());
  await save(first);
  expect(await save(after(row, reject('op_other')))).toEqual({
    kind: 'ahead',
    state: first.state,
    known: [],
  });
  expect(await typesOf(row)).toHaveLength(2);
});

test('an operation that the timeline has is not applied again, at whatever revision', async () => {
  const row = await accept();
  await save(after(row, verify(), approve, edit('op_once', 'https://once.example')));
  const now = { ...row, ...(await currentRow(row)) };
  const again = after(now, edit('op_once', 'https://twice.example'));
  expect(await save(again)).toMatchObject({ kind: 'ahead', known: ['op_once'] });
  expect(await readState(database.db, row.id)).toMatchObject({ revision: 4 });
});

test('of saves at the same moment one is written', async () => {
  for (let round = 0; round < 20; round++) {
    const row = await accept();
    const requests = [verify('op_a'), verify('op_a'), reject('op_b')].map((command) => after(row, command));
    const results = await Promise.all(requests.map(save));
    expect(results.map((result) => result?.kind).toSorted()).toEqual(['ahead', 'ahead', 'saved']);
    expect(await typesOf(row)).toHaveLength(2);
    expect(await readEmails(database.db, row.id)).toHaveLength(2);
  }
});

test('a row that was restored from a backup is brought forward', async () => {
  const row = await accept();
  const { numberId, state, events } = after(row, verify(), approve);
  expect(await save({ numberId, state, events: events.slice(1) })).toEqual({ kind: 'saved' });
  expect(await readState(database.db, row.id)).toEqual(state);
  expect((await typesOf(row)).map(([revision]) => revision)).toEqual([1, 3]);
});

test('a save of an earlier attempt is superseded, one of no number at all is null', async () => {
  const row = await accept();
  const { numberId, state, events } = after(row, verify());
  expect(await save({ numberId, state: { ...state, attempt: 0 }, events })).toEqual({ kind: 'superseded' });
  expect(await save({ numberId: 'num_none', state, events })).toBeNull();
  expect(await typesOf(row)).toHaveLength(1);
});

async function currentRow(
  row: NumberRow,
): Promise<Pick<NumberRow, 'status' | 'revision' | 'website' | 'address'>> {
  const { status, revision, profile } = await readState(database.db, row.id);
  return { status, revision, website: profile.website, address: profile.address };
}

test('the emails of approvals have the reasons that came with them', async () => {
  const row = await accept();
  const noted = (reason: string, decisionId: string) => decision({ decisionId, reason });
  await save(
    after(
      row,
      { type: 'verify', decision: noted('Complete.', 'op_verify') },
      { type: 'decideFacebook', decision: noted('Welcome.', 'op_facebook') },
    ),
  );
  expect(await readEmails(database.db, row.id)).toMatchObject([
    { kind: 'submitted', data: { rejection: null } },
    { kind: 'verified', data: { rejection: null, note: 'Complete.' } },
    { kind: 'approved', data: { rejection: null, note: 'Welcome.' } },
  ]);
});
