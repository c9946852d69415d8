/** JSON read so that it can be written again as it was: also numbers that JavaScript has no value for. */

/** Numbers that may come out otherwise: long ones, fractions, exponents. In a text it may match what is none. */
const INEXACT = /[:,[]\s*-?(?:\d{16}|\d+[.eE])/;

interface RawJson {
  rawJSON(text: string): unknown;
}
const { rawJSON } = JSON as unknown as RawJson;

/** Throws a SyntaxError where the text is no JSON. A number that would come out otherwise is an object of `JSON.rawJSON`. */
export function parseExactly(text: string): unknown {
  if (!INEXACT.test(text)) return JSON.parse(text);
  const keep = (_key: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && String(value) !== source
      ? rawJSON(source)
      : value;
  };
  return JSON.parse(text, keep);
}
