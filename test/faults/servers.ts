/** A PostgreSQL and a Temporal server of a test's own, whose processes can be ended and started again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { loadConfig } from '../../contract/config.ts';
import { openDatabase } from '../../db/client.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { GENEROUS_LIMITS } from '../../dev/environment.ts';
import { createStackFolder } from '../../dev/folder.ts';
import { Part, type PartPlan } from '../../dev/part.ts';
import { choosePorts } from '../../dev/ports.ts';
import { planPostgres } from '../../dev/postgres.ts';
import { ProcessRecord } from '../../dev/processes.ts';
import { planTemporal } from '../../dev/temporal.ts';
import { openClient } from '../../temporal/connect.ts';
import { ensureSearchAttributes } from '../../temporal/search-attributes.ts';
import { startSmtp } from '../support/smtp.ts';
import { AUTH_SECRET } from '../support/stack.ts';
import type { Parts } from './checks.ts';

interface Server {
  /** Ends its process; what it stored stays. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
}

export interface StoppableStack extends Parts {
  postgres: Server;
  temporal: Server;
  /** Environment for processes of the product. */
  env: Record<string, string>;
  close(): Promise<void>;
}

/** PostgreSQL, Temporal and SMTP, all of this test's own, migrated and with the search attributes. */
export async function startStoppableStack(env: Record<string, string> = {}): Promise<StoppableStack> {
  const folder = mkdtempSync(join(tmpdir(), 'numbers-faults-'));
  createStackFolder(folder);
  const record = new ProcessRecord(join(folder, 'pids.json'));
  const ports = await choosePorts(
    { POSTGRES_PORT: '0', TEMPORAL_PORT: '0', TEMPORAL_UI_PORT: '0' },
    () => {},
    new Set(['PORT', 'METRICS_PORT', 'SMTP_PORT', 'MAIL_PORT', 'META_PORT', 'ENDPOINT_PORT']),
  );
  const never = new AbortController().signal;
  const { plan, databaseUrl } = await planPostgres({
    stack: folder,
    port: ports.POSTGRES_PORT,
    say: () => {},
    signal: never,
  });
  const { plan: temporalPlan, address } = planTemporal({
    stack: folder,
    program: inject('temporalCli'),
    ports,
    namespace: 'default',
  });
  const postgres = serverOf(plan, record);
  const temporal = serverOf(temporalPlan, record);
  const [smtp] = await Promise.all([startSmtp(), postgres.start(), temporal.start()]);

  const whole = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'warn',
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: address,
    SMTP_URL: smtp.url,
    AUTH_SECRET,
    ...GENEROUS_LIMITS,
    SHUTDOWN_GRACE_SECONDS: '1',
    WORKFLOW_BUNDLE: inject('workflowBundle'),
    ...env,
  };
  const config = loadConfig(whole);
  await migrateDatabase(config);
  const db = openDatabase({ ...config, DATABASE_POOL: 8 }, { name: 'test' });
  const { client, connection } = openClient(config, 'test');
  await ensureSearchAttributes(connection, config.TEMPORAL_NAMESPACE);
  return {
    postgres,
    temporal,
    smtp,
    db,
    client,
    env: whole,
    async close() {
      await Promise.all([connection.close(), db.close(), smtp.stop()]);
      await Promise.all([postgres.stop(), temporal.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function serverOf(plan: PartPlan, record: ProcessRecord): Server {
  let part: Part | undefined;
  return {
    async start() {
      part = new Part(plan, { record, say: console.error });
      await part.start(new AbortController().signal);
    },
    async stop() {
      await part?.stop();
      part = undefined;
    },
  };
}
