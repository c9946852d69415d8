/** What is under way when the server begins to stop is answered, and holds up nothing afterwards. */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { waitingForLocks } from '../support/database.ts';
import { createAccount } from '../support/stack.ts';
import { startTestApi } from './harness.ts';

it('answers what is under way and ends its connection, instead of waiting for a next request', async () => {
  const { app, db, close } = await startTestApi();
  const { key } = await createAccount(db);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true });
  const { answered, closing } = await db.transaction(async (tx) => {
    await tx.execute(sql`lock table numbers`);
    const headers = { authorization: `Bearer ${key}` };
    const asking = request({ agent, port, path: '/v1/numbers', headers }).end();
    const answered = once(asking, 'response') as Promise<[IncomingMessage]>;
    await expect.poll(() => waitingForLocks(db)).toBe(1);
    return { answered, closing: close() };
  });
  const [answer] = await answered;
  answer.resume();
  expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
  await closing;
  agent.destroy();
});

it('closes a connection that has sent no request', async () => {
  const { app, close } = await startTestApi();
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const accepted = once(app.server, 'connection');
  const silent = connect(port, '127.0.0.1');
  await accepted;
  const ended = once(silent.resume(), 'close');
  await close();
  await ended;
});
