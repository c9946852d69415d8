/** Pictures in an S3-compatible store: a real one, which checks signatures, and which can be away. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { buildApp } from '../../api/app.ts';
import { type Config, loadConfig } from '../../contract/config.ts';
import { imageContents, images, numbers } from '../../db/schema.ts';
import { submission } from '../support/http.ts';
import { form, png } from '../support/pictures.ts';
import { startS3, type TestS3 } from '../support/s3.ts';
import { createAccount } from '../support/stack.ts';
import {
  type Call,
  caller,
  MAIL_DOWN,
  problemOf,
  startTestApi,
  submit,
  TEMPORAL_DOWN,
  type TestApi,
} from './harness.ts';

let s3: TestS3;
let api: TestApi;
let key: string;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  s3 = await startS3();
  api = await startTestApi(s3.env);
  ({ key } = await createAccount(api.db));
});
afterAll(async () => {
  for (const close of closing) await close();
  await api.close();
  await s3.close();
});

/** The configuration of this test with other settings of the store. */
function configured(env: Record<string, string>): Config {
  const { DATABASE_URL } = api.config;
  const other = loadConfig({ DATABASE_URL, ...env });
  const settings = Object.keys(other).filter((name) => name === 'IMAGE_STORE' || name.startsWith('S3_'));
  const kept = Object.entries(api.config).filter(([name]) => !name.startsWith('S3_'));
  return Object.fromEntries([
    ...kept,
    ...settings.map((name) => [name, other[name as keyof Config]]),
  ]) as unknown as Config;
}

/** Another API on the same database, with other settings of the store. */
async function startOther(env: Record<string, string>): Promise<Call> {
  const app = await buildApp({
    db: api.db,
    config: configured(env),
    workflows: TEMPORAL_DOWN,
    mail: MAIL_DOWN,
  });
  closing.push(() => app.close());
  return caller(app);
}

async function upload(call = api.call) {
  const { body, headers } = form({ content: await png(192) });
  return call(key, 'POST', '/v1/images', body, headers);
}
const uploaded = async (call = api.call): Promise<string> => {
  const response = await upload(call);
  expect(response.statusCode, response.body).toBe(201);
  return response.json().id;
};
const read = (id: string, call = api.call) => call(key, 'GET', `/v1/images/${id}`);
const rowOf = async (id: string) => (await api.db.select().from(images).where(eq(images.id, id)))[0];
const age = (id: string) =>
  api.db.update(images).set({ createdAt: sql`now() - interval '25 hours'` }).where(eq(images.id, id));

/** As the Schedule has it done by a worker. */
function cleanUp(env: Record<string, string>) {
  const unused = {} as never;
  const { deleteUnusedImages } = createActivities({
    db: api.db,
    lockDb: unused,
    mailer: unused,
    workflows: TEMPORAL_DOWN,
    meta: unused,
    config: configured(env),
    logger: { info() {}, warn() {}, error() {} },
    stopping: new AbortController().signal,
  });
  return deleteUnusedImages();
}

function expectUnavailable(response: Awaited<ReturnType<typeof upload>>) {
  expect(response.statusCode, response.body).toBe(503);
  expect(problemOf(response).code).toBe('unavailable');
  expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  expect(response.headers['cache-control']).not.toContain('immutable');
}

describe('a picture', () => {
  it('is in the store alone, and is read from there', async () => {
    const id = await uploaded();
    expect(s3.keys()).toContain(`images/${id}`);
    expect(await api.db.select().from(imageContents)).toEqual([]);
    const got = await read(id);
    expect([got.statusCode, got.headers['content-type']]).toEqual([200, 'image/png']);
    expect(got.rawPayload.subarray(1, 4).toString()).toBe('PNG');
    expect(await rowOf(id)).toMatchObject({ store: 's3', bytes: got.rawPayload.length });
  });

  it('stays where it was put when the setting changes', async () => {
    const before = await uploaded();
    const { IMAGE_STORE: _, ...settings } = s3.env;
    const inDatabase = await startOther(settings);
    const after = await uploaded(inDatabase);
    expect([(await rowOf(before))?.store, (await rowOf(after))?.store]).toEqual(['s3', 'database']);
    for (const call of [api.call, inDatabase]) {
      expect((await read(before, call)).statusCode).toBe(200);
      expect((await read(after, call)).statusCode).toBe(200);
    }
    // Whoever takes the settings away has to know what is there.
    expectUnavailable(await read(before, await startOther({})));
  });
});

describe('a store', () => {
  it('that refuses the key is unavailable', async () => {
    const call = await startOther({ ...s3.env, S3_SECRET_ACCESS_KEY: 'another' });
    const before = s3.keys();
    expectUnavailable(await upload(call));
    expect(s3.keys()).toEqual(before);
    expectUnavailable(await read(await uploaded(), call));
  });

  it('that has no such bucket is unavailable', async () => {
    expectUnavailable(await upload(await startOther({ ...s3.env, S3_BUCKET: 'nowhere' })));
  });

  it('that is away is unavailable until it is back; nothing is left of what was tried', async () => {
    const id = await uploaded();
    const { key: own } = await createAccount(api.db);
    await s3.stop();
    expectUnavailable(await read(id));
    const known = key;
    key = own;
    const rows = await api.db.$count(images);
    expectUnavailable(await upload());
    key = known;
    // Its row is there for the clean-up, in case the content did arrive; no number can be given it.
    const [left, ...others] = await api.db.select().from(images).orderBy(sql`id desc`).limit(1);
    expect([others, await api.db.$count(images)]).toEqual([[], rows + 1]);
    expect(left?.createdAt.getTime()).toBeLessThan(Date.now() - 23 * 3_600_000);
    await s3.start();
    expect((await read(id)).statusCode).toBe(200);
    await uploaded();
  });

  it('that never answers is unavailable within the time of a request', async () => {
    const silent: Server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const call = await startOther({ ...s3.env, S3_ENDPOINT: `http://127.0.0.1:${port}` });
    expectUnavailable(await upload(call));
    silent.close();
  });
});

describe('the clean-up', () => {
  it('takes what no number uses, a day after its upload, out of the store and the database', async () => {
    const { IMAGE_STORE: _, ...settings } = s3.env;
    const inDatabase = await startOther(settings);
    const [inUse, unused, fresh] = [await uploaded(), await uploaded(), await uploaded()];
    const stored = await uploaded(inDatabase);
    await submit(api.call, key, { imageId: inUse });
    for (const id of [inUse, unused, stored]) await age(id);
    await api.db.update(images).set({ usedAt: sql`now() - interval '25 hours'` }).where(eq(images.id, inUse));
    const { deleted, failed } = await cleanUp(s3.env);
    expect(deleted).toBeGreaterThanOrEqual(2);
    expect(failed).toBe(0);
    expect(
      await Promise.all([inUse, unused, fresh, stored].map(async (id) => Boolean(await rowOf(id)))),
    ).toEqual([true, false, true, false]);
    expect(s3.keys()).toEqual(expect.arrayContaining([`images/${inUse}`, `images/${fresh}`]));
    expect(s3.keys()).not.toContain(`images/${unused}`);
    expect(await api.db.select().from(imageContents).where(eq(imageContents.imageId, stored))).toEqual([]);
    expect(await cleanUp(s3.env)).toEqual({ deleted: 0, failed: 0 });
  });

  it('leaves to the next what it could not delete, and repeats what broke off half way', async () => {
    const id = await uploaded();
    await age(id);
    await s3.stop();
    expect(await cleanUp(s3.env)).toEqual({ deleted: 0, failed: 1 });
    expect(await rowOf(id)).toBeDefined();
    await s3.start();
    // As after a crash between the two: the content is gone, the row is not.
    s3.remove(`images/${id}`);
    expect(await cleanUp(s3.env)).toEqual({ deleted: 1, failed: 0 });
    expect(await rowOf(id)).toBeUndefined();
  });

  it('and a number that is given the picture in the same moment never both have it', async () => {
    for (let round = 0; round < 10; round++) {
      const [old, picture] = [await uploaded(), await uploaded()];
      const number = await submit(api.call, key, { imageId: old });
      await age(old);
      const past = sql`now() - interval '25 hours'`;
      await api.db.update(images).set({ usedAt: past }).where(eq(images.id, old));
      // One number lets go of it as another is given it.
      const [, given] = await Promise.all([
        api.db.update(numbers).set({ imageId: picture }).where(eq(numbers.id, number.id)),
        api.call(key, 'POST', '/v1/numbers', submission({ imageId: old })),
        cleanUp(s3.env),
      ]);
      const kept = (await rowOf(old)) !== undefined && (await read(old)).statusCode === 200;
      expect([given.statusCode, kept]).toBeOneOf([
        [201, true],
        [422, false],
        [422, true],
      ]);
      await cleanUp(s3.env);
      expect((await rowOf(old)) !== undefined).toBe(given.statusCode === 201);
    }
  });
});
