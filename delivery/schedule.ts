/** When a delivery is tried again, and when a target. Milliseconds. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** From one try to the next; after the last one a delivery is given up. */
const RETRIES = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
/** So that what failed together does not come again together. */
const JITTER = 0.2;
/** A target cannot put a delivery off for longer. */
const LONGEST_WISH = 24 * HOUR;

/** A target that has failed so often in a row is probed with one delivery at a time. */
export const OPENS_AFTER = 5;
const FIRST_PROBE = 5 * SECOND;
const LAST_PROBE = 5 * MINUTE;

/** A target that has taken nothing for so long, though it was asked, is switched off. */
export const OFF_AFTER = 5 * 24 * HOUR;
/** A target that was asked nothing for longer than between two tries begins its days of failure anew. */
export const FORGIVEN_AFTER = 36 * HOUR;

/** Until the next try, after so many; null: it is given up. `wish`: the Retry-After of the answer. */
export function retryDelay(tries: number, wish: number | null, random = Math.random()): number | null {
  const delay = RETRIES[tries - 1];
  if (delay === undefined) return null;
  return Math.max(delay * (1 + JITTER * random), Math.min(wish ?? 0, LONGEST_WISH));
}

/** Until a target that has failed so often in a row is asked again; 0: at once. */
export function probeDelay(failures: number): number {
  return failures < OPENS_AFTER ? 0 : Math.min(FIRST_PROBE * 2 ** (failures - OPENS_AFTER), LAST_PROBE);
}

/** Until a target that asked for it is sent anything more. */
export function slowDown(failures: number, wish: number | null): number {
  const own = Math.min(FIRST_PROBE * 2 ** Math.max(failures - 1, 0), LAST_PROBE);
  return Math.min(Math.max(own, wish ?? 0), HOUR);
}

/** The seconds or the date of a Retry-After, as milliseconds from now; null where it is neither. */
export function retryAfter(header: string | undefined, now: Date): number | null {
  if (header === undefined) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * SECOND;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(date - now.getTime(), 0);
}
