/**
 * The rules of a number at Facebook: its decision, and what is done at Meta on the way there and after. Pure, as
 * `lifecycle.ts`. What has to be done next follows from the state alone (`facebook-tasks.ts`).
 */
import {
  type CodeMethod,
  type FacebookProblem,
  type FacebookProgress,
  isCodeAwaited,
  isHeldUp,
  isNameApproved,
  isUnshown,
  type StepResult,
  type WhatsappName,
} from '../contract/facebook.ts';
import { type Actor, type Decision, isPending, type NumberState } from '../contract/number.ts';
import type { Circumstances, Command, Outcome } from './lifecycle.ts';
import { close, inTurn, later, rejectedEmail, step, type Transition } from './transition.ts';

const DAY_MS = 24 * 3_600_000;
/**
 * A code that nobody enters for so long, or trouble that the customer does not put right, withdraws the number; a week
 * before that an email tells so. Milliseconds.
 */
export const CUSTOMER_DUE_MS = 30 * DAY_MS;
export const CUSTOMER_REMINDER_MS = 23 * DAY_MS;

/** What Facebook does. */
export const FACEBOOK: Actor = { type: 'facebook', id: null };

/** Whether something may be done at Meta for the number. */
export function isAtFacebook({ status }: NumberState): boolean {
  return status === 'PENDING_FACEBOOK_APPROVAL' || status === 'APPROVED';
}

/** Whether it is withdrawn where the customer does nothing: an approved number is not any more. */
export function waitsForCustomer({ status, facebook }: NumberState): boolean {
  if (status !== 'PENDING_FACEBOOK_APPROVAL' || facebook?.turn !== 'customer') return false;
  return isCodeAwaited(facebook) || facebook.problem?.until == null;
}

export function decideFacebook(state: NumberState, decision: Decision, at: Circumstances): Outcome {
  if (!isPending(state.status))
    return { refused: state.facebookDecision ? 'already_decided' : 'not_pending' };
  if (state.facebookDecision) return { refused: 'already_decided' };
  if (state.status === 'PENDING_FACEBOOK_APPROVAL') return settleFacebook(state, decision, at);
  return step({ ...state, facebookDecision: decision, updatedAt: at.now }, 'facebook.held', decision, null);
}

export function settleFacebook(state: NumberState, decision: Decision, at: Circumstances): Transition {
  const decided = { facebookDecision: decision };
  if (decision.outcome === 'rejected') {
    const rejected = close(state, 'REJECTED', at, decided);
    return step(rejected, 'facebook.rejected', decision, rejectedEmail('facebook', decision));
  }
  const approved = close(state, 'APPROVED', at, decided);
  // Decided by hand before it has come so far: the steps that are left are still taken.
  const facebook = state.facebook?.step === 'name' ? connecting(approved, at.now) : state.facebook;
  return step({ ...approved, facebook }, 'facebook.approved', decision, {
    kind: 'approved',
    rejection: null,
  });
}

/** Where an approved number stands that is registered: null where it is connected. */
export function connecting({ facebook, quality }: NumberState, now: string): FacebookProgress | null {
  const { connectionStatus } = quality;
  if (connectionStatus === 'CONNECTED') return null;
  return {
    step: 'connect',
    turn: 'facebook',
    since: facebook?.step === 'connect' ? facebook.since : now,
    codeMethod: facebook?.codeMethod ?? null,
    problem: null,
  };
}

/** Where a number stands that is to be registered, for the first time or anew. */
export function registering(codeMethod: CodeMethod | null, now: string): FacebookProgress {
  return { step: 'register', turn: 'facebook', since: now, codeMethod, problem: null };
}

/** What came of a step. Of one that is not the number's any more, nothing does. */
export function takeStep(
  state: NumberState,
  command: Command & { type: 'facebookStep' },
  at: Circumstances,
): Outcome {
  if (!isAtFacebook(state)) return { refused: 'not_pending' };
  const { result } = command;
  const before = state.facebook;
  const isNext = before?.step === command.step || (command.step === 'code' && before?.step === 'add');
  if (before !== null && !isNext) return { state, events: [] };
  if (!result.done) {
    return hinder(state, { ...command, ...result, ...(command.codeAgain && { step: 'code' }) }, at);
  }
  switch (command.step) {
    case 'add':
      return { state, events: [] };
    case 'code':
      return command.verified ? verified(asked(state, at), command, at) : codeSent(state, command, at);
    case 'register':
      // A name was approved since then that it may not have shown.
      if (isUnshown(state.whatsappName) && before && before.since !== command.since)
        return { state, events: [] };
      return registered(state, command, at);
    case 'connect':
      return { state, events: [] };
  }
}

/** The name is with Meta now: what was said of it, or of another one, before does not count. */
function asked(state: NumberState, at: Circumstances): NumberState {
  const { whatsappName: known, profile } = state;
  const requestedName = profile.displayName;
  const isApproved = known !== null && isNameApproved(known.status);
  if (isApproved && !isUnshown(known) && isSameName(known.name, requestedName)) return state;
  if (known?.requestedName === requestedName && known.at > (state.verification?.at ?? '')) return state;
  return { ...state, whatsappName: askedFor(known, requestedName, at.now) };
}

/** A name that Meta is asked for. One that it has declined is asked for beside the first, too. */
export function askedFor(known: WhatsappName | null, requestedName: string, now: string): WhatsappName {
  const isSame = known !== null && isSameName(known.requestedName ?? known.name, requestedName);
  const isChange = known !== null && (known.isChange || known.status === 'DECLINED' || !isSame);
  return {
    name: known?.name ?? null,
    status: 'PENDING_REVIEW',
    requestedName,
    ...(isChange && { isChange }),
    reason: null,
    code: null,
    at: now,
  };
}

function codeSent(
  before: NumberState,
  command: Command & { type: 'facebookStep' },
  at: Circumstances,
): Transition {
  const { method: codeMethod = 'SMS' } = command;
  const dueAt = later(at.now, CUSTOMER_DUE_MS);
  const state = due(asked(before, at), dueAt, at);
  const facebook: FacebookProgress = {
    step: 'code',
    turn: 'customer',
    since: at.now,
    codeMethod,
    problem: null,
  };
  // Whoever asked for another one knows of it.
  const isFirst = before.facebook?.codeMethod == null;
  return step(
    { ...state, facebook, updatedAt: at.now },
    'facebook.code_requested',
    command,
    isFirst ? { kind: 'code-needed', rejection: null, notice: { codeMethod, dueAt } } : null,
    { method: codeMethod },
  );
}

/** What Meta says of a code that was entered. */
export function judgeCode(
  state: NumberState,
  command: Command & { type: 'codeChecked' },
  at: Circumstances,
): Outcome {
  if (!isAtFacebook(state) || state.facebook?.step !== 'code') return { refused: 'code_not_awaited' };
  const { result, refused } = command;
  const { facebook: before } = state;
  if (result.done) return verified(state, command, at);
  const { turn, problem } = result;
  // Each wrong code is told, also the second of a kind.
  const type = refused ? 'facebook.code_refused' : 'facebook.problem';
  const met = { ...before, turn, problem };
  // Another one was asked for meanwhile: that is sent, or meets the same trouble.
  const facebook = before.turn === 'facebook' ? before : met;
  return step({ ...state, facebook, updatedAt: at.now }, type, command, null, telling(met));
}

function verified(
  state: NumberState,
  command: { operationId: string; by: Actor },
  at: Circumstances,
): Transition {
  const facebook = registering(state.facebook?.codeMethod ?? null, at.now);
  return step(
    { ...due(state, later(at.now, at.facebookDueMs), at), facebook, updatedAt: at.now },
    'facebook.code_verified',
    command,
    null,
  );
}

function registered(
  state: NumberState,
  command: Command & { type: 'facebookStep' },
  at: Circumstances,
): Transition {
  const facebook: FacebookProgress | null =
    state.status === 'APPROVED'
      ? connecting(state, at.now)
      : {
          step: 'name',
          turn: 'facebook',
          since: at.now,
          codeMethod: state.facebook?.codeMethod ?? null,
          problem: null,
        };
  const sync = state.sync ?? { state: 'pending', reason: null, at: at.now, differences: [] };
  return inTurn(
    { ...state, facebook, sync, updatedAt: at.now },
    (next) => step(next, 'facebook.registered', command, null),
    // It may have been decided while the code was awaited.
    (next) => decideByName(next, command.operationId, at),
  );
}

/** Facebook's decision, as far as the name has one. Only of the name that this attempt has asked for. */
export function decideByName(state: NumberState, operationId: string, at: Circumstances): Transition {
  const { whatsappName: name, facebook, profile } = state;
  const none = { state, events: [] };
  if (state.status !== 'PENDING_FACEBOOK_APPROVAL' || facebook?.step !== 'name' || name === null) return none;
  if (!isSameName(name.requestedName ?? name.name, profile.displayName)) return none;
  const decision = { decisionId: operationId, by: FACEBOOK, at: at.now };
  if (isNameApproved(name.status)) {
    return settleFacebook(
      state,
      { ...decision, outcome: 'approved', reason: null, code: null, fields: [] },
      at,
    );
  }
  if (name.status !== 'DECLINED') return none;
  const { reason, code } = name;
  return settleFacebook(
    state,
    { ...decision, outcome: 'rejected', reason, code, fields: ['displayName'] },
    at,
  );
}

/** A problem at a step: told where anything that people see of it is new. */
function hinder(
  state: NumberState,
  command: Extract<Command, { type: 'facebookStep' }> & Extract<StepResult, { done: false }>,
  at: Circumstances,
): Transition {
  const { step: name, turn, problem } = command;
  const { facebook: before } = state;
  const known = before?.step === name ? before : null;
  if (known?.turn === turn && isSameProblem(known.problem, problem)) return { state, events: [] };
  const asksCustomer = turn === 'customer' && problem.until === null;
  // The customer's time begins when it is the customer's turn.
  const since = asksCustomer ? at.now : (known?.since ?? at.now);
  // Of another step there is no code to be entered.
  const facebook = { step: name, turn, since, codeMethod: known?.codeMethod ?? null, problem };
  const next = { ...state, facebook, updatedAt: at.now };
  if (!asksCustomer) return step(next, 'facebook.problem', command, null, telling(facebook));
  const dueAt = later(at.now, CUSTOMER_DUE_MS);
  const notice = { problem: problem.message, ...(waitsForCustomer(next) && { dueAt }) };
  const email = { kind: 'facebook-problem' as const, rejection: null, notice };
  return step(due(next, dueAt, at), 'facebook.problem', command, email, telling(facebook));
}

/** Somebody has put right what held it up, or asks for another code. Also what failed to reach Meta is sent again. */
export function resume(
  state: NumberState,
  command: Command & { type: 'resumeFacebook' },
  at: Circumstances,
): Outcome {
  if (!isAtFacebook(state)) return { refused: 'not_pending' };
  const { facebook: before, sync: known } = state;
  const facebook = goOn(state, command.method, at);
  const isUnsent = known?.state === 'failed';
  // Another code has a due time of its own when it is sent.
  const isPutRight = waitsForCustomer(state) && !isCodeAwaited(before);
  const next = isPutRight ? due(state, later(at.now, at.facebookDueMs), at) : state;
  if (facebook === before && !isUnsent) return { state, events: [] };
  const sync = isUnsent ? { ...known, state: 'pending' as const, reason: null, at: at.now } : known;
  return step({ ...next, facebook, sync, updatedAt: at.now }, 'facebook.resumed', command, null, {
    step: facebook?.step ?? null,
    ...(command.method && { method: command.method }),
  });
}

function goOn(
  { facebook: before, sync }: NumberState,
  method: CodeMethod | undefined,
  at: Circumstances,
): FacebookProgress | null {
  const again = { turn: 'facebook' as const, problem: null };
  if (before === null) {
    const isNew = sync === null;
    return isNew ? { ...again, step: 'add', since: at.now, codeMethod: method ?? null } : null;
  }
  const wantsCode = method !== undefined && before.step === 'code' && before.turn === 'customer';
  if (!wantsCode && !isHeldUp({ facebook: before, sync: null })) return before;
  // Connected by being registered anew.
  if (before.step === 'connect') return { ...before, ...again, step: 'register', since: at.now };
  return { ...before, ...again, codeMethod: wantsCode ? method : before.codeMethod };
}

/** Says that the number will be withdrawn where the customer goes on doing nothing. */
export function remindCustomer(
  state: NumberState,
  command: Command & { type: 'remindCustomer' },
  at: Circumstances,
): Outcome {
  const { facebook } = state;
  if (facebook === null || !waitsForCustomer(state)) return { refused: 'code_not_awaited' };
  const dueAt = later(facebook.since, CUSTOMER_DUE_MS);
  if (facebook.step !== 'code') {
    const problem = facebook.problem?.message ?? '';
    const email = { kind: 'facebook-problem' as const, rejection: null, notice: { problem, dueAt } };
    return step({ ...state, updatedAt: at.now }, 'facebook.problem', command, email, {
      ...telling(facebook),
      dueAt,
    });
  }
  const notice = { codeMethod: facebook.codeMethod, dueAt };
  return step(
    { ...state, updatedAt: at.now },
    'facebook.code_reminder',
    command,
    { kind: 'code-reminder', rejection: null, notice },
    { dueAt },
  );
}

/** Sets when a pending number is due. While a question is open that is the customer's, and the stage's time waits. */
function due(state: NumberState, dueAt: string, at: Circumstances): NumberState {
  if (state.status !== 'PENDING_FACEBOOK_APPROVAL') return state;
  const { question } = state;
  if (question === null) return { ...state, dueAt };
  return { ...state, question: { ...question, remainingMs: Date.parse(dueAt) - Date.parse(at.now) } };
}

export function isSameName(one: string | null, other: string | null): boolean {
  return one?.normalize('NFC').trim() === other?.normalize('NFC').trim();
}

/** Without what only Meta's support asks for: that is new each time. */
function isSameProblem(one: FacebookProblem | null, other: FacebookProblem): boolean {
  return (
    one !== null &&
    one.message === other.message &&
    one.code === other.code &&
    one.subcode === other.subcode &&
    one.until === other.until
  );
}

const telling = ({ step, turn, problem }: FacebookProgress) => ({
  step,
  turn,
  message: problem?.message ?? null,
  code: problem?.code ?? null,
});
