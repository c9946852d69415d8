/** A time as PostgreSQL writes it (`2026-01-31 12:00:00.5+00`) in the form of the API: RFC 3339, UTC, milliseconds. */
export function rfc3339(text: string): string {
  // The session's time zone is UTC nearly always; then there is only text to move, which is ten times as quick.
  if (text.length < 22 || text[10] !== ' ' || !text.endsWith('+00')) return new Date(text).toISOString();
  const time = text.slice(11, -3);
  return `${text.slice(0, 10)}T${time.length === 8 ? `${time}.000` : time.padEnd(12, '0')}Z`;
}
