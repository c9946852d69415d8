/** Erasing a closed account: none of its people's words is left anywhere, and nothing of anybody else's is touched. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLOSING_LIMITS, createClosingActivities } from '../../activities/closing.ts';
import { loadConfig } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import type { Actor, Decision } from '../../contract/number.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { recordAudit } from '../../db/audit.ts';
import { writeEmail } from '../../db/email-rows.ts';
import { invite } from '../../db/invitations.ts';
import { createLink } from '../../db/links.ts';
import * as schema from '../../db/schema.ts';
import { TEMPORAL_DOWN } from '../api/harness.ts';
import { createNumber, writeEmails } from '../email/fixtures.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const DAY = 24 * 3_600_000;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  await database.db.execute(sql`truncate organizations, people, audit_events, emails, verifications cascade`);
});
afterAll(() => database.drop());

const TABLES = Object.values(schema).filter((table) => table instanceof PgTable);

/** Every row that holds a text anywhere, whatever the column, by table. */
async function rowsWith(text: string): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const table of TABLES) {
    const { rows } = await database.db.execute(
      sql`select to_jsonb(t) as row from ${table} t where to_jsonb(t)::text ilike ${`%${text}%`} order by 1`,
    );
    if (rows.length > 0) found[getTableConfig(table).name] = rows.map(({ row }) => row);
  }
  return found;
}

async function person(
  name: string,
  accounts: string[],
  values: Partial<typeof schema.people.$inferInsert> = {},
) {
  const { db } = database;
  const id = newId('usr');
  const email = `${id}@${name}.example`;
  await db
    .insert(schema.people)
    .values({ id, name, email, image: `https://${name}.example/me.png`, ...values });
  for (const organizationId of accounts) {
    await db
      .insert(schema.memberships)
      .values({ id: newId('mem'), organizationId, personId: id, role: 'admin' });
  }
  await db.insert(schema.sessions).values({
    id: newId('ses'),
    personId: id,
    token: newId('ses'),
    expiresAt: new Date(Date.now() + DAY),
    userAgent: name,
  });
  await db
    .insert(schema.credentials)
    .values({ id: newId('crd'), personId: id, providerId: name, accountId: id, password: 'hash' });
  const origin = { ipAddress: '192.0.2.7', userAgent: name, requestId: 'r' };
  const actor = { type: 'customer', id, name } as const;
  await recordAudit(db, { ...origin, type: 'session.started', actor, targetId: id });
  await recordAudit(db, { ...origin, type: 'session.refused', actor: null, data: { email, why: 'x' } });
  await db.transaction(async (tx) => {
    await createLink(tx, 'email', id, { data: { accountName: name }, expiresAt: new Date() });
    const data = { name, link: 'https://x.example', expiresAt: new Date().toISOString() };
    await writeEmail(tx, {
      lane: id,
      kind: 'reset-password',
      recipient: email,
      data,
      mailDomain: 'x.example',
    });
  });
  return { id, email, actor };
}

/** An account with everything that the product keeps of one, each text of which holds `word`. */
async function account(word: string, closedAt: Date | null) {
  const { db } = database;
  const id = newId('org');
  await db.insert(schema.organizations).values({
    id,
    name: word,
    slug: `${word}-${id}`.toLowerCase(),
    logo: word,
    metadata: word,
    notificationEmails: [`notices@${word}.example`],
    closedAt,
    closedBy: closedAt && { type: 'customer', id: 'usr_x', name: word },
  });
  const { actor, ...admin } = await person(word, [id]);
  await createApiKey(db, { organizationId: id, name: word, scopes: ['read'], createdBy: actor });
  await db.insert(schema.callbackProfiles).values({
    id: newId('cbp'),
    accountId: id,
    name: word,
    url: `https://${word}.example`,
    statuses: [],
  });
  const imageId = newId('img');
  await db.insert(schema.images).values({
    id: imageId,
    accountId: id,
    contentType: 'image/png',
    width: 1,
    height: 1,
    bytes: 4,
    store: 'database',
    createdBy: actor,
  });
  await db.insert(schema.imageContents).values({ imageId, content: Buffer.from(word) });
  await db.insert(schema.idempotencyRecords).values({
    scope: id,
    key: word,
    fingerprint: 'f',
    operationId: newId('op'),
    body: { displayName: word },
  });
  const origin = { actor, ipAddress: '192.0.2.7', userAgent: word, requestId: 'r' };
  await recordAudit(db, { ...origin, type: 'account.changed', accountId: id, data: { name: word } });
  if (closedAt === null) {
    const wanted = {
      accountId: id,
      email: `invited@${word}.example`,
      role: 'member',
      inviterId: admin.id,
    } as const;
    const linkTo = (token: string) => `https://x.example/${token}`;
    await db.transaction((tx) => invite(tx, { ...wanted, linkTo, mailDomain: 'x.example' }, origin));
  } else {
    await db.insert(schema.invitations).values({
      id: newId('inv'),
      organizationId: id,
      email: `invited@${word}.example`,
      expiresAt: closedAt,
      inviterId: admin.id,
    });
    await db.transaction((tx) =>
      writeEmail(tx, {
        lane: `notices@${word}.example`,
        kind: 'account-closed',
        recipient: `notices@${word}.example`,
        accountId: id,
        data: { accountName: word, eraseAt: closedAt.toISOString() },
        mailDomain: 'x.example',
      }),
    );
  }
  const numbers = [];
  for (let index = 0; index < 3; index += 1) numbers.push(await busyNumber(id, word, actor, imageId));
  const connectionId = newId('mtc');
  await db.insert(schema.metaConnections).values({
    id: connectionId,
    accountId: id,
    wabaId: connectionId,
    name: word,
    token: word,
    tokenHash: word,
  });
  for (const { id: numberId, mobileNumber } of numbers) {
    await db.insert(schema.metaNumbers).values({
      numberId,
      connectionId,
      digits: mobileNumber.slice(1),
      phoneNumberId: '1',
      requestedName: word,
      code: word,
      lastRead: { profile: { address: word } },
    });
  }
  return { id, admin, numbers };
}

async function busyNumber(accountId: string, word: string, actor: Actor, imageId: string) {
  const { db } = database;
  const by = { type: 'support', id: 'usr_support', name: 'Sam Support' } as const;
  const decision = (outcome: Decision['outcome']): Decision => ({
    decisionId: newId('op'),
    outcome,
    reason: `${word} is another company.`,
    code: 'name_mismatch',
    fields: ['displayName'],
    by,
    at: new Date().toISOString(),
  });
  const number = await createNumber(db, accountId, {
    displayName: word,
    incomingUrl: `https://${word}.example/in`,
    callbackProfileId: newId('cbp'),
    imageId,
    address: word,
    businessDescription: word,
    contactEmail: `hello@${word}.example`,
    website: `https://${word}.example`,
    status: 'REJECTED',
    verification: decision('rejected'),
    facebookDecision: null,
    approvals: [decision('approved')],
    submittedBy: actor,
    ending: { operationId: 'op_1', by: actor, at: new Date().toISOString() },
  });
  const event = { numberId: number.id, attempt: 1, at: new Date(), operationId: newId('op') };
  await db.insert(schema.numberEvents).values([
    {
      ...event,
      id: newId('evt'),
      type: 'edited',
      actor,
      data: { changes: { address: { from: null, to: word } } },
    },
    { ...event, id: newId('evt'), type: 'comment', actor: by, data: { text: word } },
    {
      ...event,
      id: newId('evt'),
      type: 'verification.rejected',
      actor: by,
      data: { outcome: 'rejected', reason: word, code: 'name_mismatch', fields: ['displayName'] },
    },
    {
      ...event,
      id: newId('evt'),
      type: 'email.refused',
      actor: by,
      data: { kind: 'submitted', recipients: [word] },
    },
  ]);
  await forwarded(accountId, number.id, word);
  for (const email of await writeEmails(db, number, ['submitted', 'rejected'])) {
    await db.insert(schema.emailAttempts).values({
      emailId: email.id,
      recipients: [`hello@${word}.example`],
      outcome: 'deferred',
      detail: `450 ${word} is busy`,
    });
  }
  return number;
}

/** A message that arrived, what came of its delivery, and the target. */
async function forwarded(accountId: string, numberId: string, word: string): Promise<void> {
  const { db } = database;
  const key = { id: randomUUID(), day: new Date().toISOString().slice(0, 10) };
  const content = JSON.stringify({ messages: [{ text: { body: word } }] });
  const event = { type: 'message.received', at: new Date(), accountId, numberId, content } as const;
  await db.insert(schema.events).values({ ...key, ...event, key: randomUUID() });
  const attempt = { at: new Date().toISOString(), status: 500, latencyMs: 1, answer: word, error: null };
  await db
    .insert(schema.deliveries)
    .values({ ...key, targetId: numberId, numberId, conversation: 1n, attempts: [attempt] });
  await db.insert(schema.targets).values({ id: numberId, accountId, kind: 'incoming', secret: word });
}

function erase(days = 30) {
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    ACCOUNT_ERASURE_DAYS: String(days),
  });
  const logger = { info() {}, warn() {}, error: console.error };
  const { signal } = new AbortController();
  const deps = { db: database.db, workflows: TEMPORAL_DOWN, config, logger, stopping: signal };
  // Fewer at once than there are, so that the batches meet.
  return createClosingActivities(deps, { ...CLOSING_LIMITS, batch: 2 }).eraseClosedAccounts();
}
const daysAgo = (days: number) => new Date(Date.now() - days * DAY);

test('no word of the account is left, and what counts is', async () => {
  const { id, numbers, admin } = await account('zebra', daysAgo(31));
  expect(Object.keys(await rowsWith('zebra')).length).toBeGreaterThan(12);
  expect(await erase()).toEqual({ erased: 1 });
  expect(await rowsWith('zebra')).toEqual({});
  expect(await rowsWith('192.0.2.7')).toEqual({});

  const [row] = await database.db.select().from(schema.organizations).where(eq(schema.organizations.id, id));
  expect(row).toMatchObject({ name: 'Erased', notificationEmails: [], erasedAt: expect.any(Date) });
  const kept = await database.db.select().from(schema.numbers).where(eq(schema.numbers.accountId, id));
  expect(kept.map(({ mobileNumber }) => mobileNumber)).toEqual(
    numbers.map(({ mobileNumber }) => mobileNumber),
  );
  expect(kept[0]).toMatchObject({
    displayName: 'Erased',
    status: 'REJECTED',
    submittedBy: { type: 'customer', id: admin.id },
    verification: { outcome: 'rejected', reason: null, code: 'name_mismatch', by: { name: 'Sam Support' } },
    approvals: [{ outcome: 'approved', reason: null }],
    facebookDecision: null,
    ending: { operationId: 'op_1', by: { type: 'customer', id: admin.id } },
  });
  const events = await database.db.select().from(schema.numberEvents);
  expect(events.slice(0, 4).map(({ type, data }) => [type, data])).toEqual([
    ['edited', {}],
    ['comment', {}],
    ['verification.rejected', { outcome: 'rejected', code: 'name_mismatch', fields: ['displayName'] }],
    ['email.refused', { kind: 'submitted' }],
  ]);
  const states = new Set((await database.db.select().from(schema.emails)).map(({ state }) => state));
  expect([...states]).toEqual(['refused']);
  const audit = await database.db.select().from(schema.auditEvents);
  expect(audit.map(({ type }) => type)).toEqual([
    'session.started',
    'session.refused',
    'account.changed',
    'account.erased',
  ]);
  expect(audit[0]).toMatchObject({ actor: { type: 'customer', id: admin.id }, targetId: admin.id, data: {} });
  expect(await erase()).toEqual({ erased: 0 });
});

test('nothing of another account is touched, nor of people who belong to it as well, nor of staff', async () => {
  const other = await account('giraffe', null);
  const before = await rowsWith('giraffe');
  const { id } = await account('zebra', daysAgo(31));
  const both = await person('okapi', [id, other.id]);
  const staff = await person('heron', [id], { role: 'support' });
  const counts = async () =>
    Object.fromEntries(
      await Promise.all(
        ['giraffe', 'okapi', 'heron'].map(async (word) => [word, Object.keys(await rowsWith(word)).length]),
      ),
    );
  const counted = await counts();
  await erase();
  expect(await rowsWith('zebra')).toEqual({});
  expect(await rowsWith('giraffe')).toEqual(before);
  expect(await counts()).toEqual(counted);
  const left = await database.db.select().from(schema.memberships);
  expect(left.map(({ personId }) => personId).sort()).toEqual([other.admin.id, both.id].sort());
  expect((await database.db.select().from(schema.people)).map((one) => one.id)).toContain(staff.id);
});

test('waits for its day, and for numbers that are still live', async () => {
  await account('zebra', daysAgo(29));
  expect(await erase()).toEqual({ erased: 0 });
  const [live] = (await account('quagga', daysAgo(31))).numbers;
  const status = (to: 'APPROVED' | 'RELEASED') =>
    database.db
      .update(schema.numbers)
      .set({ status: to })
      .where(eq(schema.numbers.id, live?.id ?? ''));
  await status('APPROVED');
  expect(await erase()).toEqual({ erased: 0 });
  await status('RELEASED');
  expect(await erase()).toEqual({ erased: 1 });
  expect(await rowsWith('quagga')).toEqual({});
  expect(await rowsWith('zebra')).not.toEqual({});
  expect(await erase(28)).toEqual({ erased: 1 });
  expect(await rowsWith('zebra')).toEqual({});
});

test('waits for numbers that are still to be deregistered, but not for ever', async () => {
  const { numbers } = await account('zebra', daysAgo(31));
  const change = (values: Partial<typeof schema.metaNumbers.$inferInsert>) =>
    database.db
      .update(schema.metaNumbers)
      .set(values)
      .where(eq(schema.metaNumbers.numberId, numbers[0]?.id ?? ''));
  await change({ registeredAt: daysAgo(60) });
  expect(await erase()).toEqual({ erased: 0 });
  await change({ deregisteredAt: daysAgo(1) });
  expect(await erase()).toEqual({ erased: 1 });
  expect(await rowsWith('zebra')).toEqual({});

  const late = await account('quagga', daysAgo(38));
  await database.db
    .update(schema.metaNumbers)
    .set({ registeredAt: daysAgo(60) })
    .where(eq(schema.metaNumbers.numberId, late.numbers[0]?.id ?? ''));
  expect(await erase()).toEqual({ erased: 1 });
  expect(await rowsWith('quagga')).toEqual({});
});

test('one that failed half way is erased whole by the next run', async () => {
  const { id } = await account('zebra', daysAgo(31));
  await database.db.execute(sql`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'not now'; end $$`);
  await database.db.execute(
    sql`create trigger refuse before delete on invitations execute function refuse()`,
  );
  await expect(erase()).rejects.toThrow();
  const [row] = await database.db.select().from(schema.organizations).where(eq(schema.organizations.id, id));
  expect(row).toMatchObject({ name: 'zebra', erasedAt: null });
  await database.db.execute(sql`drop trigger refuse on invitations`);
  expect(await erase()).toEqual({ erased: 1 });
  expect(await rowsWith('zebra')).toEqual({});
});
