/** Health: alive, and ready to take requests. */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { within } from '../../contract/within.ts';
import { answers } from '../answers.ts';
import type { Routes } from '../context.ts';
import { ProblemError } from '../problems.ts';

const DATABASE_DEADLINE_MS = 2_000;

export const healthRoutes: Routes = async (app, { api }) => {
  app.get(
    '/livez',
    {
      config: { access: 'public', limit: 'none' },
      schema: {
        summary: 'Whether the process runs',
        description: 'Asks nothing else. For restarting what hangs.',
        operationId: 'isAlive',
        tags: ['Health'],
        response: answers({
          200: z.object({ status: z.literal('alive').describe('Always this.') }).describe('It runs.'),
        }),
      },
    },
    async () => ({ status: 'alive' as const }),
  );

  app.get(
    '/readyz',
    {
      config: { access: 'public', limit: 'none' },
      schema: {
        summary: 'Whether requests can be taken',
        operationId: 'isReady',
        description:
          'Needs the database only. While Temporal is away submissions and reads go on, so it is told but does not count.',
        tags: ['Health'],
        response: answers({
          200: z
            .object({
              status: z.literal('ready').describe('Always this.'),
              database: z.literal('up').describe('Always this: without it the answer is 503.'),
              temporal: z.enum(['up', 'down']).describe('While it is down, nothing is decided.'),
            })
            .describe('Requests are taken.'),
        }),
      },
    },
    async () => {
      const [database, temporal] = await Promise.all([
        within(DATABASE_DEADLINE_MS, api.db.execute(sql`select 1`)).then(
          () => true,
          () => false,
        ),
        api.workflows.reachable(),
      ]);
      if (!database) throw new ProblemError('unavailable', { detail: 'The database does not answer.' });
      return {
        status: 'ready' as const,
        database: 'up' as const,
        temporal: temporal ? ('up' as const) : ('down' as const),
      };
    },
  );
};
