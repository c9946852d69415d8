/** JSON read so that it can be written again as it was: also numbers that JavaScript has no value for. */

/** Numbers that may come out otherwise: long ones, fractions, exponents. In a text it may match what is none. */
const INEXACT = /[:,[]\s*-?(?:\d{16}|\d+[.eE])/;

/** Deeper than anything that is meant; reading and writing exactly gives up at some thousands. */
const DEEPEST = 100;

interface Raw {
  /** The number's text. */
  rawJSON: string;
}
interface RawJson {
  rawJSON(text: string): Raw;
  isRawJSON(value: unknown): value is Raw;
}
const { rawJSON, isRawJSON } = JSON as unknown as RawJson;

/**
 * Throws a SyntaxError where the text is no JSON. A number that would come out otherwise is an object of `JSON.rawJSON`; not
 * where values are nested too deep for that.
 */
export function parseExactly(text: string): unknown {
  if (!INEXACT.test(text)) return JSON.parse(text);
  const keep = (_key: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && String(value) !== source
      ? rawJSON(source)
      : value;
  };
  return unlessTooDeep(
    () => JSON.parse(text, keep),
    () => JSON.parse(text),
  );
}

/** The text of a number, or of a text; empty for anything else. */
export function textOf(value: unknown): string {
  if (isRawJSON(value)) return value.rawJSON;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** As JSON; what is nested too deep for that is null in it. */
export function stringify(value: unknown): string {
  return unlessTooDeep(
    () => JSON.stringify(value),
    () => JSON.stringify(cutBelow(value, DEEPEST)),
  );
}

function unlessTooDeep<T>(work: () => T, otherwise: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return otherwise();
  }
}

function cutBelow(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null || isRawJSON(value)) return value;
  if (levels === 0) return null;
  if (Array.isArray(value)) return value.map((one) => cutBelow(one, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, cutBelow(one, levels - 1)]));
}
