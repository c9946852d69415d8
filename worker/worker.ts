/** Puts the worker together. `main.ts` starts and stops it; tests run it as it is. */
import type { Context } from '@temporalio/activity';
import { type ActivityInterceptors, NativeConnection, Worker } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { META_TASK_QUEUE, TASK_QUEUE } from '../contract/messages.ts';
import { connectOptions, identity } from '../temporal/connect.ts';
import { dataConverter } from '../temporal/data-converter.ts';

/** Emails and digests at once in one process; each holds a connection of `lockDb` while it sends. */
export const CONCURRENT_ACTIVITIES = 20;

/** Steps at Meta at once in one process. */
const CONCURRENT_STEPS = 20;

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
  /** Runs until it is shut down; both queues are served, or none. */
  worker: Pick<Worker, 'run' | 'shutdown' | 'getState'>;
  close(): Promise<void>;
}

/**
 * A worker for the task queues `numbers` and `meta`. `bundle` is a file or the code itself. Throws when Temporal does
 * not answer.
 */
export async function createNumbersWorker(
  deps: ActivityDeps,
  bundle: { codePath: string } | { code: string },
): Promise<NumbersWorker> {
  const { connection: options, namespace } = connectOptions(deps.config);
  const connection = await NativeConnection.connect(options);
  const shared = {
    connection,
    namespace,
    identity: identity('worker'),
    activities: createActivities(deps),
    dataConverter,
    interceptors: { activity: [keepAlive] },
    activityTaskPollerBehavior: { type: 'autoscaling' as const },
    shutdownGraceTime: `${deps.config.SHUTDOWN_GRACE_SECONDS} seconds` as const,
    shutdownForceTime: `${deps.config.SHUTDOWN_GRACE_SECONDS + 5} seconds` as const,
  };
  try {
    const numbers = await Worker.create({
      ...shared,
      taskQueue: TASK_QUEUE,
      workflowBundle: bundle,
      maxConcurrentActivityTaskExecutions: CONCURRENT_ACTIVITIES,
      workflowTaskPollerBehavior: { type: 'autoscaling' },
    });
    const atMeta = await Worker.create({
      ...shared,
      taskQueue: META_TASK_QUEUE,
      maxConcurrentActivityTaskExecutions: CONCURRENT_STEPS,
    });
    return { worker: both(numbers, atMeta), close: () => connection.close() };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function both(one: Worker, other: Worker): NumbersWorker['worker'] {
  const workers = [one, other];
  const shutdown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  return {
    shutdown,
    async run() {
      // A queue that nobody serves any more would show nowhere: the other ends, too.
      await Promise.all(workers.map((worker) => worker.run().finally(shutdown)));
    },
    getState: () => workers.find((worker) => worker.getState() !== 'RUNNING')?.getState() ?? 'RUNNING',
  };
}
