/** What activities work with; the worker wires it. */
import type { Config } from '../contract/config.ts';
import type { Database } from '../db/client.ts';
import type { Mailer } from '../email/transport.ts';
import type { MetaSteps } from '../meta/steps.ts';
import type { NumberWorkflows } from '../temporal/numbers.ts';

export interface ActivityDeps {
  db: Database;
  /** A small pool for the locks of email lanes: waiting for one must not starve other queries. */
  lockDb: Database;
  mailer: Mailer;
  /** To end the numbers of a closed account. */
  workflows: NumberWorkflows;
  /** What is done at Meta. */
  meta: MetaSteps;
  config: Config;
  logger: Logger;
  /** Aborted when the worker is asked to stop: nothing new is begun. */
  stopping: AbortSignal;
}

export interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
