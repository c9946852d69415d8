/** Times of numbers are text as the API answers it, whatever time zone PostgreSQL writes them in. */
import { expect, it } from 'vitest';
import { rfc3339 } from '../../db/time.ts';

it.each([
  ['2026-01-31 12:00:00.123+00', '2026-01-31T12:00:00.123Z'],
  ['2026-01-31 12:00:00.5+00', '2026-01-31T12:00:00.500Z'],
  ['2026-01-31 12:00:00+00', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31 17:30:00.12+05:30', '2026-01-31T12:00:00.120Z'],
  ['2026-01-31 05:00:00.001-07', '2026-01-31T12:00:00.001Z'],
])('reads %s', (text, time) => {
  expect(rfc3339(text)).toBe(time);
});
