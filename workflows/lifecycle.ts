/**
 * The rules of a number's life as a pure function: (state, command) → state and events, or a refusal.
 * It knows no clock, no Temporal and no database.
 */
import { changedFields } from '../contract/changes.ts';
import type { ProblemCode } from '../contract/errors.ts';
import {
  type CodeMethod,
  type FacebookNews,
  type FacebookStep,
  type FromMeta,
  NOTHING_FROM_META,
  type StepResult,
} from '../contract/facebook.ts';
import type { Changes, Profile } from '../contract/fields.ts';
import type { AnswerSignal, QuestionSignal } from '../contract/messages.ts';
import {
  type Actor,
  type Decision,
  isPending,
  isSameActor,
  type NumberEvent,
  type NumberState,
  type PendingStatus,
} from '../contract/number.ts';
import {
  decideFacebook,
  resume as goOnAtFacebook,
  judgeCode,
  remindCustomer,
  settleFacebook,
  takeStep,
} from './at-facebook.ts';
import { hear } from './news.ts';
import { chosenBy, markUnsent, takeSync } from './profile-sync.ts';
import { between, close, later, rejectedEmail, step } from './transition.ts';

export type NewDecision = Omit<Decision, 'at'>;

export type Command =
  /** `dueAt`: when the review is due where it goes on; left out for "by the clock". */
  | { type: 'verify'; decision: NewDecision; dueAt?: string | null }
  | { type: 'decideFacebook'; decision: NewDecision }
  | ({ type: 'ask' } & NewQuestion)
  | ({ type: 'answer' } & Answer)
  /** `stage`: the status the sender saw; null for "whichever". */
  | {
      type: 'withdraw';
      operationId: string;
      by: Actor;
      stage: PendingStatus | null;
      accountClosed?: boolean;
      /** By the system: nobody entered the code that Meta sent, or put right what held the number up there. */
      codeNotEntered?: true;
      notPutRight?: true;
    }
  | { type: 'release'; operationId: string; by: Actor; accountClosed?: boolean }
  | { type: 'edit'; operationId: string; by: Actor; changes: Changes }
  /**
   * What came of a step at Meta. `since`: of the progress it was done for, where it registered. `method`: how the code
   * was sent. `verified`: none was needed. `codeAgain`: Meta wants another one before it registers the number.
   */
  | {
      type: 'facebookStep';
      operationId: string;
      by: Actor;
      step: Exclude<FacebookStep, 'name'>;
      result: StepResult;
      since?: string | null;
      method?: CodeMethod;
      verified?: boolean;
      codeAgain?: boolean;
    }
  /** What Meta says of the code that somebody entered with this operation. `refused`: of the code, not of anything else. */
  | { type: 'codeChecked'; operationId: string; by: Actor; result: StepResult; refused?: boolean }
  | { type: 'remindCustomer'; operationId: string; by: Actor }
  | { type: 'resumeFacebook'; operationId: string; by: Actor; method?: CodeMethod }
  | { type: 'facebookNews'; operationId: string; news: Omit<FacebookNews, 'operationId'> }
  /** Whether the profile has reached Meta. */
  | { type: 'sync'; operationId: string; by: Actor; result: StepResult };

/** What is left out by hand is null: any stage, any fields, due times by the clock. */
export type NewQuestion = Omit<QuestionSignal, 'attempt'>;
export type Answer = Omit<AnswerSignal, 'attempt'>;

export interface Circumstances {
  /** RFC 3339, UTC. */
  now: string;
  /** Milliseconds Facebook may take. */
  facebookDueMs: number;
  /** Milliseconds a customer may take to answer where a question does not say. */
  replyDueMs: number;
  /** How many supporters have to approve the details. */
  approvalsNeeded: number;
}

/** Why a command changes nothing: a problem, or (for nobody but the log) that no such question is open. */
export type Refusal =
  | Extract<
      ProblemCode,
      'already_decided' | 'not_pending' | 'not_approved' | 'second_approval_needed' | 'code_not_awaited'
    >
  | 'no_question';
export type Outcome = { state: NumberState; events: NumberEvent[] } | { refused: Refusal };

/** What has been added to states and profiles since the first release: histories have it or not. */
type Earlier<T, Added extends keyof T> = Omit<T, Added> & Partial<Pick<T, Added>>;
type EarlierProfile = Earlier<Profile, 'callbackProfileId' | 'imageId'>;

/** A state as an earlier release may have written it, with what has been added since. */
export function complete(written: NumberState): NumberState {
  const state: Earlier<NumberState, 'approvals' | 'question' | keyof FromMeta> = written;
  const profile: EarlierProfile = written.profile;
  return {
    approvals: [],
    question: null,
    ...NOTHING_FROM_META,
    ...state,
    profile: { callbackProfileId: null, imageId: null, ...profile },
  };
}

/** The id by which a command is recognised when it comes twice. */
export function operationOf(command: Command): string {
  return 'decision' in command ? command.decision.decisionId : command.operationId;
}

/** Applies a command. A command that changes nothing visible gives the same state and no events. */
export function apply(state: NumberState, command: Command, at: Circumstances): Outcome {
  switch (command.type) {
    case 'verify':
      return verify(state, { ...command.decision, at: at.now }, command.dueAt ?? null, at);
    case 'decideFacebook':
      return decideFacebook(state, { ...command.decision, at: at.now }, at);
    case 'ask':
      return ask(state, command, at);
    case 'answer':
      return answer(state, command, at);
    case 'withdraw':
      return withdraw(state, command, at);
    case 'release':
      return release(state, command, at);
    case 'edit':
      return edit(state, command, at);
    case 'facebookStep':
      return takeStep(state, command, at);
    case 'codeChecked':
      return judgeCode(state, command, at);
    case 'remindCustomer':
      return remindCustomer(state, command, at);
    case 'resumeFacebook':
      return goOnAtFacebook(state, command, at);
    case 'facebookNews':
      return hear(state, command, at);
    case 'sync':
      return takeSync(state, command, at);
  }
}

function verify(state: NumberState, decision: Decision, dueAt: string | null, at: Circumstances): Outcome {
  if (state.status !== 'PENDING_VERIFICATION') {
    return { refused: state.verification ? 'already_decided' : 'not_pending' };
  }
  if (decision.outcome === 'rejected') {
    // A Facebook decision that was held is discarded: the next attempt gets its own.
    const rejected = close(state, 'REJECTED', at, { verification: decision, facebookDecision: null });
    return step(rejected, 'verification.rejected', decision, rejectedEmail('support', decision));
  }
  const others = state.approvals.filter((given) => !isSameActor(given.by, decision.by));
  if (others.length + 1 < at.approvalsNeeded) {
    if (others.length < state.approvals.length) return { refused: 'second_approval_needed' };
    const first = { ...resume(state, dueAt, at), approvals: [...others, decision] };
    return step(first, 'verification.first_approval', decision, null);
  }
  const verified = step(
    {
      ...state,
      status: 'PENDING_FACEBOOK_APPROVAL',
      verification: decision,
      approvals: others.length > 0 ? [...others, decision] : [],
      question: null,
      waitingSince: at.now,
      dueAt: later(at.now, at.facebookDueMs),
      updatedAt: at.now,
    },
    'verification.approved',
    decision,
    { kind: 'verified', rejection: null },
  );
  const held = state.facebookDecision;
  if (!held) return verified;
  const final = settleFacebook(verified.state, held, at);
  return { state: final.state, events: [...verified.events, ...final.events] };
}

/** Turn and due time pass to the customer. Asked again, the new question takes the place of the open one. */
function ask(state: NumberState, command: Command & { type: 'ask' }, at: Circumstances): Outcome {
  const { operationId, by, text, fields } = command;
  if (!isPending(state.status)) return { refused: 'not_pending' };
  if (command.stage !== null && command.stage !== state.status) return { refused: 'already_decided' };
  if (state.question?.operationId === operationId) return { state, events: [] };
  const dueAt = command.dueAt ?? later(at.now, at.replyDueMs);
  const remainingMs =
    // While a question is open, the due time is the customer's.
    state.question?.remainingMs ?? command.remainingMs ?? Math.max(0, between(at.now, state.dueAt));
  const question = { operationId, text, fields, at: at.now, by, remainingMs };
  return step(
    { ...state, question, dueAt, updatedAt: at.now },
    'question.asked',
    command,
    { kind: 'comment', rejection: null, comment: { text, replyDueAt: dueAt, fields } },
    { text, fields, dueAt },
  );
}

/** The stage goes on with the time it had left. An answer to a question that is not open any more is a comment. */
function answer(state: NumberState, command: Command & { type: 'answer' }, at: Circumstances): Outcome {
  const asked = state.question?.operationId;
  if (asked === undefined || (command.question ?? asked) !== asked) return { refused: 'no_question' };
  const { text, dueAt } = command;
  return step(resume(state, dueAt, at), 'question.answered', command, null, { text });
}

/** Ends the open question, if any: it is the stage's turn again until `dueAt`, or for what is left by the clock. */
function resume(state: NumberState, dueAt: string | null, at: Circumstances): NumberState {
  const { question } = state;
  if (question === null) return { ...state, updatedAt: at.now };
  return {
    ...state,
    question: null,
    dueAt: dueAt ?? later(at.now, question.remainingMs),
    updatedAt: at.now,
  };
}

function withdraw(state: NumberState, command: Command & { type: 'withdraw' }, at: Circumstances): Outcome {
  if (!isPending(state.status)) return { refused: 'not_pending' };
  // A stage ends by exactly one of approve, reject and withdraw: who saw an ended stage is told.
  if (command.stage !== null && command.stage !== state.status) return { refused: 'already_decided' };
  const { operationId, by, codeNotEntered, notPutRight } = command;
  const missed = codeNotEntered ? { codeNotEntered } : notPutRight ? { notPutRight } : null;
  return step(
    close(state, 'WITHDRAWN', at, { facebookDecision: null, ending: { operationId, by, at: at.now } }),
    'withdrawn',
    command,
    // Whoever withdraws knows it; the submitter is told of a withdrawal by somebody else. Of the closing of a
    // whole account its people are told once.
    by.type === 'customer' || command.accountClosed
      ? null
      : {
          kind: 'withdrawn',
          rejection: null,
          ...(missed && { notice: missed }),
        },
    { ...closing(command), ...missed },
  );
}

function release(state: NumberState, command: Command & { type: 'release' }, at: Circumstances): Outcome {
  if (state.status !== 'APPROVED') return { refused: 'not_approved' };
  const { operationId, by } = command;
  const ending = { operationId, by, at: at.now };
  return step(
    { ...state, status: 'RELEASED', ending, facebook: null, sync: null, updatedAt: at.now },
    'released',
    command,
    null,
    closing(command),
  );
}

/** What the timeline tells beside who ended the number. */
const closing = ({ accountClosed }: { accountClosed?: boolean }) => (accountClosed ? { accountClosed } : {});

function edit(state: NumberState, command: Command & { type: 'edit' }, at: Circumstances): Outcome {
  if (state.status !== 'APPROVED') return { refused: 'not_approved' };
  const changes = changedFields(state.profile, command.changes);
  const chosen = chosenBy(state.sync, command.changes);
  if (Object.keys(changes).length === 0 && chosen.length === 0) return { state, events: [] };
  const profile = { ...state.profile, ...command.changes };
  const sync = markUnsent(state.sync, [...Object.keys(changes), ...chosen], at.now);
  return step({ ...state, profile, sync, updatedAt: at.now }, 'edited', command, null, {
    changes,
    ...(chosen.length > 0 && { chosen }),
  });
}
