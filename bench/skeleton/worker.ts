/** Run as a child process: the skeleton's worker. Its settings come in one environment variable. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import postgres from 'postgres';
import { createSkeletonActivities, SKELETON_TABLE } from './activities.ts';

export const SKELETON_QUEUE = 'skeleton';

export interface SkeletonSettings {
  temporalAddress: string;
  databaseUrl: string;
  smtpUrl: string;
}

if (import.meta.main) await main(JSON.parse(process.env['SKELETON'] ?? '{}'));

async function main({ temporalAddress, databaseUrl, smtpUrl }: SkeletonSettings): Promise<void> {
  const logger = new DefaultLogger('WARN');
  Runtime.install({ logger });
  const sql = postgres(databaseUrl, { max: 16, onnotice: () => {} });
  await sql.unsafe(SKELETON_TABLE);
  const connection = await NativeConnection.connect({ address: temporalAddress });
  const worker = await Worker.create({
    connection,
    taskQueue: SKELETON_QUEUE,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./workflow.ts', import.meta.url)),
      logger,
    }),
    activities: createSkeletonActivities({ sql, smtpUrl }),
    // As the product's worker.
    maxConcurrentActivityTaskExecutions: 20,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
  });
  process.on('disconnect', () => worker.shutdown());
  process.send?.('ready');
  await worker.run();
  // Pooled connections to the mail server would hold the process.
  process.exit();
}
