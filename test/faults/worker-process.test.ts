/** A worker process that cannot start, or is stopped in the middle of something: it ends, in order. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, inject, test } from 'vitest';
import { findConnection } from '../../db/meta-connections.ts';
import { emailAttempts } from '../../db/schema.ts';
import { acceptNumber, readEmails } from '../support/accepted.ts';
import { metaEnv } from '../support/meta.ts';
import { spawnProcess, startWorker } from '../support/processes.ts';
import { createAccount, startStack } from '../support/stack.ts';

async function listen() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, close: () => new Promise((resolve) => server.close(resolve)) };
}

async function closedPort(): Promise<number> {
  const { port, close } = await listen();
  await close();
  return port;
}

const spawnWorker = (env: Record<string, string>) =>
  spawnProcess('worker/main.ts', { WORKFLOW_BUNDLE: inject('workflowBundle'), ...env });

test('a wrong variable: a line, and exit code 1', async () => {
  const { gone, log } = spawnWorker({ DATABASE_URL: 'postgres://127.0.0.1:1/none', MAIL_FROM: 'Numbers' });
  expect(await gone).toBe(1);
  expect(log()).toBe('MAIL_FROM: one address, like "Numbers <numbers@example.com>".\n');
});

test('stopped while it waits for Temporal: it ends', { timeout: 60_000 }, async () => {
  const { child, gone, log } = spawnWorker({
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    TEMPORAL_ADDRESS: `127.0.0.1:${await closedPort()}`,
  });
  await expect.poll(log, { timeout: 30_000 }).toContain('The worker cannot start yet');
  child.kill('SIGTERM');
  expect(await gone).toBe(0);
});

test('a metrics port that is taken: a sentence, and exit code 1', { timeout: 60_000 }, async () => {
  const { port, close } = await listen();
  const stack = await startStack({ worker: false });
  const { gone, log } = spawnWorker({ ...stack.env, METRICS_PORT: String(port) });
  expect(await gone).toBe(1);
  expect(log()).toContain('set METRICS_PORT to a port');
  await Promise.all([close(), stack.close()]);
});

test('with Meta configured it keeps our connection, and wakes nobody where nobody waits', {
  timeout: 60_000,
}, async () => {
  const stack = await startStack({ worker: false });
  const env = { ...stack.env, ...metaEnv({ url: 'http://127.0.0.1:1' }) };
  const worker = await startWorker(env);
  const ours = () => findConnection(stack.db, null);
  expect(await ours()).toMatchObject({ state: 'active', token: null, wabaId: env['META_WABA_ID'] });
  await expect.poll(async () => (await ours())?.resumedAt, { timeout: 20_000 }).toBeInstanceOf(Date);
  expect(await worker.stop(), worker.log()).toBe(0);
  expect(worker.log()).not.toContain(env['META_ACCESS_TOKEN']);
  await stack.close();
});

test('stopped while the mail server works on a message: it ends in order, and says what it knows', {
  timeout: 60_000,
}, async () => {
  const stack = await startStack({ worker: false });
  stack.smtp.faults.hangAfterData = true;
  const row = await acceptNumber(stack.db, (await createAccount(stack.db)).id);
  await stack.workflows.start(row);
  const worker = await startWorker(stack.env);
  await expect.poll(() => stack.smtp.mails.length, { timeout: 20_000 }).toBe(1);
  expect(await worker.stop(), worker.log()).toBe(0);
  expect((await readEmails(stack.db, row.id)).map((email) => email.state)).toEqual(['unsent']);
  expect(await stack.db.select().from(emailAttempts)).toMatchObject([
    { outcome: 'ambiguous', detail: 'The worker stopped meanwhile.' },
  ]);
  await stack.close();
});
