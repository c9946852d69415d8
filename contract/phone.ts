import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

/** Characters people write between digits; they are accepted and removed. */
const SEPARATORS = /[\s().\-\u00a0\u2010-\u2015]/g;

/**
 * Reads a phone number as people write it, e.g. `+1 (555) 555-0123`.
 * Returns E.164 (`+15555550123`), or null when the number is not possible in any numbering plan.
 */
export function parseMobileNumber(text: string): string | null {
  const compact = text.replace(SEPARATORS, '');
  if (!/^\+[1-9]\d{5,14}$/.test(compact)) return null;
  const parsed = parsePhoneNumberFromString(compact);
  // A leading national prefix would be rewritten by the parser; what was typed must be what is stored.
  return parsed?.isPossible() && parsed.number === compact ? parsed.number : null;
}

/** Whether an E.164 number fits its country's numbering plan. Possible but not valid is a warning for support. */
export function isValidMobileNumber(e164: string): boolean {
  return parsePhoneNumberFromString(e164)?.isValid() ?? false;
}

/**
 * Countries that have made their numbers longer, whose numbers Meta may still write as they were: Brazil without the 9 of
 * mobile numbers, Ivory Coast without the two digits of the operator, Mexico and Argentina with or without the digit that
 * calls from abroad had.
 */
const LONGER: [RegExp, string][] = [
  [/^(55\d\d)9(\d{8})$/, '$1$2'],
  [/^(225)\d\d(\d{8})$/, '$1$2'],
  [/^(52)1(\d{10})$/, '$1$2'],
  [/^(54)9(\d{10})$/, '$1$2'],
];

/** Whether digits that Meta shows are those of a number as Meta may write it; not whether they are the very same. */
export function isWrittenOtherwise(shown: string, digits: string): boolean {
  return LONGER.some(
    ([long, short]) => digits.replace(long, short) === shown || shown.replace(long, short) === digits,
  );
}

/** Our own log lines show no more of a number than this. */
export function lastFour(e164: string): string {
  return `…${e164.slice(-4)}`;
}
