/** The audit log, for operators. */
import { z } from 'zod';
import { auditQuery } from '../../contract/account-queries.ts';
import { auditPage, viewAudit } from '../../contract/account-views.ts';
import { erasedOf } from '../../db/accounts.ts';
import { type AuditRow, listAudit } from '../../db/audit.ts';
import { namesOf } from '../../db/people.ts';
import { answers, GUARDED } from '../answers.ts';
import type { Routes } from '../context.ts';
import { page, readCursor } from '../paging.ts';

const cursor = z.int().min(1);
const NOBODY: ReadonlyMap<string, string> = new Map();

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
        querystring: auditQuery,
        response: answers({ 200: auditPage }, GUARDED),
      },
    },
    async (request, reply) => {
      const { limit, cursor: at, ...filter } = request.query;
      const before = readCursor(at, cursor);
      const { items, next } = await listAudit(api.db, filter, { limit, before });
      // Of staff, the name is kept with the entry; that of customers is not, so that their erasure ends it. Who belongs
      // to another account as well is not erased with the first one, but is not named in its entries any more.
      const erased = await erasedOf(
        api.db,
        items.flatMap(({ accountId }) => accountId ?? []),
      );
      const namesPeople = ({ accountId }: AuditRow) => accountId === null || !erased.has(accountId);
      const names = await namesOf(
        api.db,
        items.filter(namesPeople).flatMap(({ actor }) => actor?.id ?? []),
      );
      const views = items.map((entry) => viewAudit(entry, namesPeople(entry) ? names : NOBODY));
      return page(request, reply, api.publicUrl, views, next);
    },
  );
};
