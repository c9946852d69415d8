/**
 * The life of one submission (attempt) of a number: two gates, then a long editable phase.
 *
 * Handlers are synchronous up to their last change of state: they apply a command (`lifecycle.ts`) and leave
 * the rest to lanes beside the story. One saves what changed, one sends emails, one does what is to be done at Meta
 * (`facebook-lane.ts`); no gate waits for the first two. Signals are read by guards and never throw: a throw would wedge or fail the workflow.
 */
import type { SignalDefinition } from '@temporalio/common';
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  currentUpdateInfo,
  log,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import {
  codeEntered,
  customerAnswer,
  editNumber,
  facebookApproval,
  facebookNews,
  getNumber,
  NextActionAtKey,
  type NumberApprovalInput,
  type NumberResult,
  NumberStatusKey,
  refresh,
  release,
  resumeFacebook,
  supportQuestion,
  supportVerification,
  withdraw,
  workflowId,
} from '../contract/messages.ts';
import { isLive, isPending, type NumberEvent, type NumberState } from '../contract/number.ts';
import { createFacebookLane } from './facebook-lane.ts';
import {
  isApprovalInput,
  type Read,
  readAnswer,
  readCode,
  readDecision,
  readEdit,
  readNews,
  readQuestion,
  readRelease,
  readResumption,
  readWithdrawal,
} from './guards.ts';
import { apply, type Command, complete, operationOf, type Refusal } from './lifecycle.ts';
import { type EmailNotes, nameSave, tellStory } from './story.ts';

const { save } = proxyLocalActivities<Pick<Activities, 'save'>>({
  startToCloseTimeout: '20 seconds',
  // For ever: what was decided is decided, and PostgreSQL will be back.
  retry: { initialInterval: '100 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});

const { sendEmails } = proxyActivities<Pick<Activities, 'sendEmails'>>({
  startToCloseTimeout: '120 seconds',
  // A killed worker's emails are taken over soon; the worker sends the heartbeats.
  heartbeatTimeout: '15 seconds',
  // What is unsent then, the Schedule `email-leftovers` sends; a finished number must not wait for a mail server.
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '20 seconds' },
});

/** Edits whose ids are remembered over continue-as-new: the server's own memory of them ends there. */
const REMEMBERED_EDITS = 500;

/** For workflows that an earlier release started: its settings did not say. */
const EARLIER_SETTINGS = { approvalsNeeded: 1, replyDueMs: 72 * 3_600_000, meta: false };

/** A command that was applied, on its way into the database. */
interface Change {
  command: Command;
  events: NumberEvent[];
  /** The state right after it. */
  state: NumberState;
  /** Saved, or refused after all because the database knew better. */
  settled: boolean;
  refused: Refusal | null;
}

export async function numberApproval(input: NumberApprovalInput): Promise<NumberResult> {
  if (!isApprovalInput(input)) {
    throw ApplicationFailure.nonRetryable(
      'Submit numbers through the API: this input is not one of ours.',
      'invalid_input',
    );
  }
  // A copy of somebody's input would act on a row that has a workflow already. Not at replay: what has failed here
  // is never replayed, and histories are replayed under any id.
  const { workflowId: id, unsafe } = workflowInfo();
  const { numberId, mobileNumber, state } = input;
  if (!unsafe.isReplaying && id !== workflowId({ id: numberId, mobileNumber, attempt: state.attempt })) {
    throw ApplicationFailure.nonRetryable(
      "This workflow id is not that of the input's number.",
      'invalid_input',
    );
  }
  const cancelled = CancellationScope.current().cancelRequested;
  // A cancel is a wish that the rules judge (below); it must not break the waits.
  return CancellationScope.nonCancellable(() => live(input, cancelled));
}

async function live(input: NumberApprovalInput, cancelled: Promise<never>): Promise<NumberResult> {
  const { numberId, accountId, mobileNumber } = input;
  const settings = { ...EARLIER_SETTINGS, ...input.settings };
  let state = complete(input.state);
  let superseded = false;
  let refreshAsked = false;
  let saving = false;
  /** The receipt is due at the start of an attempt; after continue-as-new nothing is. */
  let emailsDue = !input.carried;
  let sending = false;
  const unsaved: Change[] = [];
  const appliedEdits = [...(input.carried?.appliedEdits ?? [])];
  const emails: EmailNotes = { trouble: null, refused: [] };

  const defaults = () => ({ attempt: state.attempt, newId: uuid4 });
  const circumstances = () => ({ ...settings, now: new Date().toISOString() });
  const tell = () =>
    setCurrentDetails(tellStory(mobileNumber, state, { emails, approvalsNeeded: settings.approvalsNeeded }));
  const isIdle = () =>
    unsaved.length === 0 &&
    !saving &&
    !sending &&
    !emailsDue &&
    // What is to be done at Meta then, the newer attempt does.
    (superseded || atMeta.isIdle()) &&
    allHandlersFinished();

  /** Takes a new state, and shows it to operators. */
  function enter(next: NumberState): void {
    const before = state;
    state = next;
    if (next.status !== before.status || next.dueAt !== before.dueAt) {
      upsertSearchAttributes([
        { key: NumberStatusKey, value: next.status },
        { key: NextActionAtKey, value: next.dueAt === null ? null : new Date(next.dueAt) },
      ]);
    }
    tell();
  }

  /** Applies a command to the state and leaves it to the saving lane. */
  function submit(command: Command): Change | { refused: Refusal } {
    const outcome = apply(state, command, circumstances());
    if ('refused' in outcome) return outcome;
    const change = { command, ...outcome, settled: outcome.events.length === 0, refused: null };
    if (!change.settled) unsaved.push(change);
    enter(outcome.state);
    return change;
  }

  const atMeta = createFacebookLane({
    numberId,
    meta: settings.meta,
    read: () => state,
    isSaved: () => unsaved.length === 0 && !superseded,
    isFull: () => isLong(input.maxHistory),
    submit: (command) => {
      const outcome = submit(command);
      if ('refused' in outcome && outcome.refused)
        log.info('What came of a step at Meta counts no more', { refused: outcome.refused });
    },
  });

  /** For signals: nobody waits for an answer, so a refusal is a log line. */
  function onSignal<T>(signal: string, read: Read<T>, command: (value: T) => Command): void {
    if (read.problem !== undefined) {
      log.warn('Signal ignored', { signal, problem: read.problem });
      return;
    }
    const outcome = submit(command(read.value));
    if ('refused' in outcome && outcome.refused)
      log.info('Signal refused', { signal, refused: outcome.refused });
  }

  const signals: Record<string, (raw: unknown) => void> = {
    supportVerification: (raw) =>
      onSignal('supportVerification', readDecision(raw, defaults()), (value) => ({
        type: 'verify',
        ...value,
      })),
    facebookApproval: (raw) =>
      onSignal('facebookApproval', readDecision(raw, defaults()), ({ decision }) => ({
        type: 'decideFacebook',
        decision,
      })),
    supportQuestion: (raw) =>
      onSignal('supportQuestion', readQuestion(raw, defaults()), (value) => ({ type: 'ask', ...value })),
    customerAnswer: (raw) =>
      onSignal('customerAnswer', readAnswer(raw, defaults()), (value) => ({ type: 'answer', ...value })),
    withdraw: (raw) =>
      onSignal('withdraw', readWithdrawal(raw, defaults()), (value) => ({ type: 'withdraw', ...value })),
    release: (raw) =>
      onSignal('release', readRelease(raw, defaults()), (value) => ({ type: 'release', ...value })),
    facebookNews: (raw) =>
      onSignal('facebookNews', readNews(raw, defaults()), (value) => ({ type: 'facebookNews', ...value })),
    codeEntered: (raw) => {
      const { value: code, problem } = readCode(raw, defaults());
      if (!code || !atMeta.enter(code))
        log.warn('Signal ignored', { signal: 'codeEntered', problem: problem ?? 'no code is awaited' });
    },
    resumeFacebook: (raw) =>
      onSignal('resumeFacebook', readResumption(raw, defaults()), (value) => ({
        type: 'resumeFacebook',
        ...value,
      })),
    refresh: () => {
      refreshAsked = true;
    },
  };
  // First, because it takes what came before the first workflow task in the order it came.
  setDefaultSignalHandler((signal, raw) => {
    if (Object.hasOwn(signals, signal)) signals[signal]?.(raw);
    else log.warn('Signal ignored', { signal, problem: 'unknown signal' });
  });
  // By name, so that the Temporal UI offers them.
  const decisionShape = '{ outcome: "approved" | "rejected", reason, code, fields, attempt, by }';
  for (const [signal, description] of [
    [supportVerification, `Support decides: ${decisionShape}`],
    [facebookApproval, `Facebook decided: ${decisionShape}`],
    [supportQuestion, 'Asks the customer, who gets an email: { text, fields, dueAt, by }'],
    [customerAnswer, 'Answers the open question for the customer: { text, by }'],
    [facebookNews, 'What Meta says of the number: { source, at, name, quality, limit, undecided }'],
    [codeEntered, 'The code that is stored is to be checked at Meta: {} or { by }'],
    [
      resumeFacebook,
      'What held it up at Meta is put right, or { method: "SMS" | "VOICE" } for another code: {}',
    ],
    [withdraw, 'Withdraws a pending number: {} or { by }'],
    [release, 'Releases an approved number: {} or { by }'],
    [refresh, "Takes the database's state where this workflow lags behind it, e.g. after a reset: {}"],
  ] as const) {
    setHandler(signal as SignalDefinition<[unknown]>, (raw) => signals[signal.name]?.(raw), { description });
  }

  setHandler(
    editNumber,
    (raw) =>
      // In the root scope an ignored cancel would break the wait.
      CancellationScope.nonCancellable(async () => {
        const id = currentUpdateInfo()?.id ?? uuid4();
        if (appliedEdits.includes(id)) {
          await condition(() => unsaved.length === 0);
          return state;
        }
        const read = readEdit(raw);
        if (read.problem !== undefined) throw refusal('invalid_request', read.problem);
        const { changes, by } = read.value;
        const change = submit({ type: 'edit', operationId: id, by, changes });
        if (!('settled' in change)) throw refusal(change.refused);
        appliedEdits.push(id);
        appliedEdits.splice(0, appliedEdits.length - REMEMBERED_EDITS);
        // One that changes nothing still repeats what may not be saved yet.
        await condition(() => (change.events.length > 0 ? change.settled : unsaved.length === 0));
        if (change.refused) {
          appliedEdits.splice(appliedEdits.indexOf(id), 1);
          throw refusal(change.refused);
        }
        return change.state;
      }),
    {
      validator: (raw) => {
        const id = currentUpdateInfo()?.id;
        if (id && appliedEdits.includes(id)) return;
        const read = readEdit(raw, { strict: true });
        if (read.problem !== undefined) throw refusal('invalid_request', read.problem);
        if (state.status !== 'APPROVED') throw refusal('not_approved', `The number is ${state.status}.`);
        const { expectedRevision = state.revision } = read.value;
        if (expectedRevision !== state.revision) {
          throw refusal('revision_conflict', `The number is at revision ${state.revision}.`);
        }
      },
      description: 'Edits an approved number: { changes: { displayName, … }, expectedRevision, by }',
    },
  );

  setHandler(getNumber, () => ({ numberId, accountId, mobileNumber, ...state, unsaved: unsaved.length }), {
    description: 'The number as its workflow knows it',
  });

  cancelled.catch(() => {
    if (isPending(state.status)) {
      submit({ type: 'withdraw', operationId: uuid4(), by: { type: 'operator', id: null }, stage: null });
    } else {
      log.warn('Cancel ignored: only a pending number is withdrawn by it', { status: state.status });
    }
  });

  /** Saves every change, in order, until the workflow ends. */
  async function saveChanges(): Promise<never> {
    for (;;) {
      await condition(() => unsaved.length > 0 || refreshAsked);
      refreshAsked = false;
      saving = true;
      const batch = [...unsaved];
      const events = batch.flatMap((change) => change.events);
      const result = await save.executeWithOptions({ summary: nameSave(state) }, [
        { numberId, state, events },
      ]);
      if (result.kind === 'saved') settle(batch);
      if (result.kind === 'ahead') catchUp(result.state, result.known);
      if (result.kind === 'superseded') {
        superseded = true;
        settle([...unsaved], 'not_approved');
      }
      emailsDue ||= events.some((event) => event.email !== null);
      saving = false;
    }
  }

  function settle(changes: Change[], refused: Refusal | null = null): void {
    for (const change of changes) {
      Object.assign(change, { settled: true, refused });
      unsaved.splice(unsaved.indexOf(change), 1);
    }
  }

  /** Takes the row's state, and applies again what the row does not know yet. */
  function catchUp(stored: NumberState, known: string[]): void {
    log.warn('Taking the state of the row', { own: state.revision, stored: stored.revision });
    const repeated = unsaved.filter((change) => known.includes(operationOf(change.command)));
    for (const change of repeated) change.state = stored;
    settle(repeated);
    enter(complete(stored));
    for (const change of [...unsaved]) {
      const outcome = apply(state, change.command, circumstances());
      if ('refused' in outcome) {
        settle([change], outcome.refused);
        continue;
      }
      Object.assign(change, outcome);
      if (outcome.events.length === 0) settle([change]);
      enter(outcome.state);
    }
  }

  /** Sends the number's emails. Gives up after minutes: the Schedule takes over. */
  async function sendDueEmails(): Promise<never> {
    for (;;) {
      await condition(() => emailsDue);
      emailsDue = false;
      sending = true;
      try {
        const sent = await sendEmails.executeWithOptions({ summary: `Emails up to r${state.revision}` }, [
          { lane: numberId },
        ]);
        emails.trouble = null;
        emails.refused = [
          ...emails.refused,
          ...sent.refused.map((one) => `${one.kind}: ${one.detail}`),
        ].slice(-5);
      } catch (error) {
        log.warn('Emails are left to the Schedule', { error: String(error) });
        emails.trouble = `left to the Schedule email-leftovers at ${new Date().toISOString()}`;
      }
      sending = false;
      tell();
    }
  }

  /** The story: two gates, then the editable phase. */
  async function run(): Promise<NumberResult> {
    tell();
    await condition(() => superseded || state.status !== 'PENDING_VERIFICATION');
    await condition(() => superseded || state.status !== 'PENDING_FACEBOOK_APPROVAL');
    // One condition with nothing awaited after it, or an edit in between would be lost.
    await condition(() => superseded || !isLive(state.status) || (isLong(input.maxHistory) && isIdle()));
    if (!superseded && isLive(state.status)) {
      return continueAsNew<typeof numberApproval>({ ...input, state, carried: { appliedEdits } });
    }
    await condition(isIdle);
    return { status: superseded ? 'SUPERSEDED' : state.status, revision: state.revision };
  }

  return Promise.race([run(), saveChanges(), sendDueEmails(), atMeta.run()]);
}

function isLong(maxHistory: number | undefined): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || (maxHistory !== undefined && historyLength > maxHistory);
}

function refusal(
  code: Refusal | 'invalid_request' | 'revision_conflict',
  message: string = code,
): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, code);
}
