/** Puts the worker together. `main.ts` starts and stops it; tests run it as it is. */
import type { Context } from '@temporalio/activity';
import { type ActivityInterceptors, NativeConnection, Worker } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { TASK_QUEUE } from '../contract/messages.ts';
import { connectOptions, identity } from '../temporal/connect.ts';
import { dataConverter } from '../temporal/data-converter.ts';

/** Emails and digests at once in one process; each holds a connection of `lockDb` while it sends. */
export const CONCURRENT_ACTIVITIES = 20;

/** Milliseconds, well below the heartbeat timeouts in `workflows/`. */
const HEARTBEAT_EVERY = 4_000;

/** Heartbeats for every activity, so that what a killed worker was at is noticed soon. */
function keepAlive(context: Context): ActivityInterceptors {
  return {
    inbound: {
      async execute(input, next) {
        if (context.info.isLocal) return next(input);
        const heart = setInterval(() => context.heartbeat(), HEARTBEAT_EVERY);
        try {
          return await next(input);
        } finally {
          clearInterval(heart);
        }
      },
    },
  };
}

export interface NumbersWorker {
  worker: Worker;
  close(): Promise<void>;
}

/** A worker for the task queue `numbers`. `bundle` is a file or the code itself. Throws when Temporal does not answer. */
export async function createNumbersWorker(
  deps: ActivityDeps,
  bundle: { codePath: string } | { code: string },
): Promise<NumbersWorker> {
  const { connection: options, namespace } = connectOptions(deps.config);
  const connection = await NativeConnection.connect(options);
  const worker = await createWorker().catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  return { worker, close: () => connection.close() };

  function createWorker() {
    return Worker.create({
      connection,
      namespace,
      taskQueue: TASK_QUEUE,
      identity: identity('worker'),
      workflowBundle: bundle,
      activities: createActivities(deps),
      dataConverter,
      interceptors: { activity: [keepAlive] },
      maxConcurrentActivityTaskExecutions: CONCURRENT_ACTIVITIES,
      workflowTaskPollerBehavior: { type: 'autoscaling' },
      activityTaskPollerBehavior: { type: 'autoscaling' },
      shutdownGraceTime: `${deps.config.SHUTDOWN_GRACE_SECONDS} seconds`,
      shutdownForceTime: `${deps.config.SHUTDOWN_GRACE_SECONDS + 5} seconds`,
    });
  }
}
