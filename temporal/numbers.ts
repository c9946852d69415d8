/** What the API and the sweeper ask of the workflows of numbers. Every call has a deadline. */
import {
  type Client,
  ScheduleOverlapPolicy,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure, type SignalDefinition } from '@temporalio/common';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Config } from '../contract/config.ts';
import type { FacebookNews } from '../contract/facebook.ts';
import {
  type AnswerSignal,
  type CodeSignal,
  codeEntered,
  customerAnswer,
  type DecisionSignal,
  type EditUpdate,
  editNumber,
  facebookApproval,
  facebookNews,
  NextActionAtKey,
  NUMBER_WORKFLOW,
  type NumberApprovalInput,
  NumberOwnerKey,
  NumberStatusKey,
  type QuestionSignal,
  type ReleaseSignal,
  type ResumeSignal,
  refresh,
  release,
  resumeFacebook,
  supportQuestion,
  supportVerification,
  TASK_QUEUE,
  type WithdrawSignal,
  withdraw,
  workflowId,
} from '../contract/messages.ts';
import type { NumberState, Stage } from '../contract/number.ts';
import type { Database } from '../db/client.ts';
import { type NumberRow, stateOf } from '../db/number-row.ts';
import { markStarted } from '../db/started.ts';
import { CLOSING_SCHEDULE } from './schedules.ts';
import { callWithin, TemporalUnavailable } from './unavailable.ts';

export { TemporalUnavailable };

/** The workflow has ended: the row says how. */
export class WorkflowClosed extends Error {
  override name = 'WorkflowClosed';
}

/** The workflow refused the edit; nothing was changed. */
export class EditRefused extends Error {
  override name = 'EditRefused';
  readonly code: EditRefusal;
  constructor(code: EditRefusal, message: string) {
    super(message);
    this.code = code;
  }
}

const EDIT_REFUSALS = ['not_approved', 'revision_conflict', 'invalid_request'] as const;
type EditRefusal = (typeof EDIT_REFUSALS)[number];

export interface NumberWorkflows {
  /**
   * Starts the workflow of the row's attempt, or finds that it runs or has completed; records that. Resolves with
   * whether it was started now. Throws TemporalUnavailable.
   */
  start(row: NumberRow): Promise<boolean>;
  /** Sends a signal; starts the workflow first where there is none. Throws WorkflowClosed, TemporalUnavailable. */
  decide(row: NumberRow, stage: Stage, signal: DecisionSignal): Promise<void>;
  ask(row: NumberRow, signal: QuestionSignal): Promise<void>;
  answer(row: NumberRow, signal: AnswerSignal): Promise<void>;
  withdraw(row: NumberRow, signal: WithdrawSignal): Promise<void>;
  release(row: NumberRow, signal: ReleaseSignal): Promise<void>;
  /** Has the code that was stored for this operation checked at Meta. */
  enterCode(row: NumberRow, signal: CodeSignal): Promise<void>;
  /** Tells what was heard from Meta. */
  hear(row: NumberRow, news: FacebookNews): Promise<void>;
  /**
   * Runs the update `editNumber` and returns the state right after it; at most 4 in flight per number in this
   * process. The same `updateId` is applied once. Throws EditRefused, WorkflowClosed, TemporalUnavailable.
   */
  edit(row: NumberRow, updateId: string, edit: EditUpdate): Promise<NumberState>;
  /** Tells that what held a step at Meta up may be over. */
  resume(row: NumberRow, signal: ResumeSignal): Promise<void>;
  /** Asks a workflow that lags behind its row to take the row's state. */
  refresh(row: NumberRow): Promise<void>;
  /**
   * Has the numbers of closed accounts ended now, or right after the run under way. Throws where Temporal does not
   * take it; the Schedule does it by itself then, within minutes.
   */
  endClosed(): Promise<void>;
  /** Whether Temporal answers. */
  reachable(): Promise<boolean>;
}

/** Milliseconds. */
const DEADLINE = { start: 3_000, signal: 5_000, edit: 12_000, trigger: 3_000, health: 1_500 };
/** Temporal takes 10 updates of a workflow at once; two API processes stay below that. */
const EDITS_IN_FLIGHT = 4;

type StartConfig = Pick<Config, 'FACEBOOK_DUE_HOURS' | 'REPLY_DUE_HOURS' | 'MAX_HISTORY' | 'META_APP_ID'>;

export function createNumberWorkflows(deps: {
  client: Client;
  db: Database;
  config: StartConfig;
}): NumberWorkflows {
  const { client, db, config } = deps;
  const handle = (row: NumberRow) => client.workflow.getHandle(workflowId(row));

  async function start(row: NumberRow): Promise<boolean> {
    let started = true;
    try {
      await callWithin(client, DEADLINE.start, () =>
        client.workflow.start(NUMBER_WORKFLOW, startOptions(row, config)),
      );
    } catch (error) {
      // Our own row: it is started already, here or by the sweeper.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      started = false;
    }
    await markStarted(db, row);
    return started;
  }

  /** Calls a workflow; where there is none (it was terminated, or not started yet), starts it and calls again. */
  async function reach<T>(row: NumberRow, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
    await start(row);
    try {
      return await call();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw new WorkflowClosed(workflowId(row), { cause: error });
      throw error;
    }
  }

  const signal = <T>(row: NumberRow, definition: SignalDefinition<[T]>, payload: T) =>
    reach(row, () => callWithin(client, DEADLINE.signal, () => handle(row).signal(definition, payload)));

  const inLine = editLines();

  return {
    start,
    decide: (row, stage, payload) =>
      signal(row, stage === 'verification' ? supportVerification : facebookApproval, payload),
    ask: (row, payload) => signal(row, supportQuestion, payload),
    answer: (row, payload) => signal(row, customerAnswer, payload),
    withdraw: (row, payload) => signal(row, withdraw, payload),
    release: (row, payload) => signal(row, release, payload),
    enterCode: (row, payload) => signal(row, codeEntered, payload),
    hear: (row, payload) => signal(row, facebookNews, payload),
    resume: (row, payload) => signal(row, resumeFacebook, payload),
    refresh: (row) =>
      reach(row, () => callWithin(client, DEADLINE.signal, () => handle(row).signal(refresh))),
    edit(row, updateId, edit) {
      const deadline = Date.now() + DEADLINE.edit;
      const once = () =>
        callWithin(client, deadline - Date.now(), () =>
          handle(row).executeUpdate(editNumber, { args: [edit], updateId }),
        );
      return inLine(row.id, () => reach(row, () => untilTaken(deadline, once))).catch(explainEdit);
    },
    async endClosed() {
      const schedule = client.schedule.getHandle(CLOSING_SCHEDULE);
      await callWithin(client, DEADLINE.trigger, () => schedule.trigger(ScheduleOverlapPolicy.BUFFER_ONE));
    },
    async reachable() {
      const check = () => client.connection.workflowService.getSystemInfo({});
      return callWithin(client, DEADLINE.health, check).then(
        () => true,
        () => false,
      );
    },
  };
}

function startOptions(row: NumberRow, config: StartConfig) {
  const input: NumberApprovalInput = {
    numberId: row.id,
    accountId: row.accountId,
    mobileNumber: row.mobileNumber,
    state: stateOf(row),
    settings: {
      facebookDueMs: config.FACEBOOK_DUE_HOURS * 3_600_000,
      replyDueMs: config.REPLY_DUE_HOURS * 3_600_000,
      approvalsNeeded: row.approvalsNeeded,
      // Left out where not: a deployment without Meta starts what it always did.
      ...(config.META_APP_ID !== undefined && { meta: true }),
    },
    ...(config.MAX_HISTORY > 0 ? { maxHistory: config.MAX_HISTORY } : {}),
  };
  return {
    workflowId: workflowId(row),
    taskQueue: TASK_QUEUE,
    args: [input],
    // A run that was terminated or failed may be started again from its row; one that completed may not.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY' as const,
    workflowIdConflictPolicy: 'FAIL' as const,
    typedSearchAttributes: [
      { key: NumberStatusKey, value: row.status },
      { key: NumberOwnerKey, value: row.accountId },
      ...(row.dueAt ? [{ key: NextActionAtKey, value: new Date(row.dueAt) }] : []),
    ],
    // At most 200 bytes, one line.
    staticSummary: `${row.mobileNumber}, attempt ${row.attempt}`,
    staticDetails: `Number ${row.id} of account ${row.accountId}. Status and decisions are in the current details.`,
  };
}

/** A line per number, so that edits of one wait for each other and not for those of another. */
function editLines() {
  const lines = new Map<string, LimitFunction>();
  return async <T>(numberId: string, task: () => Promise<T>): Promise<T> => {
    const line = lines.get(numberId) ?? pLimit(EDITS_IN_FLIGHT);
    lines.set(numberId, line);
    try {
      return await line(task);
    } finally {
      if (line.activeCount + line.pendingCount === 0) lines.delete(numberId);
    }
  };
}

/** Repeats while the server is full or the workflow continues as new; the update id makes that safe. */
async function untilTaken<T>(deadline: number, call: () => Promise<T>): Promise<T> {
  for (;;) {
    if (Date.now() >= deadline) throw new TemporalUnavailable('The edit was not taken in time');
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof TemporalUnavailable) || Date.now() + 100 >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100));
    }
  }
}

function explainEdit(error: unknown): never {
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure))
    throw error;
  const { type, message } = error.cause;
  const code = EDIT_REFUSALS.find((known) => known === type);
  if (code) throw new EditRefused(code, message);
  if (type === 'AcceptedUpdateCompletedWorkflow') throw new WorkflowClosed(message, { cause: error });
  throw error;
}
