/** Calls to a running API, over a real socket. */

import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../contract/ids.ts';
import type { NumberView } from '../../contract/views.ts';
import { freshNumber } from './accepted.ts';

export interface HttpAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test reads its own part of it
  body: any;
}

/** Longer than any request may take: a call that fails by this one was hanging. */
const HANGING_MS = 20_000;

/** Rejects when the connection breaks, and when there is no answer in `HANGING_MS`. */
export async function call(
  api: { url: string },
  key: string,
  request: `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  const [method = 'GET', path = '/'] = request.split(' ');
  const response = await fetch(api.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(HANGING_MS),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : JSON.parse(text),
  };
}

/** A complete, right submission of another number each time. */
export function submission<Changes extends object>(changes?: Changes) {
  return {
    mobileNumber: freshNumber(),
    displayName: 'Widgets number',
    businessCategory: 'RETAIL' as const,
    ...changes,
  };
}

/** Calls, and throws where the answer is not a 2xx; returns its body. */
export async function callOk(...request: Parameters<typeof call>): Promise<NumberView> {
  const answer = await call(...request);
  if (answer.status >= 300) throw new Error(`${request[2]}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/**
 * As a client does that wants to know: repeats with one Idempotency-Key while the API is unavailable, or still
 * at the first try, for at most 90 s.
 */
export async function insist(
  api: { url: string },
  key: string,
  request: Parameters<typeof call>[2],
  body?: unknown,
  headers: Record<string, string> = { 'idempotency-key': newId('op') },
): Promise<HttpAnswer> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const answer = await call(api, key, request, body, headers);
    const again = answer.status === 503 || answer.body?.code === 'idempotency_in_flight';
    if (!again || Date.now() > deadline) return answer;
    await sleep(250);
  }
}
