/**
 * What a number's workflow does at Meta, one thing at a time, beside its story: no gate and no edit waits for it. It
 * looks at the state, does what comes next and gives what came of it back as a command. Trouble that passes stays in
 * the activity, which is tried again without end; whatever somebody has to put right is in the state.
 */
import { CancellationScope, condition, log, patched, proxyActivities, uuid4 } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type FacebookProblem, isCodeAwaited, type StepResult } from '../contract/facebook.ts';
import { META_TASK_QUEUE } from '../contract/messages.ts';
import { type Actor, isPending, type NumberState } from '../contract/number.ts';
import { FACEBOOK, isAtFacebook } from './at-facebook.ts';
import { type Alarm, type LaneMemory, nextAlarm, nextTask, type Task } from './facebook-tasks.ts';
import type { Command } from './lifecycle.ts';

/** Longer than the calls of a step take together. */
const STEP = {
  taskQueue: META_TASK_QUEUE,
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '15 seconds',
} as const;
const { addNumber, requestCode, verifyCode, register, pushProfile, readNumber } = proxyActivities<
  Pick<Activities, 'addNumber' | 'requestCode' | 'verifyCode' | 'register' | 'pushProfile' | 'readNumber'>
>({
  ...STEP,
  // For ever: a step says itself when it is to be tried again, if it knows.
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '5 minutes' },
});
const { deregister } = proxyActivities<Pick<Activities, 'deregister'>>({
  ...STEP,
  // What is left then, the sweep over numbers at Meta does; a released number must not wait for Meta.
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

const MINUTE_MS = 60_000;
/** Between two tries to push a profile that Meta refused; it doubles up to the longest. */
const PUSH_PAUSE = { first: MINUTE_MS, longest: 6 * 60 * MINUTE_MS };

const SYSTEM: Actor = { type: 'system', id: null };

/** Somebody entered a code; it is in PostgreSQL. */
interface EnteredCode {
  operationId: string;
  by: Actor;
}

export interface FacebookLane {
  /** Works until the workflow ends. */
  run(): Promise<never>;
  /** Takes a code to be checked. False: none is awaited. */
  enter(code: EnteredCode): boolean;
  /** Nothing is under way, and nothing is to be done now. */
  isIdle(): boolean;
}

export function createFacebookLane(number: {
  numberId: string;
  /** Whether verified numbers are brought to Meta by themselves. */
  meta: boolean;
  read(): NumberState;
  /** Steps read the row: it has to be as the state is. */
  isSaved(): boolean;
  /** The history is long: an approved number continues as new, which nothing that begins now may delay. */
  isFull(): boolean;
  submit(command: Command): void;
}): FacebookLane {
  const { numberId, read, submit, isSaved, isFull } = number;
  const at = { numberId };
  const memory: LaneMemory = {
    isWanted: number.meta && isPending(read().status),
    isAdded: false,
    isRegistered: read().sync !== null,
    isPushDue: false,
  };
  let entered: EnteredCode | null = null;
  let busy = false;
  let remindedOf: string | null = null;
  /** Pushes that were refused one after the other, and when the next is due. */
  let refusals = 0;
  let pushAt: number | null = Date.now() + PUSH_PAUSE.first;

  const alarm = () => nextAlarm(read(), { remindedOf, pushAt });
  const hasCode = () => entered !== null && isCodeAwaited(read().facebook);
  /** What is left then follows from the state in the next run, too. */
  const leavesRest = () => {
    const { status, facebook, sync } = read();
    return status === 'APPROVED' && (facebook ?? sync) !== null && isFull();
  };
  const hasTask = () => !leavesRest() && nextTask(read(), memory) !== null;
  const isDue = () => isSaved() && (hasCode() || hasTask());

  async function run(): Promise<never> {
    // Histories of earlier releases know nothing of it.
    await condition(() => isDue() || alarm() !== null);
    if (!patched('facebook-gate')) await condition(() => false);
    for (;;) {
      const waited = alarm();
      const rang =
        waited !== null && !(await condition(() => isDue() || isOther(waited, alarm()), left(waited)));
      if (rang) ring(waited);
      else if (waited === null) await condition(() => isDue() || alarm() !== null);
      if (!isDue()) continue;
      busy = true;
      const task = nextTask(read(), memory);
      if (entered !== null && hasCode()) await check(entered);
      else if (task) await carryOut(task);
      busy = false;
    }
  }

  function ring({ kind }: Alarm): void {
    const command = { operationId: uuid4(), by: SYSTEM };
    switch (kind) {
      case 'go-on':
        submit({ type: 'resumeFacebook', ...command });
        return;
      case 'remind':
        remindedOf = read().facebook?.since ?? null;
        submit({ type: 'remindCustomer', ...command });
        return;
      case 'expire': {
        const missed =
          read().facebook?.step === 'code'
            ? { codeNotEntered: true as const }
            : { notPutRight: true as const };
        submit({ type: 'withdraw', ...command, stage: 'PENDING_FACEBOOK_APPROVAL', ...missed });
        return;
      }
      case 'push':
        memory.isPushDue = true;
        pushAt = null;
    }
  }

  async function check(code: EnteredCode): Promise<void> {
    const checked = await attempt(() => verifyCode.executeWithOptions({ summary: 'Check the code' }, [at]));
    // One that was entered meanwhile is checked next.
    if (entered === code) entered = null;
    if (!checked) return;
    const isJudged = 'outcome' in checked;
    const result = isJudged ? RESULTS[checked.outcome] : checked;
    submit({ type: 'codeChecked', ...code, result, refused: isJudged && !result.done });
  }

  async function carryOut(task: Task): Promise<void> {
    switch (task.do) {
      case 'addNumber':
        return add();
      case 'requestCode': {
        const { method } = task;
        const call = () =>
          requestCode.executeWithOptions({ summary: `Have a code sent (${method})` }, [{ ...at, method }]);
        const result = await attempt(call);
        if (result)
          took({ step: 'code', result, method, verified: 'needed' in result && result.needed === false });
        return;
      }
      case 'register': {
        memory.isRegistered = true;
        const since = read().facebook?.since ?? null;
        const call = () =>
          register.executeWithOptions({ summary: 'Register' }, [{ ...at, since: task.since }]);
        const result = await attempt(call);
        if (result)
          took({
            step: 'register',
            result,
            since,
            codeAgain: 'again' in result && result.again === 'code',
          });
        return;
      }
      case 'pushProfile':
        return push();
      case 'readNumber':
        return connect();
      case 'deregister':
        return release();
    }
  }

  function took(step: Omit<Command & { type: 'facebookStep' }, 'type' | 'operationId' | 'by'>): void {
    submit({ type: 'facebookStep', operationId: uuid4(), by: FACEBOOK, ...step });
  }

  async function add(): Promise<void> {
    const call = () => addNumber.executeWithOptions({ summary: 'Add the number' }, [at]);
    const result = await attempt(call);
    if (!result) return;
    if ('done' in result) {
      if (result.done) memory.isAdded = true;
      else took({ step: 'add', result });
      return;
    }
    // Support decides, as where there is no Meta at all; somebody who asked for it is told.
    memory.isWanted = false;
    if (read().facebook !== null) took({ step: 'add', result: NOT_CONNECTED });
  }

  /** The latest profile wins: what was edited meanwhile is pushed once more. */
  async function push(): Promise<void> {
    const { profile } = read();
    memory.isPushDue = false;
    const call = () => pushProfile.executeWithOptions({ summary: `Profile of r${read().revision}` }, [at]);
    const result = await attempt(call);
    if (!result || read().profile !== profile) return;
    refusals = result.done ? 0 : refusals + 1;
    pushAt = result.done ? null : Date.now() + pauseAfter(refusals);
    submit({ type: 'sync', operationId: uuid4(), by: SYSTEM, result: told(result) });
  }

  /** Whether an approved number is connected, Meta says. */
  async function connect(): Promise<void> {
    const reading = await attempt(() => readNumber.executeWithOptions({ summary: 'Is it connected?' }, [at]));
    if (!reading) return;
    if (!reading.done) {
      took({ step: 'connect', result: reading });
      return;
    }
    const { operationId, ...news } = reading.news;
    submit({ type: 'facebookNews', operationId, news });
    if (read().facebook?.step !== 'connect') return;
    const status = read().quality.connectionStatus ?? 'UNKNOWN';
    took({ step: 'connect', result: { done: false, turn: 'operator', problem: notConnected(status) } });
  }

  async function release(): Promise<void> {
    try {
      const result = await deregister.executeWithOptions({ summary: 'Deregister' }, [at]);
      if (!result.done) log.warn('Deregistering is left to the sweep', { problem: result.problem.message });
    } catch (error) {
      log.warn('Deregistering is left to the sweep', { error: String(error) });
    }
    memory.isRegistered = false;
  }

  /** Null where the number has ended meanwhile. */
  async function attempt<T>(call: () => Promise<T>): Promise<T | typeof ENDED | null> {
    const scope = new CancellationScope({ cancellable: true });
    let isOver = false;
    const answer = scope.run(call).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    const ended = condition(() => isOver || !isAtFacebook(read())).then(() => null);
    const first = await Promise.race([answer, ended]);
    isOver = true;
    if (first === null) {
      scope.cancel();
      return null;
    }
    if ('value' in first) return first.value;
    log.warn('A step at Meta was ended', { error: String(first.error) });
    return ENDED;
  }

  return {
    run,
    enter(code) {
      if (!isCodeAwaited(read().facebook)) return false;
      entered = code;
      return true;
    },
    isIdle: () => !busy && !hasCode() && !hasTask(),
  };
}

const left = ({ at }: Alarm) => Math.max(0, at - Date.now());
const isOther = (one: Alarm, other: Alarm | null) => one.kind !== other?.kind || one.at !== other.at;

const pauseAfter = (refusals: number) => Math.min(PUSH_PAUSE.first * 2 ** (refusals - 1), PUSH_PAUSE.longest);

/** Without what the activity told beside it. */
const told = (result: StepResult): StepResult =>
  result.done ? { done: true } : { done: false, turn: result.turn, problem: result.problem };

function problem(message: string): FacebookProblem {
  return { message, code: null, subcode: null, fbtraceId: null, until: null };
}

/** From the Temporal UI or CLI: it would be tried again without end otherwise. */
const ENDED = {
  done: false as const,
  turn: 'operator' as const,
  problem: problem('The step was ended by hand. Let it go on when it can.'),
};
const NOT_CONNECTED: StepResult = {
  done: false,
  turn: 'support',
  problem: problem(
    "The account has no WhatsApp Business Account connected. Connect one and let it go on, or record Facebook's decision.",
  ),
};
const notConnected = (status: string) =>
  problem(`Meta says that the number is ${status}, not CONNECTED. Letting it go on registers it anew.`);

const wrong = (message: string): StepResult => ({
  done: false,
  turn: 'customer',
  problem: problem(message),
});
const RESULTS: Record<'right' | 'wrong' | 'expired', StepResult> = {
  right: { done: true },
  wrong: wrong('The code is not the one that Meta sent. Enter it again, or ask for another one.'),
  expired: wrong('The code has expired. Ask for another one.'),
};
