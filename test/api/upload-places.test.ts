/** Files are read a bounded number at once, and whoever goes away makes room. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uploadPlaces } from '../../api/upload-places.ts';
import { form, png } from '../support/pictures.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

const never = new AbortController().signal;
/** Whether it is settled, once all that is ready has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe('places', () => {
  it('are as many as there are, and are used again', async () => {
    const enter = uploadPlaces({ places: 2, share: 2, bytes: 10 });
    const [first, second] = await Promise.all([enter('a', never), enter('b', never)]);
    expect(first.buffer).toHaveLength(10);
    expect(first.buffer).not.toBe(second.buffer);
    const third = enter('c', never);
    const fourth = enter('d', never);
    expect(await settled(third)).toBe(false);
    second.leave();
    expect((await third).buffer).toBe(second.buffer);
    expect(await settled(fourth)).toBe(false);
    first.leave();
    expect((await fourth).buffer).toBe(first.buffer);
  });

  it('go to others where an account has its share', async () => {
    const enter = uploadPlaces({ places: 3, share: 2, bytes: 1 });
    const [first] = await Promise.all([enter('a', never), enter('a', never)]);
    const third = enter('a', never);
    expect(await settled(third)).toBe(false);
    const other = await enter('b', never);
    other.leave();
    expect(await settled(third)).toBe(false);
    first?.leave();
    await third;
  });

  it('are not kept for whoever gave up', async () => {
    const enter = uploadPlaces({ places: 1, share: 1, bytes: 1 });
    const place = await enter('a', never);
    const gone = new AbortController();
    const waiting = enter('b', gone.signal);
    const next = enter('c', never);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(enter('d', gone.signal)).rejects.toThrow('gone');
    place.leave();
    // Too late to give up.
    const late = new AbortController();
    (await next).leave();
    const last = await enter('e', late.signal);
    late.abort(new Error('late'));
    last.leave();
    await enter('f', never);
  });
});

describe('uploads that never end', () => {
  let api: TestApi;
  let port: number;
  beforeAll(async () => {
    api = await startTestApi();
    await api.app.listen({ host: '127.0.0.1', port: 0 });
    ({ port } = api.app.server.address() as AddressInfo);
  });
  afterAll(() => api.close());

  /** Sends the head and a part of the file, and stays so. */
  async function drip(key: string) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const { body, headers } = form({ content: Buffer.alloc(100_000) });
    socket.write(
      `POST /v1/images HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
        `content-type: ${headers['content-type']}\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.subarray(0, 50_000));
    return socket;
  }
  const upload = async (key: string) => {
    const { body, headers } = form({ content: await png(192) });
    return api.call(key, 'POST', '/v1/images', body, headers);
  };

  it('keep out neither other accounts, nor, once they are gone, their own', async () => {
    const { key } = await createAccount(api.db);
    const other = await createAccount(api.db, 'Other');
    const sockets = await Promise.all(Array.from({ length: 12 }, () => drip(key)));
    // Only the account's share is taken.
    expect((await upload(other.key)).statusCode).toBe(201);
    let told: Awaited<ReturnType<typeof upload>> | undefined;
    const refused = async () => {
      told = await upload(key);
      return told.statusCode;
    };
    // As soon as they have all come in.
    await expect.poll(refused, { timeout: 40_000 }).toBe(503);
    expect(problemOf(told ?? expect.fail())).toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('Too many pictures'),
    });
    expect(Number(told?.headers['retry-after'])).toBeGreaterThan(0);
    const own = upload(key);
    for (const socket of sockets) socket.destroy();
    expect((await own).statusCode).toBe(201);
  });
});
