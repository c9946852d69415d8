/**
 * What one target is sent: conversations beside each other, in each one delivery after another. A lane only decides what
 * comes next and how the target does; it neither reads nor sends.
 */
import type { DueDelivery, TargetState } from '../db/due-deliveries.ts';
import type { TargetOutcome } from '../db/settle-deliveries.ts';
import { FORGIVEN_AFTER, OPENS_AFTER, probeDelay, slowDown } from './schedule.ts';
import type { Tried } from './sender.ts';

/** Deliveries to one target at the same time: as many as it keeps up with. */
const FIRST_PACE = 2;
const LAST_PACE = 8;
/** An answer that takes longer is slow, in milliseconds. */
const SLOW_MS = 2_000;
/** Slow answers in a row from which the target is. One says nothing: it may have restarted. */
const SLOW_FROM = 2;
/** Statuses by which a target asks for time. */
const ASKS_FOR_TIME = [429, 502, 504];
/** A success is written down where it changes something, or so long after the one before, in milliseconds. */
const TELL_SUCCESS_MS = 10_000;

export class Lane {
  readonly id: string;
  /** By conversation: what is due, the first of it next or under way. */
  readonly #queues = new Map<string, DueDelivery[]>();
  /** Conversations of which nothing is under way. */
  readonly #ready: string[] = [];
  /** By id: queued, under way, or sent and not settled yet. */
  readonly #held = new Map<string, 'queued' | 'busy'>();
  #active = 0;
  #pace = FIRST_PACE;
  /** Slow answers in a row. */
  #slow = 0;
  #failures = 0;
  #failingSince: Date | null = null;
  /** Of the last failure, where it is not to wait. */
  #openUntil: Date | null = null;
  /** What the failures are of. */
  #url: string | null = null;
  /** Until then nothing can be sent, for a reason that is ours. */
  #restsUntil: Date | null = null;
  #toldSuccessAt = 0;
  /** When something was last done, in milliseconds since 1970. */
  usedAt = 0;

  constructor(id: string) {
    this.id = id;
  }

  get held(): number {
    return this.#held.size;
  }

  get isIdle(): boolean {
    return this.#held.size === 0 && this.#active === 0;
  }

  isOpen(now: Date): boolean {
    return this.isResting(now) || (this.#openUntil !== null && this.#openUntil > now);
  }

  isResting(now: Date): boolean {
    return this.#restsUntil !== null && this.#restsUntil > now;
  }

  /** It is not sent anything until then: what waits stays as it is, and nothing counts against the target. */
  rest(until: Date): void {
    this.#restsUntil = until;
    this.drop();
  }

  /** Failing or slow: it is sent from the places that such targets share. */
  get isSick(): boolean {
    return this.#failures >= OPENS_AFTER || this.#slow >= SLOW_FROM;
  }

  /** Takes what the database knows of the target, which somebody may have switched on again. */
  know({ failures, failingSince, openUntil }: TargetState): void {
    if (!this.isIdle) return;
    this.#begin({ failures, failingSince, openUntil, url: null });
  }

  add(delivery: DueDelivery): void {
    if (this.#held.has(delivery.id)) return;
    this.#held.set(delivery.id, 'queued');
    const queue = this.#queues.get(delivery.conversation);
    if (queue) {
      queue.push(delivery);
      return;
    }
    this.#queues.set(delivery.conversation, [delivery]);
    this.#ready.push(delivery.conversation);
  }

  /** The next delivery to be sent now; undefined where there is none, or as many as may be are under way. */
  take(now: Date): DueDelivery | undefined {
    const pace = this.#failures >= OPENS_AFTER ? 1 : this.#pace;
    if (this.#active >= pace || this.isOpen(now)) return undefined;
    const conversation = this.#ready.shift();
    const [delivery] = (conversation !== undefined && this.#queues.get(conversation)) || [];
    if (!delivery) return undefined;
    this.#active += 1;
    this.#held.set(delivery.id, 'busy');
    return delivery;
  }

  /** What was taken is not under way any more; the next of its conversation may be. */
  done({ conversation }: DueDelivery): void {
    this.#active -= 1;
    const queue = this.#queues.get(conversation);
    queue?.shift();
    if (!queue || queue.length === 0) this.#queues.delete(conversation);
    else this.#ready.push(conversation);
  }

  /** It is settled, or left for another time. */
  release(id: string): void {
    this.#held.delete(id);
  }

  /** Forgets what is not under way: it stays due. */
  drop(): void {
    for (const [conversation, queue] of this.#queues) {
      const kept = queue.filter(({ id }) => this.#held.get(id) === 'busy');
      for (const { id } of queue) if (this.#held.get(id) === 'queued') this.#held.delete(id);
      if (kept.length > 0) this.#queues.set(conversation, kept);
      else this.#queues.delete(conversation);
    }
    this.#ready.length = 0;
  }

  /** What a try at a URL means for the target. Returns what is to be written down of it; null for nothing. */
  learn({ attempt, failure, wish }: Tried, url: string, now: Date): TargetOutcome | null {
    if (this.#url !== null && this.#url !== url) {
      this.#begin({ failures: 0, failingSince: null, openUntil: null, url });
      this.#slow = 0;
    }
    this.#url = url;
    this.#slow = attempt.latencyMs > SLOW_MS ? this.#slow + 1 : 0;
    // Few of each wait for the places that the sick share: these go from target to target.
    if (this.isSick) this.#pace = Math.min(this.#pace, FIRST_PACE);
    if (failure === null) return this.#succeed(now);
    // Those that were under way when it opened say nothing new.
    if (this.isOpen(now)) return null;
    this.#failures += 1;
    const lastFailed = this.#openUntil?.getTime() ?? 0;
    if (!this.#failingSince || now.getTime() - lastFailed > FORGIVEN_AFTER) this.#failingSince = now;
    this.#pace = Math.max(1, Math.floor(this.#pace / 2));
    const asks = attempt.status !== null && ASKS_FOR_TIME.includes(attempt.status);
    const pause = Math.max(probeDelay(this.#failures), asks ? slowDown(this.#failures, wish) : 0);
    this.#openUntil = new Date(now.getTime() + pause);
    if (pause > 0) this.drop();
    return this.#outcome(null);
  }

  #succeed(now: Date): TargetOutcome | null {
    const changes = this.#failures > 0 || this.#openUntil !== null;
    this.#failures = 0;
    this.#failingSince = null;
    this.#openUntil = null;
    if (this.#slow === 0) this.#pace = Math.min(this.#pace + 1, LAST_PACE);
    if (!changes && now.getTime() - this.#toldSuccessAt < TELL_SUCCESS_MS) return null;
    this.#toldSuccessAt = now.getTime();
    return this.#outcome(now);
  }

  #begin(state: Omit<TargetState, 'id'> & { url: string | null }): void {
    this.#failures = state.failures;
    this.#failingSince = state.failingSince;
    this.#openUntil = state.openUntil;
    this.#url = state.url;
  }

  #outcome(lastSuccessAt: Date | null): TargetOutcome {
    return {
      id: this.id,
      failures: this.#failures,
      failingSince: this.#failingSince,
      openUntil: this.#openUntil,
      failingUrl: this.#failures > 0 ? this.#url : null,
      lastSuccessAt,
    };
  }
}
