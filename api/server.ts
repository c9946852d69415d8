/** Starting and stopping the API process. */
import type { Config } from '../contract/config.ts';
import { openDatabase } from '../db/client.ts';
import { openClient } from '../temporal/connect.ts';
import { createMailWorkflows } from '../temporal/mail.ts';
import { createNumberWorkflows } from '../temporal/numbers.ts';
import { buildApp } from './app.ts';
import { createLogger } from './logging.ts';
import { serveMetrics } from './metrics.ts';

/** What is not done by then is cut off. */
const STOP_DEADLINE_MS = 9_000;

/** Listens; resolves with how to stop. Neither PostgreSQL nor Temporal has to be there yet. */
export async function startApi(config: Config): Promise<() => Promise<void>> {
  const logger = createLogger(config);
  const db = openDatabase(config, { name: 'api' });
  const { client, connection } = openClient(config, 'api');
  const workflows = createNumberWorkflows({ client, db, config });
  const mail = createMailWorkflows({ client });
  const app = await buildApp({ db, workflows, mail, config, logger });
  const metrics = await serveMetrics(app.metrics, { host: config.HOST, port: config.METRICS_PORT });
  await app.listen({ host: config.HOST, port: config.PORT });

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    logger.info('Stopping');
    const late = setTimeout(() => {
      logger.warn('Requests were cut off: they took too long to finish');
      process.exit(1);
    }, STOP_DEADLINE_MS);
    await app.close();
    metrics.close();
    metrics.closeAllConnections();
    await connection.close();
    await db.close();
    clearTimeout(late);
    logger.info('Stopped');
  };
  return () => {
    stopping ??= stop();
    return stopping;
  };
}
