/** What lists of accounts, keys and invitations, and the audit log, can be asked for. */
import { z } from 'zod';
import { AUDIT_TYPES } from './audit.ts';
import { anyId, pageQuery, storableDate } from './queries.ts';
import { about } from './views.ts';

export const accountQuery = z.strictObject({
  q: z.string().trim().min(1).max(100).optional().meta(about("Part of an account's name.", 'widgets')),
  ...pageQuery,
});

export const apiKeyQuery = z.strictObject({
  personId: anyId
    .optional()
    .meta(
      about('For operators: the keys of this staff person only.', 'usr_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d'),
    ),
  ...pageQuery,
});

export const invitationQuery = z.strictObject({
  accountId: anyId
    .optional()
    .meta(about('For operators, who have to send it: the account.', 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
  ...pageQuery,
});

export const auditQuery = z.strictObject({
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
});
