/** What is done at Meta for a number: over real HTTP to the simulator, on a real database. */
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '../../contract/ids.ts';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import { reserveRegistration } from '../../db/meta-registrations.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { metaRegistrations, numbers } from '../../db/schema.ts';
import { OUR_ACCOUNT } from '../../dev/meta/accounts.ts';
import { decideName } from '../../dev/meta/decisions.ts';
import { failureSchema } from '../../dev/meta/failures.ts';
import { draw } from '../../images/draw.ts';
import { openMeta } from '../../meta/deps.ts';
import { createMetaSteps } from '../../meta/steps.ts';
import { acceptNumber } from '../support/accepted.ts';
import {
  callsTo,
  connect,
  enterCode,
  readMeta,
  startTestMeta,
  type TestMeta,
  THEIR_ACCOUNT,
  theirs,
  verifyNumber,
} from '../support/meta.ts';
import { png } from '../support/pictures.ts';
import { createAccount } from '../support/stack.ts';

let meta: TestMeta;
let accountId: string;

beforeAll(async () => {
  meta = await startTestMeta();
  accountId = (await createAccount(meta.db)).id;
});
afterAll(() => meta.close());
beforeEach(() => {
  const { simulation } = meta.simulator;
  simulation.failures.clear();
  simulation.calls.length = 0;
  simulation.nameStatusAtStart = 'PENDING_REVIEW';
  simulation.provisioningDelayMs = 0;
});

const accept = (changes: Partial<typeof numbers.$inferInsert> = {}) =>
  acceptNumber(meta.db, accountId, { status: 'PENDING_FACEBOOK_APPROVAL', ...changes });
const fail = (rule: object) => meta.simulator.simulation.failures.add(failureSchema.parse(rule));
const edit = (number: NumberRow, changes: Partial<typeof numbers.$inferInsert>) =>
  meta.db
    .update(numbers)
    .set({ revision: number.revision + 1, ...changes })
    .where(eq(numbers.id, number.id));

async function registered(changes: Partial<typeof numbers.$inferInsert> = {}): Promise<NumberRow> {
  const number = await accept(changes);
  await verifyNumber(meta, number);
  expect(await meta.steps.register({ numberId: number.id })).toEqual({ done: true });
  return number;
}

test('a number is added, verified, registered, shown with its profile and picture, and read', async () => {
  const { db, deps, steps } = meta;
  const image = await deps.images.add(
    { accountId, by: { type: 'customer', id: null } },
    await draw(await png()),
  );
  if ('fullUntil' in image) throw new Error('full');
  const number = await accept({
    displayName: 'Lucky Shrub',
    address: '1 Long Street',
    website: 'https://shrub.example',
    contactEmail: 'hello@shrub.example',
    imageId: image.id,
  });
  const numberId = number.id;

  expect(await steps.addNumber({ numberId })).toEqual({ configured: true, done: true });
  expect(theirs(meta, number)).toMatchObject({ verifiedName: 'Lucky Shrub', wabaId: OUR_ACCOUNT.wabaId });
  expect(callsTo(meta, 'POST', '/phone_numbers')[0]?.params).toMatchObject({ cc: '1' });
  expect(await steps.requestCode({ numberId, method: 'VOICE' })).toEqual({ done: true, needed: true });

  await enterCode(meta, numberId, theirs(meta, number).code?.value === '000000' ? '111111' : '000000');
  expect(await steps.verifyCode({ numberId })).toEqual({ outcome: 'wrong' });
  const code = theirs(meta, number).code?.value ?? '';
  await enterCode(meta, numberId, code);
  expect((await readMeta(db, numberId)).code).not.toContain(code);
  expect(await steps.verifyCode({ numberId })).toEqual({ outcome: 'right' });
  expect(await readMeta(db, numberId)).toMatchObject({
    code: null,
    codeOutcome: 'right',
    codeOperationId: `op_${code}`,
  });

  expect(await steps.register({ numberId })).toEqual({ done: true });
  const { pin } = theirs(meta, number);
  expect(pin).toMatch(/^\d{6}$/);
  expect((await readMeta(db, numberId)).pin).not.toContain(pin);

  expect(await steps.pushProfile({ numberId })).toEqual({ done: true, revision: number.revision });
  const { profile } = theirs(meta, number);
  expect(profile).toMatchObject({
    address: '1 Long Street',
    websites: ['https://shrub.example'],
    email: 'hello@shrub.example',
    vertical: number.businessCategory,
  });
  const kept = meta.simulator.simulation.pictures.get(profile.picture ?? '');
  expect(kept?.bytes.equals(await deps.images.read(image))).toBe(true);

  const reading = await steps.readNumber({ numberId });
  expect(reading).toMatchObject({
    done: true,
    codeVerified: true,
    registered: true,
    connected: true,
    differences: [],
    news: {
      source: 'poll',
      name: { status: 'PENDING_REVIEW', requestedName: 'Lucky Shrub', reason: null },
      quality: { connectionStatus: 'CONNECTED', color: 'GREEN' },
      limit: { limit: 'TIER_250', scope: 'portfolio' },
    },
  });
  expect(JSON.stringify(meta.lines)).not.toContain(code);
  expect(JSON.stringify(meta.lines)).not.toContain(OUR_ACCOUNT.token);
});

test('every step repeated does nothing more at Meta', async () => {
  const number = await registered();
  const numberId = number.id;
  await meta.steps.pushProfile({ numberId });
  meta.simulator.simulation.calls.length = 0;
  expect(await meta.steps.addNumber({ numberId })).toEqual({ configured: true, done: true });
  expect(await meta.steps.requestCode({ numberId, method: 'SMS' })).toEqual({ done: true, needed: false });
  expect(await meta.steps.verifyCode({ numberId })).toEqual({ outcome: 'right' });
  expect(await meta.steps.register({ numberId })).toEqual({ done: true });
  expect(meta.simulator.simulation.calls.filter(({ method }) => method === 'POST')).toEqual([]);
});

test.each([
  ['/phone_numbers', 'addNumber'],
  ['/verify_code', 'verifyCode'],
  ['/register', 'register'],
  ['/deregister', 'deregister'],
] as const)('a %s whose answer is lost is done once', async (path, step) => {
  const number = await accept();
  const numberId = number.id;
  const order = ['addNumber', 'verifyCode', 'register', 'deregister'] as const;
  const run: Record<(typeof order)[number], () => Promise<unknown>> = {
    addNumber: () => meta.steps.addNumber({ numberId }),
    verifyCode: async () => {
      if (!theirs(meta, number).code) {
        await meta.steps.requestCode({ numberId, method: 'SMS' });
        await enterCode(meta, numberId, theirs(meta, number).code?.value ?? '');
      }
      return meta.steps.verifyCode({ numberId });
    },
    register: () => meta.steps.register({ numberId }),
    deregister: async () => {
      await edit(number, { status: 'RELEASED' });
      return meta.steps.deregister({ numberId });
    },
  };
  for (const earlier of order.slice(0, order.indexOf(step))) await run[earlier]();
  fail({ method: 'POST', path, code: 2, when: 'after' });
  await expect(run[step]()).rejects.toMatchObject({ name: 'TryLater' });
  await run[step]();
  expect(callsTo(meta, 'POST', path).filter(({ status }) => status === 200)).toEqual([]);
  expect(callsTo(meta, 'POST', path)).toHaveLength(1);
});

test('a number that Meta has not set up waits without spending a registration', async () => {
  meta.simulator.simulation.provisioningDelayMs = 60_000;
  const number = await accept();
  await verifyNumber(meta, number);
  await expect(meta.steps.register({ numberId: number.id })).rejects.toMatchObject({
    name: 'TryLater',
    retryAfterMs: expect.any(Number),
  });
  expect(callsTo(meta, 'POST', '/register')).toEqual([]);
  meta.simulator.simulation.advance(60_000);
  expect(await meta.steps.register({ numberId: number.id })).toEqual({ done: true });
});

test('a wrong certificate is put right by another registration', async () => {
  const number = await accept();
  await verifyNumber(meta, number);
  fail({ path: '/register', code: 131045 });
  await expect(meta.steps.register({ numberId: number.id })).rejects.toMatchObject({ name: 'TryLater' });
  expect(await meta.steps.register({ numberId: number.id })).toEqual({ done: true });
});

test('a registration that comes too early is tried again later, and counted', async () => {
  const number = await accept();
  await verifyNumber(meta, number);
  fail({ path: '/register', code: 100, subcode: 2388001 });
  await expect(meta.steps.register({ numberId: number.id })).rejects.toMatchObject({ retryAfterMs: 600_000 });
  expect(await meta.steps.register({ numberId: number.id })).toEqual({ done: true });
});

test.each([
  [133005, 'customer', /two-step verification/],
  [130497, 'support', /country/],
  [131031, 'customer', /locked/],
  [999999, 'support', /not known here/],
])('a registration that is refused with %i is the turn of %s', async (code, turn, message) => {
  const number = await accept();
  await verifyNumber(meta, number);
  fail({ path: '/register', code });
  const result = await meta.steps.register({ numberId: number.id });
  expect(result).toMatchObject({
    done: false,
    turn,
    problem: { code, message: expect.stringMatching(message), fbtraceId: expect.any(String) },
  });
  expect(result).not.toHaveProperty('again');
});

test('where Meta wants another verification, the number goes back to the code', async () => {
  const number = await accept();
  await verifyNumber(meta, number);
  theirs(meta, number).codeStatus = 'EXPIRED';
  expect(await meta.steps.register({ numberId: number.id })).toMatchObject({
    done: false,
    again: 'code',
    turn: 'customer',
  });
  expect(await meta.steps.requestCode({ numberId: number.id, method: 'SMS' })).toEqual({
    done: true,
    needed: true,
  });
});

test('a code is expired when it is old, and gone once Meta was asked', async () => {
  const number = await accept();
  const numberId = number.id;
  await meta.steps.addNumber({ numberId });
  expect(await meta.steps.verifyCode({ numberId })).toMatchObject({ done: false, turn: 'customer' });
  await meta.steps.requestCode({ numberId, method: 'SMS' });
  await changeMetaNumber(meta.db, numberId, { codeSentAt: new Date(Date.now() - 11 * 60_000) });
  meta.simulator.simulation.advance(11 * 60_000);
  await enterCode(meta, numberId, theirs(meta, number).code?.value ?? '');
  expect(await meta.steps.verifyCode({ numberId })).toEqual({ outcome: 'expired' });
  expect(await meta.steps.verifyCode({ numberId })).toEqual({ outcome: 'expired' });
  expect(callsTo(meta, 'POST', '/verify_code')).toHaveLength(1);
});

test('a changed name is asked for once, shown when Meta approves, and registered again', async () => {
  const number = await registered({ displayName: 'Lucky Shrub' });
  const numberId = number.id;
  decideName(meta.simulator.simulation, theirs(meta, number), { decision: 'APPROVED' });
  await edit(number, { displayName: 'Lucky Bush' });
  expect(await meta.steps.pushProfile({ numberId })).toMatchObject({ done: true });
  expect(await meta.steps.pushProfile({ numberId })).toMatchObject({ done: true });
  expect(theirs(meta, number)).toMatchObject({ newName: 'Lucky Bush', newNameStatus: 'PENDING_REVIEW' });
  expect(await meta.steps.readNumber({ numberId })).toMatchObject({
    news: { name: { name: 'Lucky Shrub', requestedName: 'Lucky Bush', status: 'PENDING_REVIEW' } },
  });
  await edit(number, { displayName: 'Lucky Tree' });
  expect(await meta.steps.pushProfile({ numberId })).toMatchObject({
    done: false,
    turn: 'facebook',
    problem: { message: expect.stringMatching(/reviews one name at a time, and "Lucky Bush"/) },
  });
  await edit(number, { displayName: 'Lucky Bush' });
  decideName(meta.simulator.simulation, theirs(meta, number), { decision: 'APPROVED' });
  const since = new Date().toISOString();
  expect(await meta.steps.register({ numberId, since })).toEqual({ done: true });
  expect(await meta.steps.register({ numberId, since })).toEqual({ done: true });
  expect(callsTo(meta, 'POST', '/register')).toHaveLength(2);
  expect(await meta.steps.readNumber({ numberId })).toMatchObject({
    news: { name: { name: 'Lucky Bush', requestedName: 'Lucky Bush', status: 'APPROVED' } },
  });
});

test('a name that was declined is told in words, and asked for again with the next attempt', async () => {
  const number = await registered({ displayName: 'Best Shop Ever' });
  const numberId = number.id;
  decideName(meta.simulator.simulation, theirs(meta, number), { decision: 'REJECTED' });
  expect(await meta.steps.readNumber({ numberId })).toMatchObject({
    news: { name: { status: 'DECLINED', reason: expect.stringMatching(/^Meta declined the name/) } },
  });
  await meta.steps.pushProfile({ numberId });
  expect(theirs(meta, number)).toMatchObject({ newName: null });
  await edit(number, { displayName: 'Shop of Acme' });
  expect(await meta.steps.addNumber({ numberId })).toEqual({ configured: true, done: true });
  expect(theirs(meta, number)).toMatchObject({ newName: 'Shop of Acme', newNameStatus: 'PENDING_REVIEW' });
  expect(await meta.steps.addNumber({ numberId })).toEqual({ configured: true, done: true });
});

test('what Meta shows otherwise is told by our fields', async () => {
  const number = await registered({ address: '1 Long Street', website: 'https://shrub.example' });
  const numberId = number.id;
  await meta.steps.pushProfile({ numberId });
  Object.assign(theirs(meta, number).profile, {
    address: '2 Short Street',
    websites: ['https://shrub.example/'],
  });
  expect(await meta.steps.readNumber({ numberId })).toMatchObject({
    differences: [{ field: 'address', theirs: '2 Short Street' }],
  });
});

test('an upload that breaks off resumes where it was, and a handle that has expired is drawn anew', async () => {
  const by = { type: 'customer', id: null } as const;
  const image = await meta.deps.images.add({ accountId, by }, await draw(await png()));
  if ('fullUntil' in image) throw new Error('full');
  const number = await registered({ imageId: image.id });
  const numberId = number.id;
  const { simulation } = meta.simulator;
  simulation.uploads.breakAfter = 100;
  // The call with the fields goes through, the one with the handle does not.
  fail({ method: 'POST', path: '/whatsapp_business_profile' });
  fail({ method: 'POST', path: '/whatsapp_business_profile', code: 100 });
  expect(await meta.steps.pushProfile({ numberId })).toMatchObject({ done: true });
  const picture = simulation.pictures.get(theirs(meta, number).profile.picture ?? '');
  expect(picture?.bytes.equals(await meta.deps.images.read(image))).toBe(true);
  expect(callsTo(meta, 'POST', '/uploads')).toHaveLength(2);
  await meta.steps.pushProfile({ numberId });
  expect(callsTo(meta, 'POST', '/uploads')).toHaveLength(2);
});

test('a number that Meta has lost is added anew: verified, registered and shown as a new one', async () => {
  const by = { type: 'customer', id: null } as const;
  const image = await meta.deps.images.add({ accountId, by }, await draw(await png()));
  if ('fullUntil' in image) throw new Error('full');
  const number = await registered({ imageId: image.id });
  const numberId = number.id;
  await meta.steps.pushProfile({ numberId });
  const { numbers: all } = meta.simulator.simulation.state;
  all.splice(all.indexOf(theirs(meta, number)), 1);
  expect(await meta.steps.addNumber({ numberId })).toEqual({ configured: true, done: true });
  expect(await readMeta(meta.db, numberId)).toMatchObject({ verifiedAt: null, registeredAt: null });
  await verifyNumber(meta, number);
  expect(await meta.steps.register({ numberId })).toEqual({ done: true });
  await meta.steps.pushProfile({ numberId });
  expect(meta.simulator.simulation.pictures.get(theirs(meta, number).profile.picture ?? '')).toBeDefined();
});

test('a number that another account had is registered with the PIN that is known', async () => {
  const number = await registered();
  await edit(number, { status: 'RELEASED' });
  expect(await meta.steps.deregister({ numberId: number.id })).toEqual({ done: true });
  expect(theirs(meta, number).registered).toBe(false);
  const { mobileNumber } = number;
  const again = await accept({ mobileNumber, accountId: (await createAccount(meta.db)).id });
  expect(await meta.steps.addNumber({ numberId: again.id })).toEqual({ configured: true, done: true });
  expect(await meta.steps.requestCode({ numberId: again.id, method: 'SMS' })).toMatchObject({
    done: false,
    turn: 'support',
  });
  expect(await meta.steps.register({ numberId: again.id })).toEqual({ done: true });
});

test('a number that is only written like one of another account is added for itself', async () => {
  const mobile = await accept({ mobileNumber: '+5491143211234' });
  await meta.steps.addNumber({ numberId: mobile.id });
  const landline = await accept({
    mobileNumber: '+541143211234',
    accountId: (await createAccount(meta.db)).id,
  });
  expect(await meta.steps.addNumber({ numberId: landline.id })).toEqual({ configured: true, done: true });
  expect(theirs(meta, landline).id).not.toBe(theirs(meta, mobile).id);
});

test('a late deregistration leaves the number to whoever has it now', async () => {
  const number = await registered();
  // The owner's own next attempt.
  expect(await meta.steps.deregister({ numberId: number.id })).toEqual({ done: true });
  await edit(number, { status: 'RELEASED' });
  const again = await accept({ mobileNumber: number.mobileNumber });
  expect(await meta.steps.addNumber({ numberId: again.id })).toEqual({ configured: true, done: true });
  expect(await meta.steps.deregister({ numberId: number.id })).toEqual({ done: true });
  expect(callsTo(meta, 'POST', '/deregister')).toEqual([]);
  expect(theirs(meta, number).registered).toBe(true);
});

test.each(['register', 'deregister'] as const)(
  'what Meta shows does not count while a %s may be on its way to it',
  async (kind) => {
    const number = kind === 'deregister' ? await registered() : await accept();
    const { mobileNumber } = number;
    if (kind === 'register') await meta.steps.addNumber({ numberId: number.id });
    await edit(number, { status: 'WITHDRAWN' });
    await reserveRegistration(meta.db, mobileNumber, kind);
    const next = kind === 'register' ? number : await accept({ mobileNumber });
    const { id: numberId } = next;
    if (kind === 'deregister') await meta.steps.addNumber({ numberId });
    const step = () =>
      kind === 'register' ? meta.steps.deregister({ numberId }) : meta.steps.register({ numberId });
    await expect(step()).rejects.toMatchObject({ name: 'TryLater', retryAfterMs: 15_000 });
    await meta.db
      .update(metaRegistrations)
      .set({ at: sql`${metaRegistrations.at} - interval '2 minutes'` })
      .where(eq(metaRegistrations.mobileNumber, mobileNumber));
    expect(await step()).toEqual({ done: true });
  },
);

test('a deregistration of what Meta does not have, or has not registered, is done', async () => {
  const never = await accept();
  expect(await meta.steps.deregister({ numberId: never.id })).toEqual({ done: true });
  const added = await accept();
  await meta.steps.addNumber({ numberId: added.id });
  await edit(added, { status: 'WITHDRAWN' });
  expect(await meta.steps.deregister({ numberId: added.id })).toEqual({ done: true });
  const deleted = await registered();
  const { simulation } = meta.simulator;
  simulation.state.numbers.splice(simulation.state.numbers.indexOf(theirs(meta, deleted)), 1);
  await edit(deleted, { status: 'RELEASED' });
  expect(await meta.steps.deregister({ numberId: deleted.id })).toEqual({ done: true });
  expect(callsTo(meta, 'POST', '/deregister')).toEqual([]);
});

test.each([{ code: 4 }, { code: 80007 }, { code: 133004 }, { code: 100, transient: true }, { code: 131000 }])(
  'trouble that passes is for trying again: %o',
  async (rule) => {
    const number = await accept();
    fail({ path: '/phone_numbers', ...rule });
    await expect(meta.steps.addNumber({ numberId: number.id })).rejects.toMatchObject({ name: 'TryLater' });
    expect(await meta.steps.addNumber({ numberId: number.id })).toEqual({ configured: true, done: true });
  },
);

test('a Meta that does not answer is for trying again', async () => {
  const number = await accept();
  const config = { ...meta.config, META_GRAPH_URL: 'http://127.0.0.1:9' };
  const steps = createMetaSteps(openMeta({ ...meta.deps, config }));
  await expect(steps.addNumber({ numberId: number.id })).rejects.toMatchObject({ name: 'TryLater' });
});

test('an account with its own connection is served by it, others by ours, and none where Meta is not configured', async () => {
  const own = (await createAccount(meta.db)).id;
  const { id: connectionId } = await connect(meta, own);
  const number = await acceptNumber(meta.db, own, { status: 'PENDING_FACEBOOK_APPROVAL' });
  await meta.steps.addNumber({ numberId: number.id });
  expect(theirs(meta, number).wabaId).toBe(THEIR_ACCOUNT.wabaId);
  expect((await readMeta(meta.db, number.id)).connectionId).toBe(connectionId);

  const { META_APP_ID: _, ...config } = meta.config;
  const off = createMetaSteps(openMeta({ ...meta.deps, config }));
  expect(await off.addNumber({ numberId: number.id })).toEqual({ configured: false });
  const { META_WABA_ID: _1, META_ACCESS_TOKEN: _2, ...without } = meta.config;
  const onlyTheirs = createMetaSteps(openMeta({ ...meta.deps, config: without }));
  expect(await onlyTheirs.addNumber({ numberId: (await accept()).id })).toEqual({ configured: false });
});

test('a step for a number that there is not says so', async () => {
  expect(await meta.steps.register({ numberId: newId('num') })).toMatchObject({
    done: false,
    turn: 'operator',
  });
});
