/** What was heard of a number from Meta, as changes of its state: an event for each kind that really changed. Pure. */
import {
  type FacebookProgress,
  isNameApproved,
  isUnshown,
  type LimitScope,
  MESSAGING_LIMITS,
  QUALITY_COLORS,
  QUALITY_RATINGS,
  type Quality,
  type WhatsappName,
} from '../contract/facebook.ts';
import {
  type EventType,
  isLive,
  type NumberEvent,
  type NumberState,
  type QualityChange,
} from '../contract/number.ts';
import { connecting, decideByName, FACEBOOK, isSameName, registering } from './at-facebook.ts';
import type { Circumstances, Command, Outcome } from './lifecycle.ts';
import { inTurn, step, type Transition } from './transition.ts';

type Hearing = Command & { type: 'facebookNews' };
type News = Hearing['news'];

export function hear(state: NumberState, command: Hearing, at: Circumstances): Outcome {
  if (!isLive(state.status)) return { refused: 'not_pending' };
  const { news, operationId } = command;
  const changes = changesOf(state.quality, news);
  const worse = changes.filter(isWorse).map(({ what, from, to }) => ({ what, from, to }));
  /** One email of all that got worse, with the first of them. */
  const mailOf = ({ what }: Heard): NumberEvent['email'] =>
    worse[0]?.what === what ? { kind: 'quality', rejection: null, notice: { changes: worse } } : null;
  return inTurn(
    state,
    (next) => hearName(next, command, at),
    ...changes.map(
      (change) => (next: NumberState) => changeQuality(next, change, command, mailOf(change), at),
    ),
    (next) => hearDifferences(next, command, at),
    (next) => decideByName(next, operationId, at),
    (next) => giveUpOnName(next, command, at),
  );
}

const NO_REASON = 'Meta declined the name and did not say why.';

function hearName(state: NumberState, { news, operationId }: Hearing, at: Circumstances): Transition {
  const known = state.whatsappName;
  const heard = news.name;
  if (!heard || (known !== null && news.at < known.at)) return { state, events: [] };
  const { status } = heard;
  const isApproved = isNameApproved(status);
  const declined = status === 'DECLINED';
  const shown = shownName(known, news);
  const isThere = isApproved && isSameName(shown, heard.requestedName);
  const name: WhatsappName = {
    name: shown,
    status,
    requestedName: isThere ? null : heard.requestedName,
    ...(known?.isChange && !isThere && { isChange: true }),
    reason: declined ? (heard.reason ?? NO_REASON) : null,
    code: declined ? (heard.code ?? null) : null,
    at: news.at,
  };
  // Why it was declined, only a webhook says: a reading does not take that back.
  if (known?.status === status && known.name === name.name && known.requestedName === name.requestedName) {
    return { state, events: [] };
  }
  return step(
    { ...state, whatsappName: name, facebook: renamed(state, name, at), updatedAt: at.now },
    'name.changed',
    { operationId, by: FACEBOOK },
    state.status === 'APPROVED' && declined && heard.requestedName !== null
      ? {
          kind: 'name-declined',
          rejection: null,
          notice: { declined: heard.requestedName, reason: name.reason ?? NO_REASON, shown },
        }
      : null,
    { name: shown, status, requestedName: name.requestedName, reason: name.reason },
  );
}

/** A reading tells what is shown; a webhook only what was decided: the first name is shown with its approval. */
function shownName(known: WhatsappName | null, { name: heard, source }: News): string | null {
  const { status = '', requestedName = null } = heard ?? {};
  const before = known?.name ?? null;
  const isApproved = isNameApproved(status);
  if (source === 'poll') {
    return heard?.name ?? (isApproved && isSameName(before, requestedName) ? null : before);
  }
  const isFirst = before === null && !known?.isChange;
  return isApproved && (isFirst || isSameName(before, requestedName)) ? requestedName : before;
}

/**
 * An approved name that is not shown has the number registered anew, and Facebook's decision counts after that. Before
 * the first registration nothing is left to do: that one shows it.
 */
function renamed(
  { facebook, status, whatsappName: known }: NumberState,
  name: WhatsappName,
  at: Circumstances,
): FacebookProgress | null {
  // Approved in another word: it is registered anew once.
  const isKnown = isUnshown(known) && isSameName(known?.requestedName ?? null, name.requestedName);
  if (!isUnshown(name) || isKnown) return facebook;
  if (facebook === null) return status === 'APPROVED' ? registering(null, at.now) : null;
  switch (facebook.step) {
    case 'add':
    case 'code':
      return facebook;
    case 'register':
      // What is under way may have come before the approval.
      return { ...facebook, since: at.now };
    case 'name':
    case 'connect':
      return registering(facebook.codeMethod, at.now);
  }
}

/** Each has an event of its own. `from`: null for what was not known. */
type Heard = QualityChange & { scope?: LimitScope };

const EVENTS: Record<Heard['what'], EventType> = {
  qualityColor: 'quality.changed',
  connectionStatus: 'status.changed',
  messagingLimit: 'limit.changed',
};

/** What is new of quality and limit. What is older than what is known says nothing. */
function changesOf(known: Quality, { at, quality, limit }: News): Heard[] {
  const isOld = isBefore(at, known.qualityAt);
  const changes: Heard[] = [];
  // Only readings tell the colour, one after the other: what a webhook said since is of something else.
  if (quality?.color && !(isOld && known.qualitySource === 'poll'))
    changes.push({ what: 'qualityColor', from: known.qualityColor, to: quality.color });
  if (quality?.connectionStatus && !isOld)
    changes.push({ what: 'connectionStatus', from: known.connectionStatus, to: quality.connectionStatus });
  if (limit && !isBefore(at, known.limitAt))
    changes.push({ what: 'messagingLimit', from: known.messagingLimit, to: limit.limit, scope: limit.scope });
  // Old webhooks name a number's limit, which is the portfolio's today: that takes nothing back.
  return changes.filter(
    ({ from, to, scope }) => from !== to || (scope === 'portfolio' && known.limitScope !== 'portfolio'),
  );
}

function changeQuality(
  state: NumberState,
  change: Heard,
  { news, operationId }: Hearing,
  email: NumberEvent['email'],
  at: Circumstances,
): Transition {
  const { what, ...data } = change;
  const next = { ...state, quality: withChange(state.quality, change, news), updatedAt: at.now };
  const facebook = state.facebook?.step === 'connect' ? connecting(next, at.now) : state.facebook;
  return step({ ...next, facebook }, EVENTS[what], { operationId, by: FACEBOOK }, email, data);
}

function withChange(known: Quality, { what, to, scope }: Heard, { at, source }: News): Quality {
  if (what === 'messagingLimit') {
    const messagingLimit = MESSAGING_LIMITS.find((limit) => limit === to) ?? null;
    return { ...known, messagingLimit, limitScope: scope ?? null, limitAt: at, limitSource: source };
  }
  const learnt = isBefore(at, known.qualityAt) ? {} : { qualityAt: at, qualitySource: source };
  if (what === 'qualityColor') {
    const qualityColor = QUALITY_COLORS.find((color) => color === to) ?? null;
    return { ...known, ...learnt, qualityColor };
  }
  const qualityRating = QUALITY_RATINGS.find((rating) => rating === to) ?? null;
  return { ...known, ...learnt, connectionStatus: to, qualityRating };
}

/** From well to bad. What is not among these is neither, and what was not known counts as well. */
const RANKS: Record<Heard['what'], string[][]> = {
  qualityColor: [['GREEN'], ['YELLOW'], ['RED']],
  connectionStatus: [
    ['CONNECTED'],
    ['FLAGGED', 'RATE_LIMITED'],
    ['RESTRICTED'],
    ['DISCONNECTED', 'BANNED', 'DELETED'],
  ],
  messagingLimit: MESSAGING_LIMITS.toReversed().map((limit) => [limit]),
};

function isWorse({ what, from, to }: Heard): boolean {
  const rank = (value: string | null) => RANKS[what].findIndex((values) => values.includes(value ?? ''));
  // A first limit is low and no worse than none.
  if (what === 'messagingLimit' && from === null) return false;
  return rank(to) > Math.max(rank(from), 0);
}

/** Which fields Meta shows otherwise. While ours have not arrived there, that says nothing. */
function hearDifferences(state: NumberState, { news, operationId }: Hearing, at: Circumstances): Transition {
  const { differences } = news;
  const { sync } = state;
  const isKnown = JSON.stringify(differences) === JSON.stringify(sync?.differences);
  if (!differences || sync?.state !== 'synced' || isKnown || isBefore(news.at, sync.at)) {
    return { state, events: [] };
  }
  const next = { ...state, sync: { ...sync, differences, at: news.at }, updatedAt: at.now };
  const fields = differences.map(({ field }) => field);
  return step(next, 'sync.differs', { operationId, by: FACEBOOK }, null, { fields });
}

/** A name that Facebook leaves undecided though the number is connected, support decides on. */
function giveUpOnName(state: NumberState, { news, operationId }: Hearing, at: Circumstances): Transition {
  const { facebook, status } = state;
  const waits = status === 'PENDING_FACEBOOK_APPROVAL' && facebook?.step === 'name';
  if (!news.undecided || !waits || facebook.turn !== 'facebook') return { state, events: [] };
  const message = 'Meta has connected the number and not decided on its name: support decides.';
  const problem = { message, code: null, subcode: null, fbtraceId: null, until: null };
  return step(
    { ...state, facebook: { ...facebook, turn: 'support', problem }, updatedAt: at.now },
    'facebook.problem',
    { operationId, by: { type: 'system', id: null } },
    null,
    { step: facebook.step, turn: 'support', message, code: null },
  );
}

const isBefore = (one: string, other: string | null) => other !== null && one < other;
