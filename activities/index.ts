import { mailDomain } from '../db/email-rows.ts';
import { rootOf } from '../db/errors.ts';
import { createClosingActivities } from './closing.ts';
import type { ActivityDeps } from './deps.ts';
import { createDigestActivities } from './digest.ts';
import { createEmailActivities } from './emails.ts';
import { createFacebookActivities } from './facebook.ts';
import { createImageActivities } from './images.ts';
import { createSaveActivity } from './save.ts';

/** Everything workflows can have done. The names are activity types: they never change. */
export function createActivities(deps: ActivityDeps) {
  return tellingNoValues({
    ...createSaveActivity({ db: deps.db, mailDomain: mailDomain(deps.config.MAIL_FROM) }),
    ...createEmailActivities(deps),
    ...createDigestActivities(deps),
    ...createClosingActivities(deps),
    ...createImageActivities(deps),
    ...createFacebookActivities(deps),
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
