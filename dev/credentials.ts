import { join } from 'node:path';
import { z } from 'zod';
import { Fault } from './fault.ts';
import { readJson, stackPath } from './folder.ts';

const person = z.object({
  email: z.email(),
  /** To sign in with: POST /v1/session. */
  password: z.string(),
  apiKey: z.string(),
});

/** Everything that a program needs to use the running stack: `credentials.json` in its folder. */
export const credentialsSchema = z.object({
  apiUrl: z.url(),
  consoleUrl: z.url().nullable(),
  /** Null with a Temporal of one's own and no TEMPORAL_UI_URL. */
  temporalUiUrl: z.url().nullable(),
  /** host:port */
  temporalAddress: z.string(),
  databaseUrl: z.url(),
  /** Null with a mail server of one's own. */
  mailUrl: z.url().nullable(),
  /** The Graph API without a version: the Meta simulator's, or META_GRAPH_URL. */
  metaUrl: z.url(),
  /** The sample customer endpoint. */
  endpointUrl: z.url(),
  customer: person,
  otherCustomer: person,
  support: person,
  otherSupport: person,
  operator: person,
});

export type Credentials = z.output<typeof credentialsSchema>;
export type Role = 'customer' | 'otherCustomer' | 'support' | 'otherSupport' | 'operator';

/** The file is there exactly while the stack is up. */
export function credentialsFile(stack: string): string {
  return join(stack, 'credentials.json');
}

/** Reads the running stack's credentials. Throws a `Fault` when there is none. */
export function readCredentials(env: NodeJS.ProcessEnv): Credentials {
  const file = readJson(credentialsFile(stackPath(env)));
  if (file === undefined) throw new Fault('The stack is not running. Start it first: npm start');
  return credentialsSchema.parse(file);
}
