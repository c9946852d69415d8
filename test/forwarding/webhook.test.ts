import { createHmac, randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deliveries, events } from '../../db/schema.ts';
import { problemOf, startTestApi, type TestApi } from '../api/harness.ts';
import { connectWaba, numberAtMeta } from '../support/forwarding.ts';
import { createAccount } from '../support/stack.ts';

let api: TestApi;
let accountId: string;
let waba: { id: string; wabaId: string };
let number: Awaited<ReturnType<typeof numberAtMeta>>;

beforeAll(async () => {
  api = await startTestApi({
    META_APP_SECRETS: 'current secret,next secret',
    META_VERIFY_TOKEN: 'agreed upon',
  });
  accountId = (await createAccount(api.db)).id;
  waba = await connectWaba(api.db, accountId);
  number = await numberAtMeta(api.db, accountId, waba.id);
});
afterAll(() => api.close());

const sign = (raw: Buffer | string, secret = 'current secret') =>
  `sha256=${createHmac('sha256', secret).update(raw).digest('hex')}`;
const post = (raw: Buffer | string, signature = sign(raw), type = 'application/json') =>
  api.app.inject({
    method: 'POST',
    url: '/webhooks/meta',
    payload: raw,
    headers: { 'content-type': type, ...(signature !== '' && { 'x-hub-signature-256': signature }) },
  });

const value = (rest: object) => ({
  messaging_product: 'whatsapp',
  metadata: { display_phone_number: number.digits, phone_number_id: number.phoneNumberId },
  ...rest,
});
const message = (rest: object = {}) => ({
  from: '16505551234',
  id: `wamid.${randomUUID()}`,
  timestamp: String(Math.trunc(Date.now() / 1000)),
  type: 'text',
  text: { body: 'Hello' },
  ...rest,
});
const envelope = (field: string, value: unknown, wabaId = waba.wabaId) => ({
  object: 'whatsapp_business_account',
  entry: [{ id: wabaId, time: Math.trunc(Date.now() / 1000), changes: [{ field, value }] }],
});
const storedWith = async (text: string) => {
  const all = await api.db.select().from(events).orderBy(events.id);
  return all.filter(({ content }) => content.includes(text));
};

test("Meta's challenge is answered to whoever knows the token", async () => {
  const ask = (token: string) =>
    api.app.inject(`/webhooks/meta?hub.mode=subscribe&hub.challenge=%3Cb%3E12&hub.verify_token=${token}`);
  const right = await ask('agreed%20upon');
  expect([right.statusCode, right.body]).toEqual([200, '<b>12']);
  expect(right.headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(problemOf(await ask('agreed%20upom')).code).toBe('forbidden');
  expect((await api.app.inject('/webhooks/meta')).statusCode).toBe(403);
});

test('a message is stored with its delivery; each app secret counts, and no other', async () => {
  for (const secret of ['current secret', 'next secret']) {
    const raw = JSON.stringify(envelope('messages', value({ messages: [message({ secret })] })));
    const answer = await post(raw, sign(raw, secret));
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
    expect(await storedWith(`"secret":"${secret}"`)).toMatchObject([{ numberId: number.id, accountId }]);
  }
  const raw = JSON.stringify(envelope('messages', value({ messages: [message({ text: 'forged' })] })));
  const right = sign(raw);
  for (let bit = 0; bit < 8; bit++) {
    const bytes = Buffer.from(right.slice(7), 'hex');
    bytes[bit * 4] = (bytes[bit * 4] ?? 0) ^ (1 << bit);
    expect(problemOf(await post(raw, `sha256=${bytes.toString('hex')}`)).code).toBe('wrong_signature');
  }
  for (const wrong of [
    '',
    'sha256=',
    'sha256=00',
    right.slice(7),
    sign(raw, 'old'),
    `sha1=${right.slice(7)}`,
  ]) {
    expect((await post(raw, wrong)).statusCode, wrong).toBe(401);
  }
  expect(await storedWith('forged')).toEqual([]);
});

test('the signature is over the bytes as they came, and the escapes of unicode are no fault', async () => {
  const text = JSON.stringify(
    envelope('messages', value({ messages: [message({ text: { body: 'é🦊 \0' } })] })),
  );
  const escaped = text.replaceAll(
    /[\u0080-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  expect((await post(` ${escaped}\n`, sign(text))).statusCode).toBe(401);
  expect((await post(` ${escaped}\n`)).statusCode).toBe(200);
  const [stored] = await storedWith('🦊');
  expect(JSON.parse(stored?.content ?? '').messages[0].text.body).toBe('é🦊 \0');
});

test('what is no JSON in UTF-8 is refused, whatever it is called', async () => {
  for (const raw of ['', '{', '[1,', Buffer.from('"\xff"', 'latin1')]) {
    expect(problemOf(await post(raw)).code).toBe('malformed_request');
  }
  const raw = JSON.stringify(envelope('messages', value({ messages: [message()] })));
  expect((await post(raw, sign(raw), 'text/plain')).statusCode).toBe(200);
});

test('a replayed webhook is stored once, and what is new in it beside the old', async () => {
  const old = message({ text: { body: 'replayed' } });
  const raw = JSON.stringify(envelope('messages', value({ messages: [old] })));
  await post(raw);
  expect((await post(raw)).statusCode).toBe(200);
  const both = [old, message({ text: { body: 'replayed too' } })];
  await post(JSON.stringify(envelope('messages', value({ messages: both }))));
  const stored = await storedWith('replayed');
  expect(stored).toHaveLength(2);
  for (const { id } of stored) {
    expect(await api.db.select().from(deliveries).where(eq(deliveries.id, id))).toHaveLength(1);
  }
});

test('statuses that differ only in the participant of a group, and ids that differ only far behind, are no repeats', async () => {
  const id = `wamid.${randomUUID()}`;
  const status = { id, status: 'read', timestamp: '1749416400', recipient_id: 'group', note: 'of a group' };
  const statuses = ['1', '2'].map((recipient_participant_id) => ({ ...status, recipient_participant_id }));
  const messages = ['1', '2'].map((end) =>
    message({ id: `${id}${'x'.repeat(300)}${end}`, note: 'of a group' }),
  );
  const raw = JSON.stringify(envelope('messages', value({ messages, statuses })));
  for (let again = 0; again < 2; again++) expect((await post(raw)).statusCode).toBe(200);
  const stored = (await storedWith('of a group')).map(({ content }) => JSON.parse(content));
  expect(stored.map(({ messages, statuses }) => messages?.[0] ?? statuses?.[0])).toEqual([
    ...messages,
    ...statuses,
  ]);
});

test('each message and status is cut out, with its contact and whatever else Meta sends; the rest is as it was', async () => {
  const [one, two] = [message({ from: '1' }), message({ from_user_id: 'US.2', from: undefined })];
  const contacts = [
    { profile: { name: 'One' }, wa_id: '1' },
    { profile: { name: 'Two' }, user_id: 'US.2' },
  ];
  const statuses = [{ id: 'wamid.cut', status: 'read', timestamp: '1749416400', recipient_id: '1' }];
  const text = JSON.stringify(
    envelope('messages', value({ new_member: 'MARK', contacts, messages: [one, two], statuses })),
  );
  const raw = text.replace('"MARK"', '{"cut":[12345678901234567890,1.50,1E2,-0.0]}');
  expect((await post(raw)).statusCode).toBe(200);
  const stored = await storedWith('"cut"');
  expect(stored.map(({ type }) => type)).toEqual(['message.received', 'message.received', 'message.status']);
  expect(
    stored.map(({ content }) => content.includes('{"cut":[12345678901234567890,1.50,1E2,-0.0]}')),
  ).toEqual([true, true, true]);
  expect(stored.map(({ content }) => JSON.parse(content))).toMatchObject([
    { contacts: [contacts[0]], messages: [one], metadata: { phone_number_id: number.phoneNumberId } },
    { contacts: [contacts[1]], messages: [JSON.parse(JSON.stringify(two))] },
    { contacts: [contacts[0]], statuses },
  ]);
  expect(Object.keys(JSON.parse(stored[0]?.content ?? ''))).not.toContain('statuses');
  expect(stored[2]?.at.toISOString()).toBe('2025-06-08T21:00:00.000Z');
});

test('what else Meta tells of a number is for the customer, and what we work off ourselves is not', async () => {
  const calls = value({ calls: [{ id: 'wacid.1', event: 'connect', note: 'of calls' }] });
  const errors = value({ errors: [{ code: 131051, note: 'of errors' }] });
  const name = { display_phone_number: number.digits, decision: 'APPROVED', note: 'of a name' };
  const template = { event: 'APPROVED', message_template_id: 1, note: 'of a template' };
  const stranger = {
    metadata: { display_phone_number: '4915', phone_number_id: '4' },
    note: 'of a stranger',
  };
  for (const [field, value] of [
    ['calls', calls],
    ['messages', errors],
    ['phone_number_name_update', name],
    ['message_template_status_update', template],
    ['calls', stranger],
  ] as const) {
    expect((await post(JSON.stringify(envelope(field, value)))).statusCode).toBe(200);
  }
  const forwarded = async (note: string) => {
    const [event] = await storedWith(note);
    const made = await api.db
      .select()
      .from(deliveries)
      .where(eq(deliveries.id, event?.id ?? ''));
    return {
      type: event?.type,
      content: JSON.parse(event?.content ?? ''),
      to: made.map((one) => one.targetId),
    };
  };
  const update = (field: string, meta: object) => ({
    type: 'meta.update',
    content: { field, meta },
    to: [number.id],
  });
  expect(await forwarded('of calls')).toEqual(update('calls', calls));
  expect(await forwarded('of errors')).toEqual(update('messages', errors));
  expect(await forwarded('of a name')).toEqual({ type: 'change', content: name, to: [] });
  expect(await forwarded('of a template')).toEqual({ type: 'change', content: template, to: [] });
  expect(await storedWith('of a stranger')).toEqual([]);
});

test('what is nested too deep is cut, the rest of its batch is whole, and long numbers name what they name', async () => {
  const deep = (inner: string) => `${'['.repeat(20_000)}${inner}${']'.repeat(20_000)}`;
  for (const [inner, note] of [
    ['', 'deep'],
    ['12345678901234567890', 'deep and exact'],
  ] as const) {
    const messages = [message({ note, nested: 'HERE' }), message({ note })];
    const text = JSON.stringify(envelope('messages', value({ messages })));
    expect((await post(text.replace('"HERE"', deep(inner)))).statusCode).toBe(200);
    const stored = (await storedWith(`"note":"${note}"`)).map(
      ({ content }) => JSON.parse(content).messages[0],
    );
    expect(stored).toMatchObject(messages.map(({ id }) => ({ id })));
    expect(JSON.stringify(stored[0].nested)).toMatch(/^\[{50,}null\]+$/);
    expect(stored[1]).toEqual(messages[1]);
  }
  const long = await connectWaba(api.db, (await createAccount(api.db)).id, '12345678901234567');
  const change = envelope('account_update', { note: 'of a long id' }, 'ID');
  expect((await post(JSON.stringify(change).replace('"ID"', long.wabaId))).statusCode).toBe(200);
  expect(await storedWith('of a long id')).toMatchObject([
    { wabaId: long.wabaId, accountId: long.accountId },
  ]);
});

test('whatever has another form is kept, never an error', async () => {
  const mark = () => `mark-${randomUUID()}`;
  const marks = Array.from({ length: 9 }, mark);
  const bodies: unknown[] = [
    { object: 'page', note: marks[0] },
    [marks[1]],
    { object: 'whatsapp_business_account', entry: [marks[2], { id: waba.wabaId, note: marks[3] }] },
    envelope('messages', null),
    envelope('messages', value({ errors: [{ code: marks[4] }] })),
    envelope('something_new', { deep: [{ note: marks[5] }] }),
    envelope('messages', value({ messages: [marks[6], null, 12] })),
    envelope('messages', value({ messages: [message({ id: { note: marks[7] }, timestamp: {}, from: [] })] })),
    envelope('account_update\0', { event: marks[8] }, '\0'),
    { entry: [] },
    { entry: [{ changes: [] }] },
  ];
  for (const body of bodies) expect((await post(JSON.stringify(body))).statusCode).toBe(200);
  for (const one of marks) expect(await storedWith(one), one).toHaveLength(1);
});

test('a field of a million characters and a batch of 1,000 updates in 3 MB are stored whole', async () => {
  const long = message({ text: { body: 'ü'.repeat(1_000_000) } });
  expect((await post(JSON.stringify(envelope('messages', value({ messages: [long] }))))).statusCode).toBe(
    200,
  );
  const [stored] = await storedWith(long.id);
  expect(JSON.parse(stored?.content ?? '').messages).toEqual([long]);

  const many = Array.from({ length: 1_000 }, (_, n) =>
    message({ from: `1650${n % 50}`, text: { body: `many ${n} `.padEnd(2_900, 'x') } }),
  );
  const raw = JSON.stringify(envelope('messages', value({ messages: many })));
  expect(raw.length).toBeGreaterThan(3_000_000);
  for (let again = 0; again < 2; again++) expect((await post(raw)).statusCode).toBe(200);
  const all = await storedWith('"many ');
  expect(all.map(({ content }) => JSON.parse(content).messages[0].id)).toEqual(many.map(({ id }) => id));

  const large = JSON.stringify({ note: 'x'.repeat(4 * 1024 * 1024) });
  expect(problemOf(await post(large)).code).toBe('too_large');
});

test('without the settings there is no such endpoint', async () => {
  const bare = await startTestApi();
  try {
    expect((await bare.app.inject('/webhooks/meta?hub.mode=subscribe')).statusCode).toBe(404);
    const answer = await bare.app.inject({ method: 'POST', url: '/webhooks/meta', payload: {} });
    expect(answer.statusCode).toBe(404);
  } finally {
    await bare.close();
  }
});
