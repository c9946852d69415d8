/**
 * What can be sent to a number's workflow, shared by the API, the worker and the workflow itself.
 * Plain definitions only: this file is part of the workflow bundle.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { CodeMethod, FacebookNews } from './facebook.ts';
import type { Changes } from './fields.ts';
import type { Actor, NumberState, NumberStatus, Outcome, PendingStatus } from './number.ts';

export const TASK_QUEUE = 'numbers';
/** Of the steps at Meta: a Meta that is slow must not hold up emails and saves. */
export const META_TASK_QUEUE = 'meta';
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
  /** When the review is due where it goes on: a first approval of two ends a question that is open. By the clock where left out. */
  dueAt?: string | null;
}

/** Support asks the customer, who then has to answer. */
export interface QuestionSignal {
  operationId: string;
  attempt: number;
  /** The status the sender saw: a question loses to a decision that ends that stage first. */
  stage: PendingStatus | null;
  by: Actor;
  text: string;
  /** The fields that it is about. */
  fields: string[];
  /** When the answer is due; after `settings.replyDueMs` where left out. */
  dueAt: string | null;
  /** Milliseconds of its own time that the stage has left; by the clock where left out. */
  remainingMs: number | null;
}

/** The customer answers. */
export interface AnswerSignal {
  operationId: string;
  attempt: number;
  /** The question that is answered, by its `operationId`; null for the open one. */
  question: string | null;
  by: Actor;
  text: string;
  /** When the stage is due, whose time goes on; by the clock where left out. */
  dueAt: string | null;
}

export interface WithdrawSignal {
  operationId: string;
  attempt: number;
  /** The status the sender saw: a withdrawal loses to a decision that ends that stage first. */
  stage: PendingStatus | null;
  by: Actor;
  /** The account was closed: it is told that once, not for each number. */
  accountClosed?: boolean;
}

export interface ReleaseSignal {
  operationId: string;
  attempt: number;
  by: Actor;
  accountClosed?: boolean;
}

/** The customer entered a verification code. The code itself is in PostgreSQL, never in a history. */
export interface CodeSignal {
  operationId: string;
  attempt: number;
  by: Actor;
}

/** What held a step up may be over: somebody has put it right, or asks for another code. */
export interface ResumeSignal {
  operationId: string;
  attempt: number;
  by: Actor;
  /** Sends another code this way, where one is awaited. */
  method?: CodeMethod;
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
    /** How many supporters have to approve the details. Not in what earlier releases wrote: one. */
    approvalsNeeded?: number;
    /** Milliseconds a customer may take to answer where a question does not say. Not in what earlier releases wrote. */
    replyDueMs?: number;
    /** Whether numbers are brought to Meta, where their account is connected. Not in what earlier releases wrote. */
    meta?: boolean;
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
export const supportQuestion = defineSignal<[QuestionSignal]>('supportQuestion');
export const customerAnswer = defineSignal<[AnswerSignal]>('customerAnswer');
export const withdraw = defineSignal<[WithdrawSignal]>('withdraw');
export const release = defineSignal<[ReleaseSignal]>('release');
export const facebookNews = defineSignal<[FacebookNews]>('facebookNews');
export const codeEntered = defineSignal<[CodeSignal]>('codeEntered');
export const resumeFacebook = defineSignal<[ResumeSignal]>('resumeFacebook');
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
