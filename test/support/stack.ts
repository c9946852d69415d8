/** The product on real parts, for one test file: a database, a Temporal dev server, an SMTP server, a worker. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { inject } from 'vitest';
import { type Config, loadConfig } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import { NextActionAtKey, NumberOwnerKey, NumberStatusKey } from '../../contract/messages.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { type Database, openDatabase } from '../../db/client.ts';
import { memberships, organizations, people } from '../../db/schema.ts';
import { GENEROUS_LIMITS } from '../../dev/environment.ts';
import { createMailer } from '../../email/transport.ts';
import { openMeta } from '../../meta/deps.ts';
import { createMetaSteps } from '../../meta/steps.ts';
import { openClient } from '../../temporal/connect.ts';
import { createNumberWorkflows, type NumberWorkflows } from '../../temporal/numbers.ts';
import { createNumbersWorker } from '../../worker/worker.ts';
import { createTestDatabase } from './database.ts';
import { startSmtp, type TestSmtp } from './smtp.ts';

export const AUTH_SECRET = 'a secret of the tests, and of nothing else';

export interface TestStack {
  config: Config;
  db: Database;
  client: Client;
  smtp: TestSmtp;
  workflows: NumberWorkflows;
  /** Environment for processes of the product. */
  env: Record<string, string>;
  startWorker(): Promise<void>;
  stopWorker(): Promise<void>;
  close(): Promise<void>;
}

/** Silent unless something is wrong; a test that needs the lines reads them from the processes' logs. */
const logger = { info() {}, warn() {}, error: console.error };

/** Starts everything, the worker included unless told otherwise. `env` overrides the configuration. */
export async function startStack(
  options: { env?: Record<string, string>; worker?: boolean } = {},
): Promise<TestStack> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const [database, smtp, temporal] = await Promise.all([createTestDatabase(), startSmtp(), startTemporal()]);
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'warn',
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace ?? 'default',
    SMTP_URL: smtp.url,
    MAIL_FROM: 'Numbers <no-reply@numbers.example>',
    SUPPORT_EMAIL: 'support@numbers.example',
    ESCALATION_EMAIL: 'lead@numbers.example',
    PUBLIC_URL: 'http://numbers.example',
    AUTH_SECRET,
    SHUTDOWN_GRACE_SECONDS: '1',
    ...GENEROUS_LIMITS,
    WORKFLOW_BUNDLE: inject('workflowBundle'),
    ...options.env,
  };
  const config = loadConfig(env);
  const lockDb = openDatabase(config, { name: 'test locks' });
  const mailer = createMailer({ smtpUrl: smtp.url, from: config.MAIL_FROM });
  const { client, connection } = openClient(config, 'test');
  const workflows = createNumberWorkflows({ client, db: database.db, config });
  const meta = createMetaSteps(openMeta({ db: database.db, config, logger }));
  let stop: (() => Promise<void>) | undefined;

  async function startWorker(): Promise<void> {
    const stopping = new AbortController();
    const { worker, close } = await createNumbersWorker(
      { db: database.db, lockDb, mailer, workflows, meta, config, logger, stopping: stopping.signal },
      { codePath: inject('workflowBundle') },
    );
    const running = worker.run();
    while (worker.getState() !== 'RUNNING') await sleep(20);
    stop = async () => {
      stopping.abort();
      worker.shutdown();
      await running;
      await close();
    };
  }
  async function stopWorker(): Promise<void> {
    await stop?.();
    stop = undefined;
  }

  if (options.worker !== false) await startWorker();
  return {
    config,
    db: database.db,
    client,
    smtp,
    workflows,
    env,
    startWorker,
    stopWorker,
    async close() {
      await stopWorker();
      await connection.close();
      await temporal.teardown();
      mailer.close();
      await smtp.stop();
      await lockDb.close();
      await database.drop();
    },
  };
}

/** A Temporal dev server in memory, with the search attributes. */
async function startTemporal(): Promise<TestWorkflowEnvironment> {
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: inject('temporalCli') },
      searchAttributes: [NumberStatusKey, NextActionAtKey, NumberOwnerKey],
      extraArgs: [
        ...['--dynamic-config-value', 'system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2'],
        ...['--dynamic-config-value', 'system.forceSearchAttributesCacheRefreshOnRead=true'],
      ],
    },
  });
}

/** An account with an address for notices and a key. */
export async function createAccount(db: Database, name = 'Widgets Inc.') {
  const id = newId('org');
  const email = `${id}@customer.example`;
  await db.insert(organizations).values({ id, name, slug: id, notificationEmails: [email] });
  const { id: keyId, key } = await createApiKey(db, {
    organizationId: id,
    name: 'test',
    scopes: ['read', 'write'],
  });
  return { id, email, key, keyId };
}

/** A member of staff with a key; `accountId` makes them a member of that account, too. */
export async function createStaff(db: Database, role: 'support' | 'operator', accountId?: string) {
  const id = newId('usr');
  await db.insert(people).values({ id, name: `${role} ${id.slice(-4)}`, email: `${id}@staff.example`, role });
  if (accountId) {
    await db.insert(memberships).values({ id: newId('mem'), organizationId: accountId, personId: id });
  }
  const { key } = await createApiKey(db, { personId: id, name: 'test', scopes: ['read', 'write'] });
  return { id, key };
}
