/** Refusing numbers that name a callback profile or a picture which their account does not have. */
import type { Database, Transaction } from '../db/client.ts';
import { type Reference, type References, unknownReferences } from '../db/references.ts';
import { type Fault, ProblemError } from './problems.ts';

const WHAT: Record<Reference, string> = {
  callbackProfileId:
    'The account has no such callback profile. Send an id of GET /v1/callback-profiles, or null.',
  imageId: 'The account has no such picture. Send an id that POST /v1/images answered, or null.',
};

/** The fields that name what is not there. */
export async function referenceFaults(
  db: Database | Transaction,
  accountId: string,
  named: References,
): Promise<Fault[]> {
  const unknown = await unknownReferences(db, accountId, named);
  return unknown.map((field) => ({ pointer: `/${field}`, code: 'unknown', detail: WHAT[field] }));
}

/** Throws `invalid_request` where a field names what is not there. */
export async function checkReferences(...asked: Parameters<typeof referenceFaults>): Promise<void> {
  const errors = await referenceFaults(...asked);
  if (errors.length > 0) throw new ProblemError('invalid_request', { errors });
}
