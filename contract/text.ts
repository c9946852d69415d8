/** What texts of people may not hold, and how texts and times are put before people. Workflow code imports this file. */

/** Control characters and line breaks of all kinds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** Characters that turn the direction of what follows them. */
export const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text, and for quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/** `2026-11-23T08:00:00.000Z` → `2026-11-23 08:00 UTC`. */
export function minute(at: string): string {
  return `${at.slice(0, 16).replace('T', ' ')} UTC`;
}
