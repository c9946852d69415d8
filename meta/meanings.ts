/**
 * The one table of what Meta's errors mean: whether they pass by themselves, stop a token, or whose turn it is, in
 * words that say what to do. By code, and by `code/subcode` where the subcode says more. Titles change, codes do not.
 * Source: Meta's list of error codes of the WhatsApp Business Platform, and what was met in practice.
 */
import type { FacebookProblem, FacebookTurn } from '../contract/facebook.ts';
import type { GraphError } from './graph-error.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Meaning =
  /**
   * Tried again: after so long where that is known, otherwise with the usual back-off. `isOfConnection`: Meta counts calls
   * by the connection, not by the number.
   */
  | { kind: 'passes'; waitMs: number | null; isOfConnection: boolean }
  /** No call is made with the token any more. */
  | { kind: 'token'; state: TokenTrouble }
  | { kind: 'turn'; turn: FacebookTurn; problem: FacebookProblem };

export type TokenTrouble = 'token_refused' | 'permission_missing';

const passes = (waitMs: number | null = null, isOfConnection = false) => ({
  kind: 'passes' as const,
  waitMs,
  isOfConnection,
});
const turn = (whose: FacebookTurn, words: string) => ({ kind: 'turn' as const, turn: whose, words });

/** Where `words` end with a colon, what Meta says of this call follows. */
const MEANINGS: Record<string, ReturnType<typeof passes> | ReturnType<typeof turn>> = {
  1: passes(),
  2: passes(),
  4: passes(5 * MINUTE, true),
  17: passes(5 * MINUTE, true),
  80007: passes(5 * MINUTE, true),
  130429: passes(MINUTE, true),
  131056: passes(MINUTE),
  131000: passes(),
  133004: passes(),
  133000: passes(MINUTE),
  133015: passes(5 * MINUTE),
  133008: passes(HOUR),
  133009: passes(5 * MINUTE),
  '100/2388001': passes(10 * MINUTE),
  100: turn('customer', 'Meta did not take what it was sent. Correct it, or ask support what to do:'),
  '100/33': turn(
    'operator',
    'Meta does not show the number under its id any more. Look in WhatsApp Manager: one that was moved is given back there; one that was deleted has to be withdrawn and submitted again.',
  ),
  131009: turn('customer', 'Meta did not take what it was sent. Correct it, or ask support what to do:'),
  136024: turn(
    'customer',
    'Meta sent no code to the number. Check that it can receive a text message or a call, and ask for another code, by the other way or later.',
  ),
  136025: turn('customer', 'Meta did not take the code. Ask for another one.'),
  133005: turn(
    'customer',
    "Another PIN of two-step verification is set for the number. Let it go on with that PIN (POST /v1/numbers/{id}/facebook-resumption takes it), or turn two-step verification off in WhatsApp Manager, in the number's settings, and let it go on.",
  ),
  133006: turn(
    'customer',
    'Meta wants the number to be verified once more. Ask for another code and enter it.',
  ),
  133010: turn('operator', 'Meta says that the number is not registered. Register it again.'),
  133016: turn(
    'operator',
    'Meta takes no more registrations of this number for 72 hours. It goes on by itself then.',
  ),
  131031: turn(
    'customer',
    'Meta has locked the WhatsApp Business Account. Appeal in WhatsApp Manager, and tell support.',
  ),
  368: turn(
    'customer',
    'Meta has blocked the business for a policy. Appeal in Business Support Home, and tell support.',
  ),
  131042: turn(
    'customer',
    'Meta cannot charge the WhatsApp Business Account. Correct its payment method in WhatsApp Manager, and try again.',
  ),
  131045: turn('operator', "Meta's certificate of the number is not right. Register the number again."),
  130497: turn(
    'support',
    'Meta does not take numbers of this business in the country of the number. Reject it with this reason.',
  ),
};

export function meaningOf(error: GraphError): Meaning {
  const { code, subcode, status, retryAfterMs } = error;
  if (code === 190) return { kind: 'token', state: 'token_refused' };
  if (code === 10 || (code !== null && code >= 200 && code < 300)) {
    return { kind: 'token', state: 'permission_missing' };
  }
  const known = MEANINGS[`${code}/${subcode}`] ?? MEANINGS[String(code)];
  if (known?.kind === 'turn' && !error.isTransient)
    return { ...known, problem: problemOf(error, known.words) };
  if (known?.kind === 'passes') {
    const isOfConnection = known.isOfConnection || retryAfterMs !== null;
    return passes(retryAfterMs ?? waitIn(error.details) ?? known.waitMs, isOfConnection);
  }
  const mayPass = error.isTransient || status === null || status === 429 || status >= 500;
  if (mayPass) return passes(retryAfterMs, retryAfterMs !== null);
  const words =
    'Meta refused this for a reason that is not known here. Ask Meta’s support, with the trace id:';
  return { kind: 'turn', turn: 'support', problem: problemOf(error, words) };
}

export function problemOf(error: GraphError, words: string): FacebookProblem {
  const { code, subcode, fbtraceId, details } = error;
  const message = words.endsWith(':') ? `${words.slice(0, -1)}${details ? `: ${details}` : '.'}` : words;
  return { message, code, subcode, fbtraceId, until: null };
}

/** A problem that is ours to tell, not Meta's answer. */
export function ownProblem(message: string, until: Date | null = null): FacebookProblem {
  return { message, code: null, subcode: null, fbtraceId: null, until: until?.toISOString() ?? null };
}

const UNITS: Record<string, number> = { second: 1_000, minute: MINUTE, hour: HOUR, day: 24 * HOUR };

/** The time that Meta's words name, as in "try again in 5 minutes", in milliseconds. */
function waitIn(details: string): number | null {
  const [, amount, unit] = /(\d+)\s*(second|minute|hour|day)s?\b/i.exec(details) ?? [];
  return amount === undefined || unit === undefined
    ? null
    : Number(amount) * (UNITS[unit.toLowerCase()] ?? 0);
}
