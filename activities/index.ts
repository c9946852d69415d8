import type { Config } from '../contract/config.ts';
import type { Database } from '../db/client.ts';
import { mailDomain } from '../db/email-rows.ts';
import type { Mailer } from '../email/transport.ts';
import { createDigestActivities } from './digest.ts';
import { createEmailActivities } from './emails.ts';
import { createSaveActivity } from './save.ts';

export interface ActivityDeps {
  db: Database;
  /** A small pool for the locks of email lanes: waiting for one must not starve other queries. */
  lockDb: Database;
  mailer: Mailer;
  config: Config;
  logger: Logger;
}

export interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Everything workflows can have done. The names are activity types: they never change. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...createSaveActivity({ db: deps.db, mailDomain: mailDomain(deps.config.MAIL_FROM) }),
    ...createEmailActivities(deps),
    ...createDigestActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
