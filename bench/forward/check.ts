/** Whether all that was accepted has arrived, once, in order and where it belongs. */
import type { Sent } from './load.ts';
import type { Arrivals } from './targets.ts';
import { EVENTS_PER_REQUEST, isForHealthy, TARGETS, type Traffic, targetOf } from './traffic.ts';

/** How many events. */
export interface Checked {
  /** Answered with 200. */
  accepted: number;
  /** Accepted, and never arrived at a healthy target. */
  lost: number;
  /** Arrived at a healthy target again. */
  doubled: number;
  /** Arrived at a healthy target after an event of the same conversation that had come to us later. */
  outOfOrder: number;
  /** Arrived again with another `webhook-id`. */
  otherId: number;
  /** Arrived where they do not belong. */
  strayed: number;
  wrongSignature: number;
  /** Accepted, and not stored once for its target, whatever the target's condition. */
  notStored: number;
  /** Webhooks, not events: sent again for want of an answer. */
  repeated: number;
  /** Of those that arrived, in a sample. */
  verified: number;
}

interface Told {
  traffic: Traffic;
  /** Of all phases, in their order; each has whole requests. */
  sent: Sent[];
  arrivals: Arrivals;
  /** Deliveries that are stored for each target, by place. */
  stored: number[];
}

/** Events of a conversation before one that it is compared with. */
const LOOK_BACK = 100;

/** What must not have happened, by name. Who is killed may have delivered something without having noted it. */
export function faultsOf(checked: Checked, { kill }: { kill: boolean }): string[] {
  const { accepted, repeated, verified, doubled, ...never } = checked;
  const counts = Object.entries(kill ? never : { doubled, ...never });
  return counts.filter(([, count]) => count > 0).map(([name]) => name);
}

/** Of each event: when its webhook was first sent, and answered with 200. */
export function timesOf(sent: Sent[]): { sentAt: Float64Array; answeredAt: Float64Array } {
  const spread = (of: 'sentAt' | 'answeredAt') => {
    const requests = sent.flatMap((one) => [...one[of]]);
    const length = requests.length * EVENTS_PER_REQUEST;
    return Float64Array.from({ length }, (_, event) => at(requests, Math.floor(event / EVENTS_PER_REQUEST)));
  };
  return { sentAt: spread('sentAt'), answeredAt: spread('answeredAt') };
}

export function check({ traffic, sent, arrivals, stored }: Told): Checked {
  const { firstAt, times, otherId, strayed, wrongSignature, verified } = arrivals;
  const { sentAt, answeredAt } = timesOf(sent);
  let [lost, doubled, outOfOrder] = [0, 0, 0];
  const accepted: number[] = Array(TARGETS).fill(0);
  const conversations = new Map<number, number[]>();
  for (let event = 0; event < answeredAt.length; event++) {
    const target = targetOf(at(traffic.numbers, event));
    accepted[target] = at(accepted, target) + 1;
    if (!isForHealthy(traffic, event)) continue;
    if (at(times, event) === 0) lost += 1;
    else doubled += at(times, event) - 1;
    const earlier = conversations.get(at(traffic.conversations, event)) ?? [];
    if (earlier.some((one) => isBefore(one, event) && at(firstAt, one) > at(firstAt, event))) outOfOrder += 1;
    conversations.set(at(traffic.conversations, event), [...earlier.slice(-LOOK_BACK), event]);
  }
  return {
    ...{ accepted: answeredAt.length, lost, doubled, outOfOrder, otherId, strayed, wrongSignature, verified },
    notStored: accepted.reduce((sum, count, target) => sum + Math.abs(count - at(stored, target)), 0),
    repeated: sent.reduce((sum, { repeated }) => sum + repeated, 0),
  };

  /** Webhooks that were under way together have no order; one that is sent again may have been stored at its first try. */
  function isBefore(one: number, other: number): boolean {
    const [first, second] = [one, other].map((event) => Math.floor(event / EVENTS_PER_REQUEST));
    return first === second || at(answeredAt, one) < at(sentAt, other);
  }
}

function at(list: ArrayLike<number>, place: number): number {
  return list[place] ?? Number.NaN;
}
