/** What is done at Meta, what is heard from there and what follows: the rules alone. */
import { describe, expect, test } from 'vitest';
import type { FacebookNews, FacebookProblem, StepResult } from '../../contract/facebook.ts';
import { nextStep } from '../../contract/next-action.ts';
import type { NumberEvent, NumberState } from '../../contract/number.ts';
import { nextAlarm, nextTask } from '../../workflows/facebook-tasks.ts';
import { apply, type Circumstances, type Command, operationOf } from '../../workflows/lifecycle.ts';
import { AN_HOUR_LATER as AT, CUSTOMER, decision, submittedState } from '../support/number-state.ts';

const DAY = 24 * 3_600_000;
const FACEBOOK = { type: 'facebook', id: null } as const;
const SYSTEM = { type: 'system', id: null } as const;
const since = (ms: number): Circumstances => ({
  ...AT,
  now: new Date(Date.parse(AT.now) + ms).toISOString(),
});
const NAME = submittedState().profile.displayName;

let operations = 0;
const by = (actor: Extract<Command, { by: unknown }>['by'] = FACEBOOK) => ({
  operationId: `op_${operations++}`,
  by: actor,
});
const problem = (changes: Partial<FacebookProblem> = {}): FacebookProblem => ({
  message: 'Pay the bill.',
  code: 131042,
  subcode: null,
  fbtraceId: 'A1',
  until: null,
  ...changes,
});
const held = (turn: 'customer' | 'operator' | 'support', changes = {}): StepResult => ({
  done: false,
  turn,
  problem: problem(changes),
});
const done: StepResult = { done: true };
type Step = Extract<Command, { type: 'facebookStep' }>;
const took = (step: Step['step'], result: StepResult = done, more: Partial<Step> = {}): Command => ({
  type: 'facebookStep',
  ...by(),
  step,
  result,
  ...more,
});
const checked = (result: StepResult, refused = !result.done): Command => ({
  type: 'codeChecked',
  ...by(CUSTOMER),
  result,
  refused,
});
const news = (changes: Partial<FacebookNews>): Command => ({
  type: 'facebookNews',
  operationId: `op_${operations++}`,
  news: { source: 'webhook', at: AT.now, ...changes },
});
const named = (status: string, changes: Partial<NonNullable<FacebookNews['name']>> = {}, more = {}) =>
  news({ name: { status, requestedName: NAME, reason: null, ...changes }, ...more });
const verify: Command = { type: 'verify', decision: decision({ decisionId: 'op_v' }) };
const resume = (method?: 'SMS' | 'VOICE'): Command => ({
  type: 'resumeFacebook',
  ...by(CUSTOMER),
  ...(method && { method }),
});

function following(
  start: NumberState,
  commands: Command[],
  at = AT,
): { state: NumberState; events: NumberEvent[] } {
  return commands.reduce(
    (so, command) => {
      const outcome = apply(so.state, command, at);
      if ('refused' in outcome) throw new Error(`${operationOf(command)} refused: ${outcome.refused}`);
      return { state: outcome.state, events: [...so.events, ...outcome.events] };
    },
    { state: start, events: [] as NumberEvent[] },
  );
}

const typesOf = (events: NumberEvent[]) => events.map(({ type }) => type);
const emailsOf = (events: NumberEvent[]) => events.flatMap(({ email }) => (email ? [email.kind] : []));
const LANE = { isWanted: true, isAdded: false, isRegistered: false, isPushDue: false };
const NO_ALARM = { remindedOf: null, pushAt: null };

const verified = following(submittedState(), [verify]).state;
const codeSent = following(verified, [took('code')]).state;
const codeRight = following(codeSent, [checked(done)]).state;
const registered = following(codeRight, [took('register')]).state;
const approved = following(registered, [named('APPROVED')]).state;
const connected = following(approved, [news({ quality: { connectionStatus: 'CONNECTED' } })]).state;

describe('the way to Facebook', () => {
  test('step by step, each with its turn, due time and event', () => {
    const { events } = following(verified, [
      took('code', done, { method: 'VOICE' }),
      checked(done),
      took('register'),
      named('APPROVED'),
    ]);
    expect(typesOf(events)).toEqual([
      'facebook.code_requested',
      'facebook.code_verified',
      'facebook.registered',
      'name.changed',
      'facebook.approved',
    ]);
    expect(emailsOf(events)).toEqual(['code-needed', 'approved']);
    expect(nextStep(codeSent)).toEqual({
      waitingFor: 'customer',
      nextAction: { type: 'enter-code', fields: [], dueAt: since(30 * DAY).now },
    });
    expect(nextStep(codeRight)).toMatchObject({ waitingFor: 'facebook' });
    expect(codeRight.dueAt).toBe(since(7 * DAY).now);
    expect(registered).toMatchObject({
      facebook: { step: 'name', turn: 'facebook' },
      sync: { state: 'pending' },
    });
    expect(approved.facebookDecision).toMatchObject({ outcome: 'approved', by: FACEBOOK });
  });

  test('what is to be done next follows from the state', () => {
    const tasks = [verified, codeSent, codeRight, registered, approved, connected].map((state) =>
      nextTask({ ...state, sync: state.sync && { ...state.sync, state: 'synced' } }, LANE),
    );
    expect(tasks).toEqual([
      { do: 'addNumber' },
      null,
      { do: 'register', since: null },
      null,
      { do: 'readNumber' },
      null,
    ]);
    expect(nextTask(verified, { ...LANE, isAdded: true })).toEqual({ do: 'requestCode', method: 'SMS' });
    expect(nextTask(verified, { ...LANE, isWanted: false })).toBeNull();
    expect(nextTask(registered, LANE)).toEqual({ do: 'pushProfile' });
    expect(nextTask(submittedState(), LANE)).toBeNull();
  });

  test('a number that Meta has verified already needs no code', () => {
    const { state, events } = following(verified, [took('code', done, { verified: true })]);
    expect(typesOf(events)).toEqual(['facebook.code_verified']);
    expect(state.facebook?.step).toBe('register');
    expect(state.whatsappName).toMatchObject({ status: 'PENDING_REVIEW', requestedName: NAME });
  });

  test('each wrong code is told, and the number waits for a right one', () => {
    const wrong = held('customer', { message: 'Not the one.' });
    const { state, events } = following(codeSent, [checked(wrong), checked(wrong)]);
    expect(typesOf(events)).toEqual(['facebook.code_refused', 'facebook.code_refused']);
    expect(nextStep(state).nextAction?.type).toBe('enter-code');
    expect(state.dueAt).toBe(codeSent.dueAt);
    expect(following(state, [checked(done)]).state.facebook).toMatchObject({
      step: 'register',
      problem: null,
    });
    expect(apply(registered, checked(done), AT)).toEqual({ refused: 'code_not_awaited' });
  });

  test('trouble of the account is none of the code', () => {
    const { state, events } = following(codeSent, [checked(held('customer'), false)]);
    expect(events).toMatchObject([{ type: 'facebook.problem', data: { message: 'Pay the bill.' } }]);
    expect(state.facebook).toMatchObject({ step: 'code', turn: 'customer', problem: { code: 131042 } });
  });

  test('another code that was asked for while one was checked is sent, unless that was right', () => {
    const asked = following(codeSent, [resume('VOICE')]).state;
    const { state, events } = following(asked, [checked(held('customer', { message: 'Not the one.' }))]);
    expect(events).toMatchObject([{ type: 'facebook.code_refused', data: { message: 'Not the one.' } }]);
    expect(nextTask(state, LANE)).toEqual({ do: 'requestCode', method: 'VOICE' });
    expect(following(asked, [checked(done)]).state.facebook?.step).toBe('register');
  });

  test('another code begins the thirty days anew, and is not emailed', () => {
    const at = since(3 * DAY);
    const { state, events } = following(
      codeSent,
      [resume('VOICE'), took('code', done, { method: 'VOICE' })],
      at,
    );
    expect(typesOf(events)).toEqual(['facebook.resumed', 'facebook.code_requested']);
    expect(emailsOf(events)).toEqual([]);
    expect(state.facebook).toMatchObject({ codeMethod: 'VOICE', since: at.now });
    expect(state.dueAt).toBe(since(33 * DAY).now);
    expect(apply(codeSent, resume(), AT)).toEqual({ state: codeSent, events: [] });
  });

  test.each([
    ['customer', 'fix-at-facebook', ['facebook-problem']],
    ['support', 'decide', []],
    ['operator', 'decide', []],
  ] as const)('a problem is the turn of %s until it is put right', (turn, action, emails) => {
    const { state, events } = following(codeRight, [took('register', held(turn))]);
    expect(nextStep(state).nextAction?.type).toBe(action);
    expect(emailsOf(events)).toEqual(emails);
    expect(nextTask(state, LANE)).toBeNull();
    // The same again, but for what only Meta's support asks for.
    const again = took('register', held(turn, { fbtraceId: 'B2' }));
    expect(apply(state, again, AT)).toEqual({ state, events: [] });
    const resumed = following(state, [resume()]);
    expect(typesOf(resumed.events)).toEqual(['facebook.resumed']);
    expect(nextTask(resumed.state, LANE)).toMatchObject({ do: 'register' });
  });

  test('a problem that ends at a time is an alarm', () => {
    const until = since(DAY).now;
    const { state } = following(codeRight, [took('register', held('operator', { until }))]);
    expect(nextAlarm(state, NO_ALARM)).toEqual({ kind: 'go-on', at: Date.parse(until) });
  });

  test('a name that has to wait for the review of another is asked for again by itself', () => {
    const until = since(DAY / 4).now;
    const waits: StepResult = { done: false, turn: 'facebook', problem: problem({ until, code: null }) };
    const { state, events } = following(verified, [took('add', waits)]);
    expect(emailsOf(events)).toEqual([]);
    expect(nextTask(state, LANE)).toBeNull();
    expect(nextAlarm(state, NO_ALARM)).toEqual({ kind: 'go-on', at: Date.parse(until) });
    const goneOn = following(state, [{ type: 'resumeFacebook', ...by(SYSTEM) }]).state;
    expect(nextTask(goneOn, LANE)).toEqual({ do: 'addNumber' });
  });

  test('Meta may want another code before it registers', () => {
    const { state, events } = following(codeRight, [took('register', held('customer'), { codeAgain: true })]);
    expect(typesOf(events)).toEqual(['facebook.problem']);
    expect(emailsOf(events)).toEqual(['facebook-problem']);
    // Asked for by the customer, or it would go round and round where Meta is in two minds.
    expect(nextTask(state, LANE)).toBeNull();
    expect(nextStep(state).nextAction?.type).toBe('fix-at-facebook');
    expect(nextTask(following(state, [resume()]).state, LANE)).toEqual({ do: 'requestCode', method: 'SMS' });
  });

  test('what comes of a step that is not the next any more counts for nothing', () => {
    for (const step of ['add', 'code', 'register'] as const)
      expect(apply(registered, took(step), AT)).toEqual({ state: registered, events: [] });
    const withdrawn = following(codeSent, [{ type: 'withdraw', ...by(CUSTOMER), stage: null }]).state;
    expect(withdrawn).toMatchObject({ facebook: null, sync: null });
    expect(apply(withdrawn, took('code'), AT)).toEqual({ refused: 'not_pending' });
  });

  test('a code that nobody enters: a reminder after 23 days, the end after 30', () => {
    const sentAt = codeSent.facebook?.since ?? '';
    expect(nextAlarm(codeSent, NO_ALARM)).toEqual({ kind: 'remind', at: Date.parse(sentAt) + 23 * DAY });
    const { events } = following(codeSent, [{ type: 'remindCustomer', ...by(SYSTEM) }]);
    expect(events).toMatchObject([
      { type: 'facebook.code_reminder', email: { kind: 'code-reminder', notice: { dueAt: codeSent.dueAt } } },
    ]);
    expect(nextAlarm(codeSent, { ...NO_ALARM, remindedOf: sentAt })).toEqual({
      kind: 'expire',
      at: Date.parse(sentAt) + 30 * DAY,
    });
    const end: Command = { type: 'withdraw', ...by(SYSTEM), stage: null, codeNotEntered: true };
    expect(following(codeSent, [end]).events).toMatchObject([
      { type: 'withdrawn', email: { kind: 'withdrawn', notice: { codeNotEntered: true } } },
    ]);
  });

  test.each<[string, NumberState, Command]>([
    ['a code that could not be sent', verified, took('code', held('customer'))],
    [
      'another code, before it is registered',
      codeRight,
      took('register', held('customer'), { codeAgain: true }),
    ],
    ['trouble of the account', verified, took('add', held('customer'))],
    ['trouble at registering', codeRight, took('register', held('customer'))],
  ])('what the customer does not do: a reminder after 23 days, the end after 30: %s', (_, start, command) => {
    const at = since(2 * DAY);
    const dueAt = since(32 * DAY).now;
    const { state, events } = following(start, [command], at);
    expect(state).toMatchObject({ dueAt, facebook: { turn: 'customer', since: at.now } });
    expect(events.at(-1)?.email?.notice).toEqual({ problem: 'Pay the bill.', dueAt });
    expect(nextAlarm(state, NO_ALARM)).toEqual({ kind: 'remind', at: Date.parse(since(25 * DAY).now) });
    const reminded = following(state, [{ type: 'remindCustomer', ...by(SYSTEM) }], since(25 * DAY));
    expect(reminded.events).toMatchObject([{ email: { notice: { dueAt } } }]);
    expect(nextAlarm(reminded.state, { ...NO_ALARM, remindedOf: at.now })).toEqual({
      kind: 'expire',
      at: Date.parse(dueAt),
    });
    const end: Command = { type: 'withdraw', ...by(SYSTEM), stage: null, notPutRight: true };
    expect(following(reminded.state, [end]).events).toMatchObject([
      { data: { notPutRight: true }, email: { kind: 'withdrawn', notice: { notPutRight: true } } },
    ]);
    // Whoever has it go on has all the time again.
    const goneOn = following(reminded.state, [resume()], since(26 * DAY)).state;
    expect(nextAlarm(goneOn, NO_ALARM)).toBeNull();
    expect(goneOn.dueAt).toBe(since(33 * DAY).now);
    const { step } = goneOn.facebook ?? {};
    if (!step || step === 'name') throw new Error('no such step');
    const again = following(goneOn, [took(step, held('customer'))], since(26 * DAY)).state;
    expect(again.dueAt).toBe(since(56 * DAY).now);
  });

  test('what goes on by itself, and an approved number, is not withdrawn', () => {
    const until = since(DAY).now;
    const waits = following(verified, [took('add', held('customer', { until }))]).state;
    expect(nextAlarm(waits, NO_ALARM)).toEqual({ kind: 'go-on', at: Date.parse(until) });
    const asked = following(approved, [took('connect', held('customer'))]);
    expect(nextAlarm(asked.state, NO_ALARM)).toBeNull();
    expect(asked.events.at(-1)?.email?.notice).toEqual({ problem: 'Pay the bill.' });
  });

  test('an open question keeps the customer, and the stage its new time', () => {
    const ask: Command = {
      type: 'ask',
      ...by(CUSTOMER),
      stage: null,
      text: 'Which shop?',
      fields: [],
      dueAt: since(DAY).now,
      remainingMs: 1,
    };
    const { state } = following(codeSent, [ask, checked(done)]);
    expect(state.dueAt).toBe(since(DAY).now);
    expect(state.question?.remainingMs).toBe(7 * DAY);
  });
});

describe('the decision on the name', () => {
  test.each(['APPROVED', 'AVAILABLE_WITHOUT_REVIEW'])('%s approves', (status) => {
    expect(following(registered, [named(status)]).state.status).toBe('APPROVED');
  });

  test.each(['PENDING_REVIEW', 'NONE', 'EXPIRED', 'A_NEW_WORD'])('%s decides nothing', (status) => {
    const { state } = following(registered, [named(status)]);
    expect(state).toMatchObject({ status: 'PENDING_FACEBOOK_APPROVAL', whatsappName: { status } });
  });

  test("a refusal rejects with Meta's reason, word and field", () => {
    const reason = 'Meta declined the name: it is that of a person.';
    const { state, events } = following(registered, [
      named('DECLINED', { reason, code: 'name_individual_issue' }),
    ]);
    expect(state).toMatchObject({ status: 'REJECTED', facebook: null, whatsappName: { reason } });
    expect(events.at(-1)).toMatchObject({
      type: 'facebook.rejected',
      actor: FACEBOOK,
      data: { reason, code: 'name_individual_issue', fields: ['displayName'] },
      email: { kind: 'rejected', rejection: { by: 'facebook', reason } },
    });
  });

  test('on another name counts for nothing', () => {
    const { state } = following(registered, [named('DECLINED', { requestedName: 'An earlier name' })]);
    expect(state).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      whatsappName: { requestedName: 'An earlier name' },
    });
  });

  test('while the code is awaited it is kept, and counts when the number is registered', () => {
    for (const [status, expected] of [
      ['AVAILABLE_WITHOUT_REVIEW', 'APPROVED'],
      ['DECLINED', 'REJECTED'],
    ] as const) {
      const early = following(codeSent, [named(status)]).state;
      expect(early.status).toBe('PENDING_FACEBOOK_APPROVAL');
      expect(following(early, [checked(done), took('register')]).state.status).toBe(expected);
    }
  });

  test('that an earlier attempt was refused does not refuse the next', () => {
    const refused = following(registered, [named('DECLINED')]).state;
    const again = following(submittedState({ attempt: 2, whatsappName: refused.whatsappName }), [
      verify,
      took('code'),
      checked(done),
      took('register'),
    ]).state;
    expect(again).toMatchObject({
      status: 'PENDING_FACEBOOK_APPROVAL',
      whatsappName: { status: 'PENDING_REVIEW' },
    });
  });

  test('before support approved it is only shown', () => {
    const { state } = following(submittedState(), [named('APPROVED')]);
    expect(state).toMatchObject({ status: 'PENDING_VERIFICATION', whatsappName: { status: 'APPROVED' } });
  });

  test('support may decide in its place at every step; the steps that are left are taken', () => {
    const byHand: Command = { type: 'decideFacebook', decision: decision({ decisionId: 'op_f' }) };
    const steps = [verified, codeSent, codeRight, registered].map(
      (state) => following(state, [byHand]).state.facebook?.step ?? null,
    );
    expect(steps).toEqual([null, 'code', 'register', 'connect']);
    const early = following(codeSent, [byHand]).state;
    expect(following(early, [checked(done), took('register')]).state).toMatchObject({
      status: 'APPROVED',
      dueAt: null,
      facebook: { step: 'connect' },
    });
    expect(nextAlarm(early, NO_ALARM)).toBeNull();
    expect(apply(approved, byHand, AT)).toEqual({ refused: 'already_decided' });
  });

  test("that is not made for days is support's, and still counts when it comes", () => {
    const { state, events } = following(registered, [news({ source: 'poll', undecided: true })]);
    expect(typesOf(events)).toEqual(['facebook.problem']);
    expect(nextStep(state)).toMatchObject({ waitingFor: 'support', nextAction: { type: 'decide' } });
    expect(following(state, [named('APPROVED')]).state.status).toBe('APPROVED');
    expect(apply(codeSent, news({ undecided: true }), AT)).toEqual({ state: codeSent, events: [] });
  });

  test('after the approval a name changes what WhatsApp shows, never the approval', () => {
    const reason = 'Meta declined the name for how it is written.';
    const pending = following(connected, [
      named('PENDING_REVIEW', { name: NAME, requestedName: 'NEW!' }),
    ]).state;
    const { state, events } = following(pending, [named('DECLINED', { requestedName: 'NEW!', reason })]);
    expect(state).toMatchObject({
      status: 'APPROVED',
      whatsappName: { name: NAME, requestedName: 'NEW!', status: 'DECLINED', reason },
    });
    expect(events).toMatchObject([
      {
        type: 'name.changed',
        email: { kind: 'name-declined', notice: { declined: 'NEW!', shown: NAME, reason } },
      },
    ]);
    // A reading knows no reason.
    const read = named('DECLINED', { requestedName: 'NEW!', reason: null }, { source: 'poll' });
    expect(apply(state, read, AT)).toEqual({ state, events: [] });
  });
});

describe('an approved name that is not the one that WhatsApp shows', () => {
  const OTHER = 'Another name';
  const read = (status: string, shown: string | null, requestedName: string) =>
    named(status, { requestedName, ...(shown !== null && { name: shown }) }, { source: 'poll' });
  const heard = (status: string, requestedName: string) =>
    named(status, { requestedName, ...(status === 'APPROVED' && { name: requestedName }) });
  const isSynced = (state: NumberState): NumberState => ({
    ...state,
    sync: state.sync && { ...state.sync, state: 'synced' },
  });
  const step = (state: NumberState) => state.facebook?.step ?? null;
  const pushed: Command = { type: 'sync', ...by(SYSTEM), result: done };
  const edited = following(isSynced(connected), [
    { type: 'edit', ...by(CUSTOMER), changes: { displayName: OTHER } },
  ]).state;
  const asked = following(edited, [pushed]).state;
  /** Submitted again after Meta's refusal, still registered. */
  const again = (displayName: string) => {
    const { whatsappName, quality, profile } = following(registered, [
      news({ quality: { connectionStatus: 'CONNECTED' } }),
      heard('DECLINED', NAME),
    ]).state;
    const next = submittedState({ attempt: 2, whatsappName, quality, profile: { ...profile, displayName } });
    const way = [verify, took('code', done, { verified: true }), took('register')];
    return isSynced(following(next, way, since(1000)).state);
  };
  /** Of a number that was released and is another one's now: what Meta shows is not known before the first reading. */
  const fresh = isSynced(registered);

  test.each<[string, NumberState, Command[], string | null]>([
    ['an edited name', asked, [heard('APPROVED', OTHER)], NAME],
    ['one that was read', asked, [read('APPROVED', NAME, OTHER)], NAME],
    ['one that Meta has approved before the push is known', edited, [heard('APPROVED', OTHER), pushed], NAME],
    ['another one after a refusal', again(OTHER), [heard('APPROVED', OTHER)], null],
    ['that one in review before', again(OTHER), [heard('PENDING', OTHER), heard('APPROVED', OTHER)], null],
    ['that one, read', again(OTHER), [read('APPROVED', null, OTHER)], null],
    ['the refused one, asked for again', again(NAME), [heard('APPROVED', NAME)], null],
    ['that one, read', again(NAME), [read('APPROVED', null, NAME)], null],
    ['one of a released number, read', fresh, [read('APPROVED', 'Old', NAME)], 'Old'],
    [
      'that one, read in review before',
      fresh,
      [read('PENDING_REVIEW', 'Old', NAME), heard('APPROVED', NAME)],
      'Old',
    ],
    ['that one, taken for the first', fresh, [heard('APPROVED', NAME), read('APPROVED', 'Old', NAME)], 'Old'],
  ])('has the number registered anew, once: %s', (_, start, commands, shown) => {
    const at = since(2000);
    const unshown = isSynced(following(start, commands.map(later), at).state);
    const { displayName } = unshown.profile;
    expect(unshown.whatsappName).toMatchObject({
      name: shown,
      status: 'APPROVED',
      requestedName: displayName,
    });
    expect(nextTask(unshown, LANE)).toEqual({ do: 'register', since: at.now });
    // The reading after it may still show the old name, and then the new one.
    const anew = following(unshown, [took('register', done, { since: at.now })], since(3000)).state;
    const lagging = following(anew, [later(read('APPROVED', shown, displayName))], since(4000));
    expect(typesOf(lagging.events)).toEqual([]);
    const { state } = following(
      lagging.state,
      [
        later(read('APPROVED', displayName, displayName)),
        news({ at: since(5000).now, quality: { connectionStatus: 'CONNECTED' } }),
      ],
      since(5000),
    );
    expect(state).toMatchObject({
      status: 'APPROVED',
      facebook: null,
      whatsappName: { name: displayName, status: 'APPROVED', requestedName: null },
    });
    expect(state.whatsappName?.isChange).toBeUndefined();
  });

  /** After all that was said of earlier names. */
  let seconds = 1000;
  function later(command: Command): Command {
    if (command.type !== 'facebookNews') return command;
    return { ...command, news: { ...command.news, at: since(seconds++).now } };
  }

  test('that is approved while the number is registered has it registered once more', () => {
    const early = following(codeRight, [read('PENDING_REVIEW', 'Old', NAME)]).state;
    const during = following(early, [later(heard('APPROVED', NAME))], since(1000)).state;
    expect(nextTask(during, LANE)).toEqual({ do: 'register', since: since(1000).now });
    const late = took('register', done, { since: early.facebook?.since ?? '' });
    expect(apply(during, late, AT)).toEqual({ state: during, events: [] });
    const { state } = following(during, [took('register', done, { since: since(1000).now })]);
    expect(state).toMatchObject({ status: 'APPROVED', facebook: { step: 'connect' } });
  });

  test('that is approved before the number is registered is shown by that, and nothing else', () => {
    const { state } = following(codeSent, [read('APPROVED', 'Old', NAME), checked(done)]);
    expect(nextTask(state, LANE)).toEqual({ do: 'register', since: AT.now });
    const after = following(state, [took('register', done, { since: AT.now })]).state;
    expect([after.status, step(after)]).toEqual(['APPROVED', 'connect']);
  });

  test.each<[string, Command[]]>([
    ['reviewed once more', [read('PENDING_REVIEW', null, NAME), read('APPROVED', NAME, NAME)]],
    ['told again', [heard('APPROVED', NAME)]],
    ['behind a webhook', [read('PENDING_REVIEW', null, NAME), heard('APPROVED', NAME)]],
  ])('is not the shown one, %s', (_, commands) => {
    const { state } = following(connected, commands);
    expect(state).toMatchObject({ facebook: null, whatsappName: { name: NAME, requestedName: null } });
  });
});

describe('an approved number', () => {
  test('is looked at until it is connected', () => {
    expect(approved.facebook).toMatchObject({ step: 'connect', turn: 'facebook' });
    expect(connected.facebook).toBeNull();
    const not = following(approved, [took('connect', held('operator'))]).state;
    expect(not.facebook).toMatchObject({ step: 'connect', turn: 'operator' });
    expect(following(not, [news({ quality: { connectionStatus: 'CONNECTED' } })]).state.facebook).toBeNull();
    // Letting it go on registers it anew.
    const resumed = following(not, [resume()]).state;
    expect(resumed.facebook).toMatchObject({ step: 'register', turn: 'facebook' });
  });

  test('released, nothing is shown of Meta any more, and it is deregistered', () => {
    const { state } = following(connected, [{ type: 'release', ...by(CUSTOMER) }]);
    expect(state).toMatchObject({ status: 'RELEASED', facebook: null, sync: null });
    expect(nextTask(state, { ...LANE, isRegistered: true })).toEqual({ do: 'deregister' });
    expect(nextTask(state, LANE)).toBeNull();
  });
});

describe('quality and limit', () => {
  const at = (ms: number) => since(ms).now;

  test('each change has its event; what is unchanged or older is nothing', () => {
    const first = news({
      source: 'poll',
      quality: { connectionStatus: 'CONNECTED', color: 'GREEN' },
      limit: { limit: 'TIER_250', scope: 'portfolio' },
    });
    const { state, events } = following(registered, [first]);
    expect(typesOf(events)).toEqual(['quality.changed', 'status.changed', 'limit.changed']);
    expect(emailsOf(events)).toEqual([]);
    expect(state.quality).toMatchObject({
      qualityRating: 'CONNECTED',
      qualityColor: 'GREEN',
      connectionStatus: 'CONNECTED',
      qualityAt: AT.now,
      qualitySource: 'poll',
      messagingLimit: 'TIER_250',
      limitScope: 'portfolio',
      limitSource: 'poll',
    });
    expect(apply(state, { ...first, operationId: 'again' } as Command, AT)).toEqual({ state, events: [] });
    const old = news({
      at: at(-1),
      quality: { connectionStatus: 'FLAGGED' },
      limit: { limit: 'TIER_50', scope: 'number' },
    });
    expect(apply(state, old, AT)).toEqual({ state, events: [] });
  });

  test('a status of a webhook does not make the colour of a reading before it old', () => {
    const { state } = following(connected, [
      news({ at: at(2000), quality: { connectionStatus: 'FLAGGED' } }),
      news({ at: at(1000), source: 'poll', quality: { connectionStatus: 'CONNECTED', color: 'YELLOW' } }),
    ]);
    expect(state.quality).toMatchObject({
      connectionStatus: 'FLAGGED',
      qualityRating: 'FLAGGED',
      qualityColor: 'YELLOW',
      qualityAt: at(2000),
    });
  });

  test.each<[string, Partial<FacebookNews>, boolean]>([
    ['GREEN to YELLOW', { quality: { color: 'YELLOW' } }, true],
    ['GREEN to UNKNOWN', { quality: { color: 'UNKNOWN' } }, false],
    ['CONNECTED to FLAGGED', { quality: { connectionStatus: 'FLAGGED' } }, true],
    ['CONNECTED to BANNED', { quality: { connectionStatus: 'BANNED' } }, true],
    ['CONNECTED to a new word', { quality: { connectionStatus: 'MOVING' } }, false],
    ['a lower limit', { limit: { limit: 'TIER_250', scope: 'portfolio' } }, true],
    ['a higher limit', { limit: { limit: 'TIER_100K', scope: 'portfolio' } }, false],
    ['the same limit for the portfolio', { limit: { limit: 'TIER_10K', scope: 'portfolio' } }, false],
  ])('%s', (_, change, isWorse) => {
    const good = following(connected, [
      news({ quality: { color: 'GREEN' }, limit: { limit: 'TIER_10K', scope: 'number' } }),
    ]).state;
    const { events } = following(good, [news({ at: at(1000), source: 'poll', ...change })]);
    expect(events).toHaveLength(1);
    expect(emailsOf(events)).toEqual(isWorse ? ['quality'] : []);
  });

  test('all that got worse at once is one email', () => {
    const { events } = following(connected, [
      news({
        source: 'poll',
        quality: { color: 'RED', connectionStatus: 'RESTRICTED' },
        limit: { limit: 'TIER_250', scope: 'number' },
      }),
    ]);
    expect(events).toHaveLength(3);
    expect(events.flatMap(({ email }) => email?.notice ?? [])).toEqual([
      {
        changes: [
          { what: 'qualityColor', from: null, to: 'RED' },
          { what: 'connectionStatus', from: 'CONNECTED', to: 'RESTRICTED' },
        ],
      },
    ]);
  });
});

describe('the profile', () => {
  const sync = (result: StepResult): Command => ({ type: 'sync', ...by(SYSTEM), result });
  const synced = following(connected, [sync(done)]).state;
  const edit = (changes: Extract<Command, { type: 'edit' }>['changes']): Command => ({
    type: 'edit',
    ...by(CUSTOMER),
    changes,
  });

  test('an edit is on its way to Meta with its own event', () => {
    const { state, events } = following(synced, [edit({ website: 'https://widgets.example' })]);
    expect(typesOf(events)).toEqual(['edited']);
    expect(state.sync).toMatchObject({ state: 'pending' });
    expect(following(state, [sync(done)]).state.sync).toMatchObject({ state: 'synced', differences: [] });
  });

  test('what only we know does not go there, nor does a number that is not at Meta', () => {
    expect(following(synced, [edit({ incomingUrl: 'https://a.example' })]).state.sync?.state).toBe('synced');
    const byHand = following(verified, [
      { type: 'decideFacebook', decision: decision({ decisionId: 'op_f' }) },
      edit({ website: 'https://widgets.example' }),
    ]).state;
    expect(byHand.sync).toBeNull();
    expect(apply(byHand, sync(done), AT)).toEqual({ refused: 'not_approved' });
  });

  test('a refusal is told once, undoes nothing, and can be resumed', () => {
    const edited = following(synced, [edit({ website: 'https://widgets.example' })]).state;
    const { state, events } = following(edited, [sync(held('customer')), sync(held('customer'))]);
    expect(typesOf(events)).toEqual(['sync.failed']);
    expect(state).toMatchObject({
      profile: { website: 'https://widgets.example' },
      sync: { state: 'failed', reason: 'Pay the bill.' },
    });
    expect(nextTask(state, LANE)).toBeNull();
    expect(nextTask(state, { ...LANE, isPushDue: true })).toEqual({ do: 'pushProfile' });
    expect(nextAlarm(state, { remindedOf: null, pushAt: 5 })).toEqual({ kind: 'push', at: 5 });
    expect(following(state, [resume()]).state.sync?.state).toBe('pending');
  });

  test('another display name is ours at once, and asked for at Meta', () => {
    const { state } = following(synced, [edit({ displayName: 'New name' }), sync(done)]);
    expect(state).toMatchObject({
      profile: { displayName: 'New name' },
      whatsappName: { name: NAME, status: 'PENDING_REVIEW', requestedName: 'New name' },
    });
  });

  test('what Meta shows otherwise is shown, and stays so until somebody has chosen', () => {
    const differences = [
      { field: 'address', theirs: '1 Long Street' },
      { field: 'website', theirs: null },
    ];
    const { state, events } = following(synced, [news({ source: 'poll', differences })]);
    expect(events).toMatchObject([{ type: 'sync.differs', data: { fields: ['address', 'website'] } }]);
    expect(state.sync).toMatchObject({ state: 'synced', differences });
    expect(following(state, [resume()]).events).toEqual([]);
    // To name the field is to choose, also where it stays as it is here.
    const { address, website } = state.profile;
    const ours = following(state, [edit({ address })]);
    expect(ours.events).toMatchObject([{ type: 'edited', data: { changes: {}, chosen: ['address'] } }]);
    expect(ours.state.sync).toMatchObject({ state: 'pending', differences: [{ field: 'website' }] });
    const pushed = following(ours.state, [sync(done)]).state;
    expect(pushed.sync).toMatchObject({ state: 'synced', differences: [{ field: 'website' }] });
    expect(following(pushed, [edit({ website }), sync(done)]).state.sync?.differences).toEqual([]);
    expect(following(pushed, [edit({ address })]).events).toEqual([]);
    // Another edit chooses nothing.
    const other = following(state, [edit({ businessDescription: 'Sells widgets' }), sync(done)]);
    expect(other.state.sync).toMatchObject({ state: 'synced', differences });
  });

  test('what has not reached Meta is no difference that anybody made', () => {
    const { state } = following(synced, [edit({ website: 'https://other.example' }), sync(held('customer'))]);
    const differences = [{ field: 'website', theirs: null }];
    expect(following(state, [news({ source: 'poll', differences })]).events).toEqual([]);
  });
});
