/** Runs the workflows and activities of numbers, and the sweeper. SIGTERM or SIGINT stops it in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DefaultLogger, type LogEntry, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import pino, { type Logger } from 'pino';
import { type Config, ConfigError, loadConfig } from '../contract/config.ts';
import { openDatabase } from '../db/client.ts';
import { describeError } from '../db/errors.ts';
import { createMailer } from '../email/transport.ts';
import { keepOurConnection } from '../meta/connections.ts';
import { openMeta } from '../meta/deps.ts';
import { createMetaSteps } from '../meta/steps.ts';
import { openClient } from '../temporal/connect.ts';
import { createNumberWorkflows } from '../temporal/numbers.ts';
import { ensureSchedules } from '../temporal/schedules.ts';
import { ensureSearchAttributes } from '../temporal/search-attributes.ts';
import { bundleWorkflows } from './bundle.ts';
import { freePort, serveMetrics } from './metrics.ts';
import { readBack } from './read-back.ts';
import { sweep } from './sweeper.ts';
import { CONCURRENT_ACTIVITIES, createNumbersWorker } from './worker.ts';

/** How long a start waits for Temporal before it gives up and says so. */
const TEMPORAL_WAIT_MS = 60_000;
/** How long a stop waits for the connections to PostgreSQL to end. */
const CLOSE_MS = 2_000;

// Exits by itself in any case: the SDK's native part and open pools would hold a process that has failed.
try {
  await main(loadConfig());
  process.exit(0);
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : explain(error));
  process.exit(1);
}

function explain(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' ? `${message}; set METRICS_PORT to a port of this process's own.` : error;
}

async function main(config: Config): Promise<void> {
  const logger = pino({
    name: 'worker',
    level: config.LOG_LEVEL,
    serializers: { err: describeError, error: describeError },
  });
  const sdkPort = await freePort();
  Runtime.install({
    logger: new DefaultLogger('INFO', (entry) => logEntry(logger, entry)),
    telemetryOptions: {
      metrics: { prometheus: { bindAddress: `127.0.0.1:${sdkPort}` } },
      // The native core would print lines of its own, which are no JSON.
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
    },
  });

  const db = openDatabase(config, { name: 'worker' });
  const lockDb = openDatabase(config, { name: 'worker email locks', max: CONCURRENT_ACTIVITIES });
  const sweepDb = openDatabase(config, { name: 'worker sweeper', max: 1 });
  const readDb = openDatabase(config, { name: 'worker readings', max: 1 });
  const { client, connection } = openClient(config, 'worker');
  const workflows = createNumberWorkflows({ client, db, config });
  const meta = createMetaSteps(openMeta({ db, config, logger }));
  const stopping = new AbortController();
  const cutOff = new AbortController();
  // When the grace is over, activities are cancelled; a mail server may be at its message for longer.
  stopping.signal.addEventListener('abort', () => {
    setTimeout(() => cutOff.abort(), config.SHUTDOWN_GRACE_SECONDS * 1000).unref();
  });
  const mailer = createMailer({
    smtpUrl: config.SMTP_URL,
    from: config.MAIL_FROM,
    cutOff: cutOff.signal,
  });
  // The SDK's runtime stops the worker; what runs beside it, and a start that waits, is stopped by this.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  const bundle = config.WORKFLOW_BUNDLE
    ? { codePath: config.WORKFLOW_BUNDLE }
    : { code: await bundleWorkflows() };

  const started = await untilReached(logger, stopping.signal, async () => {
    await ensureSearchAttributes(connection, config.TEMPORAL_NAMESPACE);
    await ensureSchedules(client, config);
    await keepOurConnection({ db, config, logger });
    const deps = { db, lockDb, mailer, workflows, meta, config, logger, stopping: stopping.signal };
    return createNumbersWorker(deps, bundle);
  });
  if (!started) return;
  const { worker, close } = started;
  const metrics = await serveMetrics({
    host: config.HOST,
    port: config.METRICS_PORT,
    sdkPort,
    isReady: () => worker.getState() === 'RUNNING',
  });
  const sweeping = sweep(
    { client, db, lockDb: sweepDb, workflows, config, logger, onRound: metrics.onRound },
    config.SWEEP_SECONDS,
    stopping.signal,
  );
  const readings =
    config.META_APP_ID !== undefined &&
    readBack(
      { db, lockDb: readDb, workflows, meta, config, logger, onRound: metrics.onReadings },
      stopping.signal,
    );

  try {
    // The SDK's runtime turns SIGTERM and SIGINT into a graceful shutdown.
    await worker.run();
  } finally {
    stopping.abort();
    await Promise.all([sweeping, readings]);
    await metrics.close();
    await close();
    await connection.close();
    mailer.close();
    const closed = Promise.all([db, lockDb, sweepDb, readDb].map((one) => one.close()));
    // A round of the sweeper, or of readings, may still hold a connection; nothing is lost with it.
    await Promise.race([closed, sleep(CLOSE_MS)]);
    logger.info('Stopped');
  }
}

/** Tries until Temporal answers, for a minute, and throws the last error then. Null: stopped meanwhile. */
async function untilReached<T>(
  logger: Logger,
  stop: AbortSignal,
  connect: () => Promise<T>,
): Promise<T | null> {
  const deadline = Date.now() + TEMPORAL_WAIT_MS;
  const stopped = new Promise<null>((resolve) => stop.addEventListener('abort', () => resolve(null)));
  while (!stop.aborted) {
    try {
      // A stop does not wait for a server that does not answer.
      return await Promise.race([connect(), stopped]);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      logger.warn({ err: error }, 'The worker cannot start yet; trying again');
      await sleep(1000, undefined, { signal: stop }).catch(() => {});
    }
  }
  return null;
}

function logEntry(logger: Logger, { level, message, meta }: LogEntry): void {
  const name = level.toLowerCase() as 'trace' | 'debug' | 'info' | 'warn' | 'error';
  logger[name](meta ?? {}, message);
}
