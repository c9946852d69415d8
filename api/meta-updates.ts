/**
 * Cuts a webhook of Meta into single updates: each message, each status and each other change. Nothing is refused: what
 * has another form than documented is forwarded where it names a number, and kept as a change otherwise.
 */
import type { MessageStatus } from '../contract/callback-profiles.ts';
import { conversationOf, keyOf } from '../db/own-events.ts';
import type { Update } from '../db/updates.ts';
import { isWorkedOff } from '../meta/told.ts';
import { stringify, textOf } from './exact-json.ts';

type Json = Record<string, unknown>;

/** Where an update is from: what all of one `value` have in common. */
interface Source {
  wabaId: string;
  field: string;
  /** Meta's time of the entry. */
  time: unknown;
  digits: string | null;
  phoneNumberId: string | null;
}

/** Of a word of Meta's: longer than any it has, short enough for an index. */
const WORD = 200;
/** Times outside are taken for none: 2009, when WhatsApp began, and a day from now. */
const EARLIEST = Date.UTC(2009, 0);
const DAY_MS = 24 * 3_600_000;

export function updatesOf(body: unknown, now = new Date()): Update[] {
  const { entry } = objectOf(body);
  if (!Array.isArray(entry)) return [changeUpdate(sourceOf({}, 'unknown', {}), body, now)];
  return entry.flatMap((one: unknown) => {
    const { changes } = objectOf(one);
    if (!Array.isArray(changes)) return [changeUpdate(sourceOf(objectOf(one), 'unknown', {}), one, now)];
    return changes.flatMap((change: unknown) => {
      const { field, value } = objectOf(change);
      const source = sourceOf(objectOf(one), field, objectOf(value));
      const messages = updatesOfMessages(source, objectOf(value), now);
      return messages.length > 0 ? messages : [changeUpdate(source, value ?? null, now)];
    });
  });
}

function sourceOf({ id, time }: Json, field: unknown, value: Json): Source {
  const { display_phone_number: inMetadata, phone_number_id: phoneNumberId } = objectOf(value['metadata']);
  const digits = wordOf(inMetadata ?? value['display_phone_number']).replaceAll(/\D/g, '');
  return {
    wabaId: wordOf(id),
    field: wordOf(field),
    time,
    digits: digits || null,
    phoneNumberId: wordOf(phoneNumberId) || null,
  };
}

/** None for a value that has neither messages nor statuses. */
function updatesOfMessages(source: Source, value: Json, now: Date): Update[] {
  if (source.field !== 'messages') return [];
  const contactOf = contactsOf(value);
  return [
    ...arrayOf(value['messages']).map((message) => {
      const content = cut(value, 'messages', message, contactOf(message));
      return messageUpdate(source, objectOf(message), content, now);
    }),
    ...arrayOf(value['statuses']).map((status) => {
      const content = cut(value, 'statuses', status, contactOf(status));
      return statusUpdate(source, status, content, now);
    }),
  ];
}

function messageUpdate(source: Source, message: Json, content: string, now: Date): Update {
  const { id, from, from_user_id: userId, timestamp } = message;
  const number = source.digits ?? source.phoneNumberId ?? '';
  return {
    ...updateOf(source, content),
    type: 'message.received',
    key: keyOf('message', source.wabaId, number, textOf(id) || content),
    at: timeOf(timestamp, source.time) ?? now,
    conversation: conversationOf(number, wordOf(from ?? userId)),
  };
}

function statusUpdate(source: Source, told: unknown, content: string, now: Date): Update {
  const { status, timestamp, recipient_id: recipient, recipient_user_id: userId } = objectOf(told);
  const number = source.digits ?? source.phoneNumberId ?? '';
  return {
    ...updateOf(source, content),
    type: 'message.status',
    // All of it: in a group each participant has one, with the same id and in the same second.
    key: keyOf('status', source.wabaId, number, stringify(told)),
    at: timeOf(timestamp, source.time) ?? now,
    status: wordOf(status) as MessageStatus,
    conversation: conversationOf(number, wordOf(recipient ?? userId)),
  };
}

/** What we work off ourselves, or what is about no number; anything else is for the customer. */
function changeUpdate(source: Source, value: unknown, now: Date): Update {
  const content = stringify(value);
  const { wabaId, field, time } = source;
  const number = source.digits ?? source.phoneNumberId;
  const told = { key: keyOf('change', wabaId, field, wordOf(time), content), at: timeOf(time) ?? now };
  if (number === null || isWorkedOff(field))
    return { ...updateOf(source, content), ...told, type: 'change', conversation: 0n };
  return {
    ...updateOf(source, stringify({ field, meta: value })),
    ...told,
    type: 'meta.update',
    conversation: conversationOf(number, field),
  };
}

const updateOf = ({ wabaId, field, digits, phoneNumberId }: Source, content: string) => ({
  wabaId,
  field,
  digits,
  phoneNumberId,
  status: null,
  content,
});

/** The value with one message, or one status, of all that it has; what else is in it stays, in its order. */
function cut(value: Json, list: 'messages' | 'statuses', only: unknown, contacts: unknown[]): string {
  const members = Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    if (name === list) return [[name, [only]]];
    if (name === 'messages' || name === 'statuses') return [];
    return [[name, name === 'contacts' ? contacts : member]];
  });
  return stringify(Object.fromEntries(members));
}

/** Those of the contacts that a message or status is about. The only one always is; none of many that cannot be told apart. */
function contactsOf(value: Json): (about: unknown) => unknown[] {
  const contacts = arrayOf(value['contacts']);
  if (contacts.length <= 1) return () => contacts;
  const known = new Map<unknown, unknown>();
  for (const contact of contacts) {
    const { wa_id: waId, user_id: userId } = objectOf(contact);
    for (const id of [waId, userId]) if (id !== undefined) known.set(id, contact);
  }
  return (about) => {
    const one = objectOf(about);
    const ids = ['from', 'from_user_id', 'recipient_id', 'recipient_user_id'].map((name) => one[name]);
    const id = ids.find((id) => id !== undefined && known.has(id));
    return id === undefined ? [] : [known.get(id)];
  };
}

/** Seconds since 1970, as text or number; some tell milliseconds. */
function timeOf(...given: unknown[]): Date | null {
  for (const one of given) {
    const seconds = Number(textOf(one) || Number.NaN);
    const time = seconds > 1e11 ? seconds : seconds * 1_000;
    if (time >= EARLIEST && time <= Date.now() + DAY_MS) return new Date(Math.trunc(time));
  }
  return null;
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function arrayOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** PostgreSQL takes no NUL. */
function wordOf(value: unknown): string {
  return textOf(value).replaceAll('\0', '').slice(0, WORD);
}
