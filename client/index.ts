/**
 * A typed client of the API. A call is repeated, with one Idempotency-Key, until it has an answer or its deadline
 * passes, so that a lost connection never does anything twice.
 *
 *     const client = createClient({ baseUrl: 'https://numbers.example', apiKey });
 *     const number = await client.numbers.submit({ displayName, mobileNumber, businessCategory: 'RETAIL' });
 *     for await (const one of client.numbers.list({ status: 'REJECTED' })) console.log(one.rejection?.reason);
 */

import type { StreamEvent } from '../contract/stream.ts';
import type { Settings } from './call.ts';
import { methodOf } from './methods.ts';
import type { MethodOf, Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import type { Backoff } from './retry.ts';
import { type StreamOptions, stream } from './stream.ts';

export { NoAnswerError, ProblemError } from './problem.ts';

export interface ClientOptions {
  /** Where the API is, e.g. `https://numbers.example`. */
  baseUrl: string;
  apiKey: string;
  /** In place of the platform's. */
  fetch?: typeof fetch;
  /** How long one try may take. Milliseconds; 20,000 by default: the API answers within 15 s. */
  tryMs?: number;
  /** How long a call may take with all its tries. Milliseconds; 60,000 by default. */
  deadlineMs?: number;
  /** How long to wait between tries. By default up to 0.25 s at first, and up to 10 s at most. */
  backoff?: Backoff;
}

type Operations = typeof OPERATIONS;
type Methods = {
  [Group in keyof Operations]: {
    [Name in keyof Operations[Group]]: Operations[Group][Name] extends infer O extends Operation
      ? MethodOf<O>
      : never;
  };
};

/** Operations by what they are about, and the stream of changes: `for await (const { event, data } of client.stream())`. */
export type Client = Methods & { stream(options?: StreamOptions): AsyncIterable<StreamEvent> };

/** Throws a TypeError for an address that is none, or a key that no key can be. */
export function createClient(options: ClientOptions): Client {
  if (!/^https?:/.test(URL.parse(options.baseUrl)?.protocol ?? '')) {
    throw new TypeError(`baseUrl is no http address: ${options.baseUrl}`);
  }
  if (!/^[\x21-\x7e]+$/.test(options.apiKey)) throw new TypeError('apiKey has characters that no key has.');
  const settings: Settings = {
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    apiKey: options.apiKey,
    fetch: options.fetch ?? fetch,
    tryMs: options.tryMs ?? 20_000,
    deadlineMs: options.deadlineMs ?? 60_000,
    backoff: options.backoff ?? { firstMs: 250, mostMs: 10_000 },
  };
  const groups = Object.entries(OPERATIONS as Record<string, Record<string, Operation>>);
  const methods = Object.fromEntries(
    groups.map(([group, operations]) => [
      group,
      Object.fromEntries(
        Object.entries(operations).map(([name, operation]) => [name, methodOf(settings, operation)]),
      ),
    ]),
  ) as unknown as Methods;
  return { ...methods, stream: (how) => stream(settings, how) };
}
