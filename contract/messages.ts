/**
 * What can be sent to a number's workflow, shared by the API, the worker and the workflow itself.
 * Plain definitions only: this file is part of the workflow bundle.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Changes } from './fields.ts';
import type { Actor, NumberState, NumberStatus, Outcome, PendingStatus } from './number.ts';

export const TASK_QUEUE = 'numbers';
export const NUMBER_WORKFLOW = 'numberApproval';

export interface DecisionSignal {
  /** Drawn by the sender, who recognises its own decision by it. Left out by hand: one is drawn. */
  decisionId: string;
  /** The attempt the decision is for; one for another attempt is ignored. */
  attempt: number;
  outcome: Outcome;
  reason: string | null;
  code: string | null;
  fields: string[];
  by: Actor;
}

export interface WithdrawSignal {
  operationId: string;
  attempt: number;
  /** The status the sender saw: a withdrawal loses to a decision that ends that stage first. */
  stage: PendingStatus | null;
  by: Actor;
}

export interface ReleaseSignal {
  operationId: string;
  attempt: number;
  by: Actor;
}

export interface EditUpdate {
  expectedRevision?: number;
  changes: Changes;
  by: Actor;
}

/** What a number's workflow is started with, and continues as new with. */
export interface NumberApprovalInput {
  numberId: string;
  accountId: string;
  /** E.164. */
  mobileNumber: string;
  state: NumberState;
  settings: {
    /** Milliseconds Facebook may take before the stage counts as overdue. */
    facebookDueMs: number;
  };
  /** For tests: continue as new at this many history events instead of when the server suggests it. */
  maxHistory?: number;
  /** Set by continue-as-new. */
  carried?: {
    /** Ids of the latest applied edits: the server forgets them with the run. */
    appliedEdits: string[];
  };
}

/** What the query answers: what an operator wants to read first. */
export interface NumberInWorkflow extends NumberState {
  numberId: string;
  accountId: string;
  mobileNumber: string;
  /** Changes that the database has not confirmed yet. */
  unsaved: number;
}

/** How a workflow ends. Outcomes, not failures. */
export interface NumberResult {
  status: NumberStatus | 'SUPERSEDED';
  revision: number;
}

export const supportVerification = defineSignal<[DecisionSignal]>('supportVerification');
export const facebookApproval = defineSignal<[DecisionSignal]>('facebookApproval');
export const withdraw = defineSignal<[WithdrawSignal]>('withdraw');
export const release = defineSignal<[ReleaseSignal]>('release');
/** Asks a workflow that lags behind its row (one that was reset) to take the row's state. */
export const refresh = defineSignal('refresh');
export const editNumber = defineUpdate<NumberState, [EditUpdate]>('editNumber');
export const getNumber = defineQuery<NumberInWorkflow>('getNumber');

/** Search attributes. Types are verified when a worker starts. */
export const NumberStatusKey = defineSearchAttributeKey('NumberStatus', 'KEYWORD');
export const NextActionAtKey = defineSearchAttributeKey('NextActionAt', 'DATETIME');
export const NumberOwnerKey = defineSearchAttributeKey('NumberOwner', 'KEYWORD');

/** Workflow id of one attempt. Operators search by prefix: `number:<digits>`. */
export function workflowId(number: { mobileNumber: string; id: string; attempt: number }): string {
  return `number:${number.mobileNumber.replace('+', '')}:${number.id}:${number.attempt}`;
}
