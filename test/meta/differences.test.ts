/** What WhatsApp shows otherwise than it is here: learnt by a reading, and settled by whoever chooses. */
import { sql } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildApp } from '../../api/app.ts';
import type { SideBody } from '../../contract/fields.ts';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import { createReadBack } from '../../worker/read-back.ts';
import { caller, MAIL_DOWN, problemOf } from '../api/harness.ts';
import { acceptNumber, readEvents, readState } from '../support/accepted.ts';
import { type AtBoth, type StackAtMeta, startStackAtMeta } from '../support/at-meta.ts';

let at: StackAtMeta;
let app: FastifyInstance;
const OURS = {
  address: '1 Long Street',
  businessDescription: 'Sells widgets',
  website: 'https://widgets.example',
};

beforeAll(async () => {
  at = await startStackAtMeta();
  const { db, config, workflows } = at.stack;
  app = await buildApp({ db, config, workflows, mail: MAIL_DOWN });
});
afterAll(async () => {
  await app.close();
  await at.close();
});

const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000, interval: 50 });
const stateOf = ({ row }: AtBoth) => readState(at.stack.db, row.id);
const choose = ({ row }: AtBoth, body: SideBody, headers: Record<string, string> = {}) =>
  caller(app)(at.account.key, 'POST', `/v1/numbers/${row.id}/sync`, body, headers);
const synced = (number: AtBoth) => poll(async () => (await stateOf(number)).sync?.state).toBe('synced');

/** Changed by somebody in WhatsApp Manager, and read. */
async function changedThere(theirs: AtBoth['theirs']['profile']): Promise<AtBoth> {
  const number = await at.connected(OURS);
  await synced(number);
  Object.assign(number.theirs.profile, theirs);
  const { db, workflows, config } = at.stack;
  const logger = { info() {}, warn() {}, error: console.error };
  await changeMetaNumber(db, number.row.id, { readAt: sql`now()` });
  await createReadBack(
    { db, lockDb: db, workflows, meta: at.steps, config, logger },
    { perConnection: 100 },
  )();
  return number;
}

const differences = async (number: AtBoth) => (await stateOf(number)).sync?.differences;

test('ours wins for one field, theirs for another; the third stays as it is on both sides', async () => {
  const number = await changedThere({
    address: '9 Other Street',
    websites: ['https://other.example/'],
    description: 'Sold widgets',
  });
  const all = [
    { field: 'address', theirs: '9 Other Street' },
    { field: 'businessDescription', theirs: 'Sold widgets' },
    { field: 'website', theirs: 'https://other.example/' },
  ];
  await poll(() => differences(number)).toEqual(all);
  const seen = await caller(app)(at.account.key, 'GET', `/v1/numbers/${number.row.id}`);
  expect(seen.json().sync).toMatchObject({ state: 'synced', differences: all });

  const ours = await choose(number, { keep: 'ours', fields: ['address'] });
  expect(ours.statusCode, ours.body).toBe(200);
  expect(ours.json()).toMatchObject({ address: OURS.address, sync: { state: 'pending' } });
  await synced(number);
  expect(number.theirs.profile).toMatchObject({ address: OURS.address, description: 'Sold widgets' });
  expect(await differences(number)).toEqual(all.slice(1));

  const theirs = await choose(number, { keep: 'theirs', fields: ['website'] });
  expect(theirs.json()).toMatchObject({ website: 'https://other.example/' });
  await synced(number);
  expect(number.theirs.profile).toMatchObject({
    websites: ['https://other.example/'],
    description: 'Sold widgets',
  });
  expect(await differences(number)).toEqual([{ field: 'businessDescription', theirs: 'Sold widgets' }]);

  // Without fields: all that is left.
  expect((await choose(number, { keep: 'theirs' })).json()).toMatchObject({
    businessDescription: 'Sold widgets',
  });
  await synced(number);
  expect(await differences(number)).toEqual([]);
  const edits = (await readEvents(at.stack.db, number.row.id)).filter(({ type }) => type === 'edited');
  expect(edits.map(({ data }) => data)).toEqual([
    { changes: {}, chosen: ['address'] },
    { changes: { website: { from: OURS.website, to: 'https://other.example/' } }, chosen: ['website'] },
    {
      changes: { businessDescription: { from: OURS.businessDescription, to: 'Sold widgets' } },
      chosen: ['businessDescription'],
    },
  ]);
});

test('what has no difference is refused; with nothing left nothing happens', async () => {
  const number = await changedThere({ address: '9 Other Street' });
  await poll(() => differences(number)).toHaveLength(1);
  const refused = await choose(number, { keep: 'ours', fields: ['website', 'address'] });
  expect(problemOf(refused).errors).toMatchObject([
    { pointer: '/fields', code: 'no_difference', detail: expect.stringContaining('leave out website') },
  ]);
  const { revision } = await stateOf(number);
  const stale = await choose(number, { keep: 'ours' }, { 'if-match': `"${revision - 1}"` });
  expect(problemOf(stale).code).toBe('revision_conflict');
  expect((await choose(number, { keep: 'ours' })).statusCode).toBe(200);
  await synced(number);
  const before = await stateOf(number);
  expect((await choose(number, { keep: 'ours' })).json()).toMatchObject({ revision: before.revision });
});

test('theirs has to be what an edit may be', async () => {
  const number = await changedThere({ description: 'x'.repeat(257), vertical: 'NOT_A_BIZ' });
  await poll(() => differences(number)).toHaveLength(2);
  const problem = problemOf(await choose(number, { keep: 'theirs' }));
  expect(problem.code).toBe('invalid_request');
  expect(problem.errors.map(({ detail }) => detail)).toEqual([
    expect.stringContaining('Business Description is not taken here: Must have at most 256 characters.'),
    expect.stringContaining('Business Category is not taken here'),
  ]);
  expect(await differences(number)).toHaveLength(2);
});

test('a repeat with the same key chooses once', async () => {
  const number = await changedThere({ address: '9 Other Street' });
  await poll(() => differences(number)).toHaveLength(1);
  const headers = { 'idempotency-key': `choose-${number.row.id}` };
  const first = await choose(number, { keep: 'theirs' }, headers);
  expect(first.statusCode, first.body).toBe(200);
  const repeat = await choose(number, { keep: 'theirs' }, headers);
  expect(repeat.json()).toEqual(first.json());
});

test('a number that is not approved is not edited, by this either', async () => {
  const row = await acceptNumber(at.stack.db, at.account.id);
  const pending = { row, theirs: (await at.connected()).theirs };
  expect(problemOf(await choose(pending, { keep: 'ours' })).code).toBe('not_approved');
});
