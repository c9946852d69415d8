import type { Config } from '../contract/config.ts';
import type { Database } from '../db/client.ts';
import { mailDomain } from '../db/email-rows.ts';
import { rootOf } from '../db/errors.ts';
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
  return tellingNoValues({
    ...createSaveActivity({ db: deps.db, mailDomain: mailDomain(deps.config.MAIL_FROM) }),
    ...createEmailActivities(deps),
    ...createDigestActivities(deps),
  });
}

/** Failures are kept in Temporal's histories: that of a query must not carry the values in it there. */
function tellingNoValues<T extends Record<string, (input: never) => Promise<unknown>>>(activities: T): T {
  const told = Object.entries(activities).map(([name, activity]) => [
    name,
    (input: never) =>
      activity(input).catch((error: unknown) => {
        throw rootOf(error);
      }),
  ]);
  return Object.fromEntries(told);
}

export type Activities = ReturnType<typeof createActivities>;
