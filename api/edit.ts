/** An edit of an approved number: of fields by hand, or of those where a side was chosen. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Changes } from '../contract/fields.ts';
import type { NumberOfAccount } from '../db/read.ts';
import { EditRefused, WorkflowClosed } from '../temporal/numbers.ts';
import type { Customer } from './auth.ts';
import type { ApiContext } from './context.ts';
import { notApproved } from './decisions.ts';
import { expectedRevision } from './etag.ts';
import type { Answer, Operation } from './idempotency.ts';
import { findFor, lookAgain, numberAnswer } from './numbers.ts';
import { ProblemError } from './problems.ts';
import { checkReferences } from './references.ts';

/** Tries while the workflow takes the state of its row. */
const CATCH_UP_TRIES = 3;
const CATCH_UP_MS = 400;

/** Edits a number through its workflow, and answers it as it is right after. `tag`: of If-Match. */
export async function edit(
  api: ApiContext,
  caller: Customer,
  before: NumberOfAccount,
  changes: Changes,
  tag: string | undefined,
  operation: Operation,
): Promise<Answer> {
  const { operationId } = operation;
  const { done, found } = await lookAgain(api, caller, before, operation);
  if (done) return numberAnswer(found, caller);
  const { row } = found;
  if (row.status !== 'APPROVED') throw notApproved(row);
  const revision = expectedRevision(tag, row);
  await checkReferences(api.db, caller.accountId, changes);
  const wanted = {
    changes,
    by: caller.actor,
    ...(revision !== undefined && { expectedRevision: revision }),
  };
  for (let tries = 1; ; tries++) {
    try {
      const state = await api.workflows.edit(row, operationId, wanted);
      return numberAnswer(found, caller, { state });
    } catch (error) {
      const refused = error instanceof EditRefused ? error.code : null;
      const mayLag = refused === 'not_approved' || refused === 'revision_conflict';
      if (!mayLag && !(error instanceof WorkflowClosed)) throw explain(error);
      const { row: now } = await findFor(api, caller, row.id);
      if (now.status !== 'APPROVED') throw notApproved(now);
      if (refused === 'revision_conflict' && now.revision !== revision) throw explain(error);
      // The workflow knows less than the row: it was reset, and has to take the row's state first.
      if (refused === null || tries === CATCH_UP_TRIES) {
        throw new ProblemError('unavailable', { cause: error });
      }
      await api.workflows.refresh(now);
      await sleep(CATCH_UP_MS);
    }
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof EditRefused)) return error;
  return new ProblemError(error.code, { fact: error.message, cause: error });
}
