/** The audit log, for operators. */
import { z } from 'zod';
import { auditPage, viewAudit } from '../../contract/account-views.ts';
import { AUDIT_TYPES } from '../../contract/audit.ts';
import { about } from '../../contract/views.ts';
import { listAudit } from '../../db/audit.ts';
import { answers, GUARDED } from '../answers.ts';
import type { Routes } from '../context.ts';
import { anyId, page, pageQuery, readCursor, storableDate } from '../paging.ts';

const cursor = z.int().min(1);

export const auditRoutes: Routes = async (app, { api }) => {
  app.get(
    '/v1/audit',
    {
      config: { access: ['operator'] },
      schema: {
        summary: 'Read the audit log, newest first',
        description: 'Sign-ins, keys, people, permissions and accounts: who did what, when and from where.',
        operationId: 'listAudit',
        tags: ['Operation'],
        querystring: z.strictObject({
          type: z
            .union([z.enum(AUDIT_TYPES), z.array(z.enum(AUDIT_TYPES)).max(AUDIT_TYPES.length)], {
              error: `Send one of ${AUDIT_TYPES.join(', ')}; repeat the parameter for more.`,
            })
            .transform((value) => [...new Set([value].flat())])
            .optional()
            .describe('What happened; may repeat.'),
          accountId: anyId
            .optional()
            .meta(about('What was done in this account.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
          targetId: anyId
            .optional()
            .meta(
              about(
                'What was done to this person, key, invitation or account.',
                'key_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d',
              ),
            ),
          actorId: anyId
            .optional()
            .meta(about('What this person or key did.', 'usr_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
          since: z.iso
            .datetime({ offset: true, error: 'Send a time like 2026-01-31T12:00:00Z.' })
            .transform(storableDate)
            .optional()
            .meta(about('From this time on.', '2026-01-31T12:00:00Z')),
          ...pageQuery,
        }),
        response: answers({ 200: auditPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, ...filter } = request.query;
      const before = readCursor(at, cursor);
      const { items, next } = await listAudit(api.db, filter, { limit, before });
      return page(request, reply, api.publicUrl, items.map(viewAudit), next);
    },
  );
};
