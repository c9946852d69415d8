/** The embedded Temporal dev server: a file database, its UI, and a retention that outlasts a holiday. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import type { PartPlan } from './part.ts';
import type { Ports } from './ports.ts';
import { answers, until } from './until.ts';

const RETENTION_DAYS = 30;

const DYNAMIC_CONFIG = {
  // Shows a workflow whose code fails as a problem in the UI after two tries instead of many.
  'system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute': '2',
  // A search attribute that was just registered can be used at once.
  'system.forceSearchAttributesCacheRefreshOnRead': 'true',
};

export function planTemporal(options: { stack: string; program: string; ports: Ports; namespace: string }): {
  plan: PartPlan;
  address: string;
  uiUrl: string;
} {
  const { stack, program, ports, namespace } = options;
  const address = `127.0.0.1:${ports.TEMPORAL_PORT}`;
  const uiUrl = `http://127.0.0.1:${ports.TEMPORAL_UI_PORT}`;
  return {
    address,
    uiUrl,
    plan: {
      name: 'temporal',
      title: 'The Temporal server',
      command: program,
      args: [
        ...['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn'],
        ...['--db-filename', join(stack, 'temporal', 'temporal.db')],
        ...['--port', String(ports.TEMPORAL_PORT), '--ui-port', String(ports.TEMPORAL_UI_PORT)],
        '--ui-disable-news-fetch',
        ...(namespace === 'default' ? [] : ['--namespace', namespace]),
        ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => [
          '--dynamic-config-value',
          `${key}=${value}`,
        ]),
      ],
      // Settings for another Temporal must not reach this one.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'))),
      cwd: stack,
      logFile: join(stack, 'logs', 'temporal.log'),
      startSeconds: 60,
      ready: async (signal) => {
        await until(() => keepHistories(address, namespace), signal);
        await until(() => answers(uiUrl), signal);
      },
    },
  };
}

/** Sets how long histories of closed workflows are kept. Fails while the server does not answer. */
async function keepHistories(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    const wanted = msToTs(`${RETENTION_DAYS} days`);
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    if (tsToMs(config?.workflowExecutionRetentionTtl) !== tsToMs(wanted)) {
      await connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: wanted },
      });
    }
  } finally {
    await connection.close();
  }
}
