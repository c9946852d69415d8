/** What a wrong setting is answered with. */
import { expect, it } from 'vitest';
import { loadConfig } from '../../contract/config.ts';

const DATABASE_URL = 'postgres://user:password@localhost/database';

it.each([
  [{ VERIFICATION_DUE_HOURS: 'abc' }, 'VERIFICATION_DUE_HOURS: a number is needed.'],
  [{ VERIFICATION_DUE_HOURS: '0' }, 'VERIFICATION_DUE_HOURS: more than 0.'],
  [{ VERIFICATION_DUE_HOURS: '9999' }, 'VERIFICATION_DUE_HOURS: 8760 or less.'],
  [{ PORT: '1.5' }, 'PORT: a whole number is needed.'],
  [{ PORT: '-1' }, 'PORT: 0 or more.'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL: one of fatal, error, warn, info, debug, trace, silent.'],
  [{ OPEN_SIGN_UP: 'yes' }, 'OPEN_SIGN_UP: one of true, false.'],
  [{ PUBLIC_URL: 'here' }, 'PUBLIC_URL: a whole URL.'],
  [{ SMTP_URL: 'http://mail' }, 'SMTP_URL: a URL like smtp://host:25 or smtps://user:password@host:465.'],
  [{ SUPPORT_EMAIL: 'a@x.example, nobody' }, 'SUPPORT_EMAIL: email addresses, with commas between them.'],
  [{ WORKING_DAYS: 'daily' }, 'WORKING_DAYS: days like mon-fri or mon,tue,sat.'],
  [{ DATABASE_URL: '' }, 'DATABASE_URL is not set.'],
])('%j: says what is needed', (env, line) => {
  expect(() => loadConfig({ DATABASE_URL, ...env })).toThrow(line);
});
