import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again every 50 ms until `check` passes. Rejects when the signal is aborted (with its reason);
 * a signal is required so that no wait is without an end.
 */
export async function until(check: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await check();
      return;
    } catch {
      await sleep(50, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** Passes when the address answers with a 2xx within two seconds. */
export async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}
