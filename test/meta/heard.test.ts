/** From Meta's signed webhook to the workflow and to the customer's events: every part is the real one. */
import type { AddressInfo } from 'node:net';
import { and, eq, ne } from 'drizzle-orm';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildApp } from '../../api/app.ts';
import { events } from '../../db/schema.ts';
import { type Jobs, runJobs } from '../../delivery/jobs.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { changeLimit, changePortfolioLimit, changeQuality, decideName } from '../../dev/meta/decisions.ts';
import { workOff } from '../../meta/work-off.ts';
import { createReadBack } from '../../worker/read-back.ts';
import { MAIL_DOWN } from '../api/harness.ts';
import { readEmails, readState } from '../support/accepted.ts';
import { type AtBoth, type StackAtMeta, startStackAtMeta } from '../support/at-meta.ts';

let at: StackAtMeta;
let app: FastifyInstance;
let jobs: Jobs;
const logger = { debug() {}, info() {}, warn() {}, error: console.error };

beforeAll(async () => {
  at = await startStackAtMeta();
  const { db, config, workflows, env } = at.stack;
  app = await buildApp({ db, config, workflows, mail: MAIL_DOWN });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const callback = `http://127.0.0.1:${port}/webhooks/meta`;
  expect(await at.simulator.simulation.webhooks.setCallback(callback)).toMatchObject({ verified: true });
  jobs = await runJobs({
    db,
    config: { DATABASE_URL: env['DATABASE_URL'] ?? config.DATABASE_URL },
    logger,
    wake() {},
    workOffChange: (change) => workOff({ db, config, workflows, logger }, change),
  });
});
afterAll(async () => {
  await jobs.stop();
  await app.close();
  await at.close();
});
beforeEach(() => {
  Object.assign(at.simulator.simulation.webhooks.policy, { lose: false, copies: 1, reorder: 1, delayMs: 0 });
});

const poll = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000, interval: 50 });
const stateOf = ({ row }: AtBoth) => readState(at.stack.db, row.id);
const told = async ({ row }: AtBoth) => {
  const rows = await at.stack.db
    .select({ type: events.type, content: events.content })
    .from(events)
    .where(and(eq(events.numberId, row.id), ne(events.type, 'change')))
    .orderBy(events.id);
  return rows.map(({ type, content }) => ({ type, data: JSON.parse(content) as Record<string, unknown> }));
};

test('a name is approved by webhook, once, however often it arrives', async () => {
  at.simulator.simulation.webhooks.policy.copies = 3;
  const number = await at.registered();
  decideName(at.simulator.simulation, number.theirs, { decision: 'APPROVED', reason: undefined });
  await poll(() => stateOf(number)).toMatchObject({ status: 'APPROVED', facebook: null });
  expect((await stateOf(number)).whatsappName).toMatchObject({
    name: number.row.displayName,
    status: 'APPROVED',
  });
  const kinds = (await readEmails(at.stack.db, number.row.id)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'approved')).toHaveLength(1);
  await poll(async () => (await told(number)).map(({ type, data }) => [type, data['status']])).toEqual(
    expect.arrayContaining([
      ['number.status_changed', 'PENDING_FACEBOOK_APPROVAL'],
      ['number.status_changed', 'APPROVED'],
    ]),
  );
});

test('a name is declined by webhook, with the reason in words', async () => {
  const number = await at.registered();
  decideName(at.simulator.simulation, number.theirs, {
    decision: 'REJECTED',
    reason: 'NAME_INDIVIDUAL_ISSUE',
  });
  await poll(async () => (await stateOf(number)).status).toBe('REJECTED');
  expect((await stateOf(number)).facebookDecision).toMatchObject({
    reason: expect.stringContaining('private person'),
    code: 'name_individual_issue',
  });
  const [, rejected] = (await told(number)).filter(({ type }) => type === 'number.status_changed');
  expect(rejected?.data['rejection']).toMatchObject({ by: 'facebook', code: 'name_individual_issue' });
});

test('a refusal of a changed name, after the approval, changes what is shown and not the approval', async () => {
  const number = await at.connected();
  await at.stack.workflows.edit(number.row, `edit-${number.row.id}`, {
    changes: { displayName: 'Another name' },
    by: { type: 'customer', id: null },
  });
  await poll(async () => (await stateOf(number)).whatsappName?.requestedName).toBe('Another name');
  await poll(async () => number.theirs.newName).toBe('Another name');
  decideName(at.simulator.simulation, number.theirs, { decision: 'REJECTED', reason: 'NAME_NOT_CONSISTENT' });
  await poll(async () => (await stateOf(number)).whatsappName).toMatchObject({
    name: number.row.displayName,
    status: 'DECLINED',
    requestedName: 'Another name',
    reason: expect.stringContaining('website'),
  });
  expect((await stateOf(number)).status).toBe('APPROVED');
});

test('quality and limits, in the old shape and today’s, reach the number and its events', async () => {
  const { simulation } = at.simulator;
  const number = await at.connected();
  changeQuality(simulation, number.theirs, { rating: 'YELLOW', event: 'FLAGGED' });
  await poll(async () => (await stateOf(number)).quality.qualityRating).toBe('FLAGGED');
  // The colour is in no webhook: that one has it read.
  const { db, config, workflows } = at.stack;
  const readings = { db, lockDb: db, workflows, meta: at.steps, config, logger };
  await createReadBack(readings, { perConnection: 100 })();
  await poll(async () => (await stateOf(number)).quality).toMatchObject({
    qualityColor: 'YELLOW',
    qualitySource: 'poll',
  });
  changeLimit(simulation, number.theirs, { limit: 'TIER_10K', shape: 'legacy' });
  await poll(async () => (await stateOf(number)).quality).toMatchObject({
    messagingLimit: 'TIER_10K',
    limitScope: 'number',
  });
  changePortfolioLimit(simulation, OUR_ACCOUNT.wabaId, 'TIER_2K');
  await poll(async () => (await stateOf(number)).quality).toMatchObject({
    messagingLimit: 'TIER_2K',
    limitScope: 'portfolio',
    limitSource: 'webhook',
  });
  await poll(async () =>
    (await told(number)).map(({ type, data }) => [type, data['messagingLimit']]),
  ).toEqual(
    expect.arrayContaining([
      ['number.limit_changed', 'TIER_10K'],
      ['number.limit_changed', 'TIER_2K'],
    ]),
  );
  expect((await told(number)).map(({ data }) => data['qualityRating'])).toContain('FLAGGED');
  const kinds = (await readEmails(at.stack.db, number.row.id)).map(({ kind }) => kind);
  expect(kinds).toContain('quality');
});
