import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../fault.ts';

/** How long the tour waits for anything: an email, a step at Meta, a delivery. */
const LONGEST_MS = 30_000;
const PAUSE_MS = 200;

/** Asks until there is something. Throws a `Fault` with `what` did not come. */
export async function until<T>(what: string, ask: () => Promise<T | null | undefined>): Promise<T> {
  const deadline = Date.now() + LONGEST_MS;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > deadline) throw new Fault(`${what} did not come within ${LONGEST_MS / 1000} s.`);
    await sleep(PAUSE_MS);
  }
}

/** JSON from a part of the stack. */
export async function ask<T>(url: string, method = 'GET', body?: unknown): Promise<T> {
  const answer = await fetch(url, {
    method,
    signal: AbortSignal.timeout(10_000),
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  if (!answer.ok) throw new Fault(`${method} ${url} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}
