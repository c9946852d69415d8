/** Entity tags: a number's revision in quotes. */
import { z } from 'zod';
import { about } from '../contract/views.ts';
import type { NumberRow } from '../db/number-row.ts';
import { ProblemError } from './problems.ts';

const tags = z.string().max(1_024, 'Send at most 1,024 characters.');

/** The header `If-Match` of writes. */
export const ifMatch = {
  'if-match': tags
    .optional()
    .meta(about('The ETag of what is to be changed; 412 where it was changed meanwhile.', '"3"')),
};

/** The header `If-None-Match` of reads. */
export const ifNoneMatch = {
  'if-none-match': tags.optional().meta(about('ETags known already; 304 where one fits.', '"3"')),
};

export function etagOf({ revision }: { revision: number }): string {
  return `"${revision}"`;
}

const tagsOf = (header: string) => header.split(',').map((tag) => tag.trim());

/** Whether `If-None-Match` names what the caller has already: weakly compared, as for any GET. */
export function isUnchanged(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return tagsOf(header).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
}

/**
 * The revision that `If-Match` asks for: undefined for any. Compared strongly: a weak tag never matches.
 * Throws `revision_conflict` where the number is at none of them.
 */
export function expectedRevision(
  header: string | undefined,
  row: Pick<NumberRow, 'revision'>,
): number | undefined {
  if (header === undefined) return undefined;
  const tags = tagsOf(header);
  if (tags.includes('*')) return undefined;
  if (tags.includes(etagOf(row))) return row.revision;
  throw new ProblemError('revision_conflict', { fact: `The number is at revision ${row.revision}.` });
}
