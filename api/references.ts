/** Refusing numbers that name a callback profile or a picture which their account does not have. */
import type { Database, Transaction } from '../db/client.ts';
import { type Reference, type References, unknownReferences } from '../db/references.ts';
import { type Fault, ProblemError } from './problems.ts';

const WHAT: Record<Reference, string> = {
  callbackProfileId:
    'The account has no such callback profile. Send an id of GET /v1/callback-profiles, or null.',
  imageId:
    'The account has no such picture, or not any more: one that no number uses is kept for 24 hours. Send an id that POST /v1/images answered, or null.',
};

/** The fields that name what is not there. Changes nothing. */
export async function referenceFaults(
  db: Database | Transaction,
  accountId: string,
  named: References,
): Promise<Fault[]> {
  return faultsOf(await unknownReferences(db, accountId, named));
}

/** Throws `invalid_request` where a field names what is not there; otherwise it stays there for the write to come. */
export async function checkReferences(
  db: Database | Transaction,
  accountId: string,
  named: References,
): Promise<void> {
  const errors = faultsOf(await unknownReferences(db, accountId, named, { use: true }));
  if (errors.length > 0) throw new ProblemError('invalid_request', { errors });
}

function faultsOf(unknown: Reference[]): Fault[] {
  return unknown.map((field) => ({ pointer: `/${field}`, code: 'unknown', detail: WHAT[field] }));
}
