/** What a change that Meta tells of by webhook means, and for whom. Pure. A field that is not known here means nothing. */
import type { FacebookNews } from '../contract/facebook.ts';
import { capabilityUpdate, nameUpdate, qualityUpdate } from './translate.ts';

type News = Pick<FacebookNews, 'name' | 'quality' | 'limit'>;

export interface Meaning {
  /** News of the number that the change names. */
  news?: News;
  /** A limit that all numbers of the account share. */
  shared?: NonNullable<FacebookNews['limit']>;
  /** What people have to know of. */
  notice?: Notice;
  /** What is read at Meta soon, because the change does not say all that it changes. */
  read?: 'number' | 'account';
}

export interface Notice {
  /** What has happened: a sentence without its full stop. */
  heading: string;
  /** What Meta adds to it, by its own words; empty where nothing. */
  details: string[];
  /** What to do. */
  advice: string;
}

type Value = Record<string, unknown>;

const MEANINGS: Record<string, (value: Value) => Meaning> = {
  phone_number_name_update: (value) => ({ news: nameUpdate(value), read: 'number' }),
  // It never carries the colour.
  phone_number_quality_update: (value) => ({ news: qualityUpdate(value), read: 'number' }),
  business_capability_update: (value) => {
    const { limit } = capabilityUpdate(value);
    return limit ? { shared: limit } : {};
  },
  account_update: accountUpdate,
  account_review_update: (value) =>
    value['decision'] === 'REJECTED' ? { notice: REVIEW_REJECTED, read: 'account' } : {},
  account_alerts: accountAlert,
  security: securityEvent,
};

/** Whether we hear this field ourselves: then customers are told what it means, and not as it is. */
export const isWorkedOff = (field: string): boolean => Object.hasOwn(MEANINGS, field);

export function meaningOfChange(field: string, value: unknown): Meaning {
  const known = among(MEANINGS, field);
  return known && isObject(value) ? known(value) : {};
}

const APPEAL = 'Look into WhatsApp Manager, under Account quality, and appeal there if it is a mistake.';
const REVIEW_REJECTED: Notice = {
  heading: 'Meta has rejected the WhatsApp Business Account in its review',
  details: [],
  advice: APPEAL,
};

/** By `event`. What is not among these asks nothing of anybody. */
const ACCOUNT_EVENTS: Record<string, (value: Value) => Notice | null> = {
  ACCOUNT_RESTRICTION: (value) => ({
    heading: 'Meta has restricted the WhatsApp Business Account',
    details: listOf(value['restriction_info']).map(restriction).filter(Boolean).slice(0, MOST),
    advice: APPEAL,
  }),
  ACCOUNT_VIOLATION: (value) => ({
    heading: 'Meta says that the WhatsApp Business Account has violated its policy',
    details: words(objectOf(value['violation_info'])['violation_type']),
    advice: `${APPEAL} Restrictions follow where it goes on.`,
  }),
  DISABLED_UPDATE: banned,
  PARTNER_REMOVED: (value) => ({
    heading: 'Access to the WhatsApp Business Account, or to a number of it, was taken away',
    details: words(
      objectOf(value['disconnection_info'])['reason'],
      objectOf(value['disconnection_info'])['initiated_by'],
    ),
    advice:
      'Give access again in Meta Business Suite, and send the connection anew if its token was revoked.',
  }),
  ACCOUNT_DELETED: () => ({
    heading: 'The WhatsApp Business Account was deleted',
    details: [],
    advice: 'Its numbers do not work any more. Connect another account and submit them again.',
  }),
  ACCOUNT_OFFBOARDED: () => ({
    heading: 'The WhatsApp Business Account was taken off the platform',
    details: [],
    advice: 'Its numbers neither send nor receive until it is connected again in WhatsApp Manager.',
  }),
};

function accountUpdate(value: Value): Meaning {
  const { event } = value;
  const notice = among(ACCOUNT_EVENTS, event)?.(value);
  if (notice) return { notice, read: 'account' };
  const isBack = event === 'ACCOUNT_RECONNECTED' || event === 'DISABLED_UPDATE';
  return isBack ? { read: 'account' } : {};
}

const BANS: Record<string, string> = {
  DISABLE: 'Meta has disabled the WhatsApp Business Account',
  SCHEDULE_FOR_DISABLE: 'Meta will disable the WhatsApp Business Account',
};

/** Null where the account is given back. */
function banned({ ban_info: info }: Value): Notice | null {
  const { waba_ban_state: state, waba_ban_date: date } = objectOf(info);
  const heading = among(BANS, state);
  return heading === undefined ? null : { heading, details: words(date), advice: APPEAL };
}

/** `expiration` is in seconds since 1970. */
function restriction(info: Value): string {
  const { restriction_type: type, expiration, remediation } = info;
  const until = Number(expiration) > 0 ? new Date(Number(expiration) * 1000) : null;
  const isDate = until !== null && !Number.isNaN(until.getTime());
  return [...words(type), ...(isDate ? [`until ${until.toISOString()}`] : []), ...words(remediation)].join(
    ', ',
  );
}

/** What is for information only asks nothing of anybody. */
function accountAlert(value: Value): Meaning {
  const {
    alert_severity: severity,
    alert_status: status,
    alert_type: type,
    alert_description: description,
  } = { ...value, ...objectOf(value['alert_info']) };
  if (status === 'NONE' || (severity !== 'CRITICAL' && severity !== 'WARNING')) return {};
  return {
    notice: {
      heading: 'Meta has an alert about the WhatsApp Business Account',
      details: words(severity, type, description),
      advice: 'Look into WhatsApp Manager, where it says what to do.',
    },
    read: 'account',
  };
}

const SECURITY_EVENTS: Record<string, string> = {
  PIN_CHANGED: 'The PIN of two-step verification of a number was changed',
  PIN_RESET_REQUEST: 'Somebody asks to reset the PIN of two-step verification of a number',
  PIN_RESET_SUCCESS: 'The PIN of two-step verification of a number was reset',
};

function securityEvent(value: Value): Meaning {
  const heading = among(SECURITY_EVENTS, value['event']);
  if (heading === undefined) return {};
  return {
    notice: {
      heading,
      details: words(value['requester']),
      advice:
        'If nobody of yours did it, secure the account in Meta Business Suite. With another PIN the number cannot be registered again here until two-step verification is turned off in WhatsApp Manager.',
    },
  };
}

/** Characters of a text, and how many are told. */
const LONGEST = 300;
const MOST = 20;

/** What of these is a text. */
function words(...values: unknown[]): string[] {
  return values
    .filter((value) => typeof value === 'string' && value !== '')
    .map((value) => String(value).slice(0, LONGEST));
}

function among<T>(table: Record<string, T>, word: unknown): T | undefined {
  return typeof word === 'string' && Object.hasOwn(table, word) ? table[word] : undefined;
}

function isObject(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const objectOf = (value: unknown): Value => (isObject(value) ? value : {});
const listOf = (value: unknown): Value[] => (Array.isArray(value) ? value.filter(isObject) : []);
