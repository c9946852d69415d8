/**
 * What reaches a workflow from the Temporal UI or CLI has passed no schema. These guards read raw payloads
 * into commands, or say in a sentence why not. Whatever they let through can be stored.
 */
import { BUSINESS_CATEGORIES } from '../contract/categories.ts';
import {
  CODE_METHODS,
  type CodeMethod,
  FACEBOOK_STEPS,
  FACEBOOK_TURNS,
  type FacebookNews,
  LIMIT_SCOPES,
  MESSAGING_LIMITS,
  QUALITY_COLORS,
  QUALITY_RATINGS,
  SOURCES,
  SYNC_STATES,
} from '../contract/facebook.ts';
import type { Changes, Profile } from '../contract/fields.ts';
import type { EditUpdate, NumberApprovalInput } from '../contract/messages.ts';
import {
  ACTOR_TYPES,
  type Actor,
  COMMENT_MAX,
  FIELD_NAMES,
  isPending,
  NUMBER_STATUSES,
  type PendingStatus,
} from '../contract/number.ts';
import { CONTROL, DIRECTION } from '../contract/text.ts';
import type { Answer, NewDecision, NewQuestion } from './lifecycle.ts';

/** What a payload lacks when a person sends it by hand. */
interface Defaults {
  attempt: number;
  /** Draws an id. */
  newId: () => string;
}

export type Read<T> = { value: T; problem?: never } | { problem: string; value?: never };

/** By hand, from the Temporal UI or CLI. */
const BY_HAND: Actor = { type: 'operator', id: null };

const isObject = (raw: unknown): raw is Record<string, unknown> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw);

/** PostgreSQL takes neither NUL nor half a surrogate pair. */
const storable = (text: string) => text.isWellFormed() && !text.includes('\u0000');

const isText = (raw: unknown, max: number): raw is string =>
  typeof raw === 'string' && storable(raw) && [...raw].length <= max;

const isId = (raw: unknown): raw is string => isText(raw, 255) && raw.length > 0;

function readActor(raw: unknown): Actor | null {
  if (raw === undefined || raw === null) return BY_HAND;
  if (!isObject(raw)) return null;
  const type = ACTOR_TYPES.find((known) => known === raw['type']);
  const { id = null, name } = raw;
  if (!type || !(id === null || isId(id))) return null;
  return { type, id, ...(isText(name, 200) && { name }) };
}

/** Reads what withdrawals, releases and decisions share. `problem` where it is not for this attempt. */
function readRequest(
  raw: unknown,
  idField: string,
  defaults: Defaults,
): Read<{ raw: Record<string, unknown>; id: string; by: Actor }> {
  if (!isObject(raw)) return { problem: 'not an object' };
  const id = raw[idField] ?? defaults.newId();
  const attempt = raw['attempt'] ?? defaults.attempt;
  const by = readActor(raw['by']);
  if (!isId(id)) return { problem: `${idField} is not an id` };
  if (!by) return { problem: 'by is not { type, id }' };
  if (attempt !== defaults.attempt) {
    return { problem: `it is for another attempt; this is ${defaults.attempt}` };
  }
  return { value: { raw, id, by } };
}

export function readDecision(
  raw: unknown,
  defaults: Defaults,
): Read<{ decision: NewDecision; dueAt: string | null }> {
  const request = readRequest(raw, 'decisionId', defaults);
  if (request.problem !== undefined) return request;
  const { outcome, reason = null, code = null, fields = [], dueAt } = request.value.raw;
  if (outcome !== 'approved' && outcome !== 'rejected')
    return { problem: 'outcome is not approved or rejected' };
  if (reason !== null && !isText(reason, 1000)) return { problem: 'reason is not a text of at most 1,000' };
  if (outcome === 'rejected' && !reason?.trim()) return { problem: 'a rejection needs a reason' };
  if (code !== null && !isText(code, 64)) return { problem: 'code is not a short text' };
  if (!Array.isArray(fields) || fields.length > 20 || !fields.every((field) => isText(field, 64))) {
    return { problem: 'fields is not a list of field names' };
  }
  const { id, by } = request.value;
  return {
    value: {
      decision: {
        decisionId: id,
        outcome,
        reason,
        // What the customer could make nothing of is left out. Not refused: recorded histories have such decisions.
        code: code !== null && /^[\w.-]+$/.test(code) ? code : null,
        fields: knownFields(fields),
        by,
      },
      // For the same reason: by the clock where it is no time.
      dueAt: readDueAt(dueAt) ?? null,
    },
  };
}

export function readQuestion(raw: unknown, defaults: Defaults): Read<NewQuestion> {
  const request = readRequest(raw, 'operationId', defaults);
  if (request.problem !== undefined) return request;
  const { text, fields = [], remainingMs = null } = request.value.raw;
  const dueAt = readDueAt(request.value.raw['dueAt']);
  const stage = readStage(request.value.raw['stage']);
  if (!isComment(text)) return { problem: NO_COMMENT };
  if (!Array.isArray(fields) || fields.length > 20 || !fields.every((field) => isText(field, 64))) {
    return { problem: 'fields is not a list of field names' };
  }
  if (dueAt === undefined) return { problem: NO_DUE_TIME };
  if (stage === undefined) return { problem: 'stage is not a pending status' };
  if (!isNullOr(isTimeLeft)(remainingMs)) return { problem: 'remainingMs is not a number of milliseconds' };
  const { id: operationId, by } = request.value;
  return {
    value: {
      operationId,
      by,
      stage,
      text,
      fields: knownFields(fields),
      dueAt,
      remainingMs: remainingMs as number | null,
    },
  };
}

export function readAnswer(raw: unknown, defaults: Defaults): Read<Answer> {
  const request = readRequest(raw, 'operationId', defaults);
  if (request.problem !== undefined) return request;
  const { text, question = null } = request.value.raw;
  const dueAt = readDueAt(request.value.raw['dueAt']);
  if (!isComment(text)) return { problem: NO_COMMENT };
  if (question !== null && !isId(question)) return { problem: 'question is not an id' };
  if (dueAt === undefined) return { problem: NO_DUE_TIME };
  return { value: { operationId: request.value.id, by: request.value.by, question, text, dueAt } };
}

const NO_COMMENT = `text is not a text of 1 to ${COMMENT_MAX} characters`;
const NO_DUE_TIME = 'dueAt is not a time like 2026-11-23T08:00:00Z';

const isComment = (raw: unknown): raw is string => isText(raw, COMMENT_MAX) && raw.trim() !== '';

const knownFields = (fields: string[]) =>
  fields.filter((field) => FIELD_NAMES.some((name) => name === field));

/** A due time as states have it; undefined where it is none. Of this century: databases know not all of JavaScript's. */
function readDueAt(raw: unknown): string | null | undefined {
  if (raw === undefined || raw === null) return null;
  return isTime(raw) && /^20\d\d-\d\d-\d\dT/.test(raw) ? new Date(raw).toISOString() : undefined;
}

/** The stage that the sender saw; null where none is named, undefined where it is none. */
function readStage(raw: unknown): PendingStatus | null | undefined {
  if (raw === undefined || raw === null) return null;
  return NUMBER_STATUSES.filter(isPending).find((status) => status === raw);
}

export function readWithdrawal(
  raw: unknown,
  defaults: Defaults,
): Read<{ operationId: string; by: Actor; stage: PendingStatus | null; accountClosed: boolean }> {
  const request = readRequest(raw ?? {}, 'operationId', defaults);
  if (request.problem !== undefined) return request;
  const stage = readStage(request.value.raw['stage']);
  if (stage === undefined) return { problem: 'stage is not a pending status' };
  return { value: { operationId: request.value.id, by: request.value.by, stage, ...closing(request.value) } };
}

export function readRelease(
  raw: unknown,
  defaults: Defaults,
): Read<{ operationId: string; by: Actor; accountClosed: boolean }> {
  const request = readRequest(raw ?? {}, 'operationId', defaults);
  return request.problem !== undefined
    ? request
    : { value: { operationId: request.value.id, by: request.value.by, ...closing(request.value) } };
}

const closing = ({ raw }: { raw: Record<string, unknown> }) => ({
  accountClosed: raw['accountClosed'] === true,
});

/** What was heard of a number, from the webhook, from a reading or by hand. */
export function readNews(
  raw: unknown,
  { newId }: Pick<Defaults, 'newId'>,
): Read<{ operationId: string; news: Omit<FacebookNews, 'operationId'> }> {
  if (!isObject(raw)) return { problem: 'not an object' };
  const { operationId = newId(), source, at, name, quality, limit, differences, undecided } = raw;
  if (!isId(operationId)) return { problem: 'operationId is not an id' };
  if (!isOneOf(SOURCES)(source)) return { problem: 'source is not webhook or poll' };
  const learntAt = readDueAt(at);
  if (!learntAt) return { problem: 'at is not a time like 2026-11-23T08:00:00Z' };
  if (name !== undefined && !isNameNews(name))
    return { problem: 'name is not { status, requestedName, reason }' };
  if (quality !== undefined && !isQualityNews(quality))
    return { problem: 'quality is not { connectionStatus, color }' };
  if (limit !== undefined && !isLimitNews(limit)) return { problem: 'limit is not { limit, scope }' };
  if (differences !== undefined && !isDifferences(differences))
    return { problem: 'differences is not a list of { field, theirs }' };
  const heard = { name, quality, limit, differences } as Partial<FacebookNews>;
  return {
    value: {
      operationId,
      news: {
        source: source as FacebookNews['source'],
        at: learntAt,
        ...Object.fromEntries(Object.entries(heard).filter(([, part]) => part !== undefined)),
        ...(undecided === true && { undecided }),
      },
    },
  };
}

/** Names of Meta's may be longer than ours. */
const isNameText = (raw: unknown) => isText(raw, 512);
const isWord = (raw: unknown) => isText(raw, 64) && raw.length > 0;
const isLeftOutOr = (check: (raw: unknown) => boolean) => (raw: unknown) => raw === undefined || check(raw);
const isOneOf = (known: readonly string[]) => (raw: unknown) => known.some((one) => one === raw);

const isNameNews = (raw: unknown) =>
  isObject(raw) &&
  isWord(raw['status']) &&
  isLeftOutOr(isNameText)(raw['name']) &&
  isNullOr(isNameText)(raw['requestedName']) &&
  isNullOr((text) => isText(text, 1000))(raw['reason']) &&
  isNullOr(isCode)(raw['code'] ?? null);
const isCode = (raw: unknown) => isText(raw, 64) && /^[\w.-]+$/.test(raw);
const isQualityNews = (raw: unknown) =>
  isObject(raw) &&
  isLeftOutOr(isWord)(raw['connectionStatus']) &&
  isLeftOutOr(isOneOf(QUALITY_COLORS))(raw['color']);
const isLimitNews = (raw: unknown) =>
  isObject(raw) && isOneOf(MESSAGING_LIMITS)(raw['limit']) && isOneOf(LIMIT_SCOPES)(raw['scope']);
const isDifferences = (raw: unknown) =>
  isListOf(
    raw,
    (one) => isObject(one) && isWord(one['field']) && isNullOr((text) => isText(text, 4_096))(one['theirs']),
  );

export function readCode(raw: unknown, defaults: Defaults): Read<{ operationId: string; by: Actor }> {
  const request = readRequest(raw ?? {}, 'operationId', defaults);
  return request.problem !== undefined
    ? request
    : { value: { operationId: request.value.id, by: request.value.by } };
}

export function readResumption(
  raw: unknown,
  defaults: Defaults,
): Read<{ operationId: string; by: Actor; method?: CodeMethod }> {
  const request = readRequest(raw ?? {}, 'operationId', defaults);
  if (request.problem !== undefined) return request;
  const { method } = request.value.raw;
  const known = CODE_METHODS.find((one) => one === method);
  if (method !== undefined && !known) return { problem: 'method is not SMS or VOICE' };
  return {
    value: { operationId: request.value.id, by: request.value.by, ...(known && { method: known }) },
  };
}

const isName = (text: string) => !CONTROL.test(text) && !DIRECTION.test(text);
const isUrl = (text: string) => /^https?:\/\/[^\s/?#@\\]+([/?#][^\s\\]*)?$/i.test(text);
const isAddress = (text: string) => /^[^\s@<>,;]+@[^\s@<>,;]+$/.test(text);

/** Shortest and longest text of each profile field, in characters, and its form where it has one. */
const PROFILE: Record<keyof Profile, { min: number; max: number; form?: (text: string) => boolean }> = {
  displayName: { min: 2, max: 75, form: isName },
  incomingUrl: { min: 0, max: 2048, form: isUrl },
  callbackProfileId: { min: 0, max: 64, form: (text) => /^cbp_[0-9a-f]{32}$/.test(text) },
  imageId: { min: 0, max: 64, form: (text) => /^img_[0-9a-f]{32}$/.test(text) },
  address: { min: 0, max: 256 },
  businessDescription: { min: 0, max: 256 },
  businessCategory: { min: 1, max: 64 },
  contactEmail: { min: 0, max: 128, form: isAddress },
  website: { min: 0, max: 256, form: isUrl },
};

/**
 * `strict`: also the form of URLs, addresses and names. For validators, which replay does not run: a handler that
 * became stricter would no longer do what histories say that it did.
 */
export function readEdit(raw: unknown, { strict = false } = {}): Read<EditUpdate> {
  if (!isObject(raw) || !isObject(raw['changes'])) return { problem: 'send { "changes": { … } }' };
  const by = readActor(raw['by']);
  if (!by) return { problem: 'by is not { type, id }' };
  const expected = raw['expectedRevision'];
  if (expected !== undefined && !Number.isInteger(expected))
    return { problem: 'expectedRevision is not a number' };
  const changes: Record<string, string | null> = {};
  for (const [field, given] of Object.entries(raw['changes'])) {
    const rule = Object.hasOwn(PROFILE, field) ? PROFILE[field as keyof typeof PROFILE] : undefined;
    // Not by its name: that is whatever was sent, and as long.
    if (!rule) return { problem: `a field is none of ${Object.keys(PROFILE).join(', ')}` };
    const value = given === '' ? null : given;
    if (value !== null && !isText(value, rule.max))
      return { problem: `${field} is not a text of at most ${rule.max} characters` };
    if ([...(value ?? '')].length < rule.min)
      return { problem: `${field} needs at least ${rule.min} characters` };
    if (strict && value !== null && rule.form && !rule.form(value))
      return { problem: `${field} is not of its form` };
    if (field === 'businessCategory' && !Object.hasOwn(BUSINESS_CATEGORIES, value ?? '')) {
      return { problem: `${field} is not a known category` };
    }
    changes[field] = value;
  }
  return {
    value: {
      ...(expected === undefined ? {} : { expectedRevision: expected as number }),
      changes: changes as Changes,
      by,
    },
  };
}

/** Whether a start input is one of ours: a workflow started by hand with junk must fail, not hang. */
export function isApprovalInput(raw: unknown): raw is NumberApprovalInput {
  if (!isObject(raw) || !isObject(raw['settings'])) return false;
  const { numberId, accountId, mobileNumber, settings, state, maxHistory, carried } = raw;
  const { facebookDueMs, replyDueMs, approvalsNeeded, meta } = settings;
  return (
    [numberId, accountId, mobileNumber].every(isId) &&
    isDuration(facebookDueMs) &&
    (replyDueMs === undefined || isDuration(replyDueMs)) &&
    (approvalsNeeded === undefined || approvalsNeeded === 1 || approvalsNeeded === 2) &&
    (meta === undefined || typeof meta === 'boolean') &&
    (maxHistory === undefined || isCount(maxHistory)) &&
    // Whoever sends an update by hand may give it any id.
    (carried === undefined || (isObject(carried) && isListOf(carried['appliedEdits'], isString))) &&
    isState(state)
  );
}

const YEAR_MS = 366 * 24 * 3_600_000;

const isString = (raw: unknown) => typeof raw === 'string';
const isDuration = (raw: unknown) => typeof raw === 'number' && raw >= 0 && raw <= YEAR_MS;
/** Until a due time that was sent by hand: that may be any of this century. */
const isTimeLeft = (raw: unknown) => typeof raw === 'number' && raw >= 0 && raw <= 100 * YEAR_MS;
const isCount = (raw: unknown) => Number.isSafeInteger(raw) && (raw as number) >= 0;
const isTime = (raw: unknown): raw is string => isText(raw, 64) && !Number.isNaN(Date.parse(raw));
const isNullOr = (check: (raw: unknown) => boolean) => (raw: unknown) => raw === null || check(raw);
const isListOf = (raw: unknown, check: (raw: unknown) => boolean) => Array.isArray(raw) && raw.every(check);
const isActor = (raw: unknown) => isObject(raw) && readActor(raw) !== null;

function isState(raw: unknown): boolean {
  if (!isObject(raw) || !isObject(raw['profile'])) return false;
  const { profile } = raw;
  return (
    NUMBER_STATUSES.some((status) => status === raw['status']) &&
    ['attempt', 'revision'].every((field) => isCount(raw[field])) &&
    ['submittedAt', 'updatedAt'].every((field) => isTime(raw[field])) &&
    ['waitingSince', 'dueAt', 'decidedAt'].every((field) => isNullOr(isTime)(raw[field])) &&
    ['verification', 'facebookDecision'].every((field) => isNullOr(isDecision)(raw[field])) &&
    isNullOr(isEnding)(raw['ending']) &&
    // Not in what earlier releases wrote.
    isListOf(raw['approvals'] ?? [], isDecision) &&
    isNullOr(isQuestion)(raw['question'] ?? null) &&
    isNullOr(isProgress)(raw['facebook'] ?? null) &&
    isNullOr(isWhatsappName)(raw['whatsappName'] ?? null) &&
    isNullOr(isSync)(raw['sync'] ?? null) &&
    isLeftOutOr(isQuality)(raw['quality']) &&
    typeof profile['displayName'] === 'string' &&
    Object.values(profile).every(isNullOr((value) => isText(value, 4_096)))
  );
}

function isDecision(raw: unknown): boolean {
  if (!isObject(raw)) return false;
  const { decisionId, outcome, reason, code, fields, by, at } = raw;
  return (
    isId(decisionId) &&
    (outcome === 'approved' || outcome === 'rejected') &&
    isNullOr((text) => isText(text, 4_096))(reason) &&
    isNullOr((text) => isText(text, 64))(code) &&
    isListOf(fields, (field) => isText(field, 64)) &&
    isActor(by) &&
    isTime(at)
  );
}

const isQuestion = (raw: unknown) =>
  isObject(raw) &&
  isId(raw['operationId']) &&
  isComment(raw['text']) &&
  isListOf(raw['fields'], (field) => isText(field, 64)) &&
  isTime(raw['at']) &&
  isActor(raw['by']) &&
  isTimeLeft(raw['remainingMs']);
const isProgress = (raw: unknown) =>
  isObject(raw) &&
  isOneOf(FACEBOOK_STEPS)(raw['step']) &&
  isOneOf(FACEBOOK_TURNS)(raw['turn']) &&
  isTime(raw['since']) &&
  isNullOr(isOneOf(CODE_METHODS))(raw['codeMethod']) &&
  isNullOr(isProblem)(raw['problem']);
const isProblem = (raw: unknown) =>
  isObject(raw) &&
  isText(raw['message'], 4_096) &&
  [raw['code'], raw['subcode']].every(isNullOr((code) => Number.isSafeInteger(code))) &&
  isNullOr((text) => isText(text, 255))(raw['fbtraceId']) &&
  isNullOr(isTime)(raw['until']);
const isWhatsappName = (raw: unknown) =>
  isObject(raw) && isNameNews({ ...raw, name: raw['name'] ?? undefined }) && isTime(raw['at']);
const isSync = (raw: unknown) =>
  isObject(raw) &&
  isOneOf(SYNC_STATES)(raw['state']) &&
  isNullOr((text) => isText(text, 4_096))(raw['reason']) &&
  isTime(raw['at']) &&
  isDifferences(raw['differences']);
const isQuality = (raw: unknown) =>
  isObject(raw) &&
  isNullOr(isOneOf(QUALITY_RATINGS))(raw['qualityRating']) &&
  isNullOr(isOneOf(QUALITY_COLORS))(raw['qualityColor']) &&
  isNullOr(isWord)(raw['connectionStatus']) &&
  isNullOr(isOneOf(MESSAGING_LIMITS))(raw['messagingLimit']) &&
  isNullOr(isOneOf(LIMIT_SCOPES))(raw['limitScope']) &&
  [raw['qualityAt'], raw['limitAt']].every(isNullOr(isTime)) &&
  [raw['qualitySource'], raw['limitSource']].every(isNullOr(isOneOf(SOURCES)));
const isEnding = (raw: unknown) =>
  isObject(raw) && isId(raw['operationId']) && isActor(raw['by']) && isTime(raw['at']);
