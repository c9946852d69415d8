/** Forwards what Meta tells to customers. SIGTERM or SIGINT stops it in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { secretsOf } from '../auth/secrets.ts';
import { type Config, ConfigError, loadConfig } from '../contract/config.ts';
import type { Change } from '../db/changes.ts';
import { openDatabase } from '../db/client.ts';
import { describeError } from '../db/errors.ts';
import { workOff } from '../meta/work-off.ts';
import { openClient } from '../temporal/connect.ts';
import { createNumberWorkflows } from '../temporal/numbers.ts';
import { lead } from './leader.ts';
import { serveMetrics } from './metrics.ts';
import { forward } from './term.ts';

/** How long a stop waits for the connections to PostgreSQL to end. */
const CLOSE_MS = 2_000;

try {
  await main(loadConfig());
  process.exit(0);
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : explain(error));
  process.exit(1);
}

function explain(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE'
    ? `${message}; set METRICS_PORT to a port of this process's own.`
    : describeError(error);
}

async function main(config: Config): Promise<void> {
  // Missing, it would be missed only by the first delivery.
  secretsOf(config);
  const logger = pino({
    name: 'delivery',
    level: config.LOG_LEVEL,
    serializers: { err: describeError, error: describeError },
  });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  const db = openDatabase(config, { name: 'delivery' });
  const { client, connection } = openClient(config, 'delivery');
  const workflows = createNumberWorkflows({ client, db, config });
  const state = { reached: false, leading: false };
  const metrics = await serveMetrics(db, {
    host: config.HOST,
    port: config.METRICS_PORT,
    isReady: () => state.reached,
    isLeading: () => state.leading,
  });
  const { observer } = metrics;
  try {
    await lead(config, logger, stopping.signal, {
      onAsked: (reached) => {
        state.reached = reached;
      },
      work: async (term) => {
        state.leading = true;
        const workOffChange = (change: Change) => workOff({ db, workflows, config, logger }, change);
        await forward({ db, config, logger, observer, workOffChange }, term, stopping.signal).finally(() => {
          state.leading = false;
        });
      },
    });
  } finally {
    await metrics.close();
    await connection.close();
    await Promise.race([db.close(), sleep(CLOSE_MS)]);
    logger.info('Stopped');
  }
}
