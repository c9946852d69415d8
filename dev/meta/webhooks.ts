/** Webhooks as Meta sends them: verified callback, signed bytes, tries with growing delays, copies and losses. */
import { randomUUID } from 'node:crypto';
import { askChallenge, escaped, post } from './callback.ts';
import type { Webhook } from './state.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** At once, then less and less often, for seven days. */
const RETRY_DELAYS_MS = [
  0,
  1000,
  5000,
  30_000,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  ...Array.from({ length: 14 }, () => 12 * HOUR),
];
const FIRST_CHALLENGE_DELAY_MS = 250;
const LAST_CHALLENGE_DELAY_MS = 5000;
/** How long webhooks that are to be reordered wait for each other. */
const GATHER_MS = 1000;
const MAX_ENDED = 200;
const MAX_WAITING = 20_000;
/** In characters: larger bodies are not shown once they have arrived. */
const MAX_SHOWN_BODY = 65_536;

export interface DeliveryPolicy {
  lose: boolean;
  /** How often each webhook arrives. */
  copies: number;
  /** So many are gathered, at most a second, and sent last to first; 1 keeps the order. */
  reorder: number;
  delayMs: number;
}

export interface Callback {
  url: string;
  /** Whether it has answered the challenge. */
  verified: boolean;
  /** Why it has not. */
  error: string | null;
}

interface WebhooksOptions {
  /** Webhooks of an earlier run, to which new ones are added. */
  kept: Webhook[];
  appSecret: string;
  verifyToken: string;
  retryDelaysMs?: readonly number[];
  changed: () => void;
}

interface Sending {
  wabaId: string;
  changes: { field: string; value: unknown }[];
  subscribed: boolean;
  at: number;
}

export class Webhooks {
  policy: DeliveryPolicy = { lose: false, copies: 1, reorder: 1, delayMs: 0 };
  callback: Callback | null = null;
  readonly #options: WebhooksOptions;
  /** Of an account, one first try after the other: what is sent in order arrives in order. */
  readonly #lanes = new Map<string, Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #closed = new AbortController();
  /** Those that wait for their turn or their time. */
  readonly #planned = new Set<Webhook>();
  #gathered: Webhook[] = [];

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get all(): readonly Webhook[] {
    return this.#options.kept;
  }

  /** Sets where webhooks go. Resolves after the first challenge; goes on asking until one is answered. */
  async setCallback(url: string | null): Promise<Callback | null> {
    const callback = url === null ? null : { url, verified: false, error: null };
    this.callback = callback;
    if (callback) await this.#challenge(callback, FIRST_CHALLENGE_DELAY_MS);
    return callback;
  }

  /** Sends changes of one account as one webhook; its id here. */
  send({ wabaId, changes, subscribed, at }: Sending): string {
    const time = Math.floor(at / 1000);
    const envelope = { object: 'whatsapp_business_account', entry: [{ id: wabaId, time, changes }] };
    const { lose, copies, delayMs } = this.policy;
    const webhook: Webhook = {
      id: randomUUID(),
      at: Date.now(),
      wabaId,
      fields: [...new Set(changes.map(({ field }) => field))],
      body: escaped(envelope),
      state: subscribed ? (lose ? 'lost' : 'waiting') : 'unsubscribed',
      copies,
      attempts: [],
      dueAt: Date.now() + delayMs,
    };
    this.#options.kept.push(webhook);
    this.#forget();
    this.#options.changed();
    if (webhook.state === 'waiting') this.#gather(webhook);
    return webhook.id;
  }

  /** Forgets all webhooks, also those that have not arrived. */
  clear(): void {
    this.#options.kept.length = 0;
    this.#gathered = [];
    this.#planned.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#options.changed();
  }

  close(): void {
    this.#closed.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #challenge(callback: Callback, delay: number): Promise<void> {
    if (this.callback !== callback || this.#closed.signal.aborted) return;
    callback.error = await askChallenge(callback.url, this.#options.verifyToken, this.#closed.signal);
    if (callback.error !== null) {
      const next = Math.min(delay * 2, LAST_CHALLENGE_DELAY_MS);
      this.#later(delay, () => void this.#challenge(callback, next));
      return;
    }
    callback.verified = true;
    for (const webhook of this.all) {
      if (webhook.state === 'waiting' && !this.#planned.has(webhook)) this.#schedule(webhook);
    }
  }

  #gather(webhook: Webhook): void {
    this.#planned.add(webhook);
    this.#gathered.push(webhook);
    if (this.#gathered.length >= this.policy.reorder) this.#release();
    else if (this.#gathered.length === 1) this.#later(GATHER_MS, () => this.#release());
  }

  #release(): void {
    for (const webhook of this.#gathered.splice(0).reverse()) this.#schedule(webhook);
  }

  #schedule(webhook: Webhook): void {
    this.#planned.add(webhook);
    const wait = webhook.dueAt - Date.now();
    if (wait > 0) {
      this.#later(wait, () => this.#schedule(webhook));
      return;
    }
    const lane = this.#lanes.get(webhook.wabaId) ?? Promise.resolve();
    this.#lanes.set(
      webhook.wabaId,
      lane.then(() => this.#attempt(webhook)),
    );
  }

  async #attempt(webhook: Webhook): Promise<void> {
    const callback = this.callback;
    if (webhook.state !== 'waiting' || this.#closed.signal.aborted) return;
    if (!callback?.verified) {
      // It waits until one answers the challenge.
      this.#planned.delete(webhook);
      return;
    }
    const at = Date.now();
    const answer = await post(callback.url, this.#options.appSecret, webhook.body ?? '', this.#closed.signal);
    if (this.#closed.signal.aborted) return;
    webhook.attempts.push({ at, ...answer });
    const taken = answer.status !== null && answer.status >= 200 && answer.status < 300;
    if (taken) {
      webhook.copies -= 1;
      if (webhook.copies > 0) return this.#attempt(webhook);
      this.#end(webhook, 'delivered');
      return;
    }
    const tries = webhook.attempts.filter(({ status }) => !(status && status < 300)).length;
    const delay = (this.#options.retryDelaysMs ?? RETRY_DELAYS_MS)[tries - 1];
    if (delay === undefined) return this.#end(webhook, 'given up');
    webhook.dueAt = Date.now() + delay;
    this.#options.changed();
    this.#later(delay, () => void this.#attempt(webhook));
  }

  #end(webhook: Webhook, state: Webhook['state']): void {
    webhook.state = state;
    this.#planned.delete(webhook);
    if ((webhook.body?.length ?? 0) > MAX_SHOWN_BODY) webhook.body = null;
    this.#options.changed();
  }

  /** What has come to its end is kept for a while; what waits too long in too large a number is lost. */
  #forget(): void {
    const { kept } = this.#options;
    let surplus = kept.filter(({ state }) => state !== 'waiting').length - MAX_ENDED;
    for (let index = 0; index < kept.length && surplus > 0; ) {
      if (kept[index]?.state === 'waiting') index += 1;
      else {
        kept.splice(index, 1);
        surplus -= 1;
      }
    }
    const oldest = kept.length > MAX_WAITING ? kept.find(({ state }) => state === 'waiting') : undefined;
    if (oldest) this.#end(oldest, 'lost');
  }

  #later(delay: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delay);
    this.#timers.add(timer);
  }
}
