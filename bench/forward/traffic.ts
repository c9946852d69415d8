/**
 * Who is told what in a run: worked out anew, and the same, in each process that needs to know. An event is known by its
 * place in the run, which is in Meta's id of it.
 */

const ACCOUNTS = 100;
/** One of them has an Incoming URL, the others share the account's callback profile. */
const NUMBERS_PER_ACCOUNT = 10;
/** End users that talk to a number. */
const USERS = 20;
export const NUMBERS = ACCOUNTS * NUMBERS_PER_ACCOUNT;
export const TARGETS = ACCOUNTS * 2;
export const EVENTS_PER_REQUEST = 10;
/** Of one number: Meta puts what it has for a number into one `value`. */
const EVENTS_PER_VALUE = 2;

/** `broken`: hangs up. `silent`: never answers. `slow`: answers in 10 s. */
export type Condition = 'healthy' | 'broken' | 'silent' | 'slow';
const SICK: Record<Exclude<Condition, 'healthy'>, number[]> = {
  broken: [10, 51, 90],
  silent: [31, 70],
  slow: [21, 40, 61, 120, 181],
};

export interface Phase {
  name: string;
  events: number;
  requestsPerSecond: number;
  /** Whether sick targets are told anything. */
  sick: boolean;
}

export interface Traffic {
  /** Of each event. */
  numbers: Uint16Array;
  conversations: Uint32Array;
}

export const accountOf = (number: number) => Math.floor(number / NUMBERS_PER_ACCOUNT);
export const hasIncomingUrl = (number: number) => number % NUMBERS_PER_ACCOUNT === 0;
export const targetOf = (number: number) => accountOf(number) * 2 + (hasIncomingUrl(number) ? 0 : 1);

const ALL = Array.from({ length: TARGETS }, (_, target) => target);
const CONDITIONS = ALL.map((target) => {
  const [found] = Object.entries(SICK).find(([, targets]) => targets.includes(target)) ?? [];
  return (found ?? 'healthy') as Condition;
});

/** Of a target of the run. */
export function conditionOf(target: number): Condition {
  return CONDITIONS[target] ?? 'healthy';
}

const HEALTHY = ALL.filter((target) => conditionOf(target) === 'healthy');

/**
 * Targets get equally much. Every second `value` is of a conversation that is under way, so that its events come close
 * upon each other; the others are of any.
 */
export function planTraffic(phases: Phase[]): Traffic {
  const total = phases.reduce((sum, { events }) => sum + events, 0);
  const traffic = { numbers: new Uint16Array(total), conversations: new Uint32Array(total) };
  const draw = drawing(1);
  const numberOf = (target: number) =>
    Math.floor(target / 2) * NUMBERS_PER_ACCOUNT + (target % 2 === 0 ? 0 : 1 + draw(NUMBERS_PER_ACCOUNT - 1));
  const underWay = ALL.map((target) => numberOf(target) * USERS + draw(USERS));
  let event = 0;
  for (const { events, sick } of phases) {
    const targets = sick ? ALL : HEALTHY;
    const end = event + events;
    for (let value = 0; event < end; value++) {
      const target = targets[(value * 7) % targets.length] ?? 0;
      if (draw(10) === 0) underWay[target] = numberOf(target) * USERS + draw(USERS);
      const number = numberOf(target);
      const talking = draw(2) === 0 ? underWay[target] : undefined;
      for (let n = 0; n < EVENTS_PER_VALUE && event < end; n++, event++) {
        const conversation = talking ?? number * USERS + draw(USERS);
        traffic.conversations[event] = conversation;
        traffic.numbers[event] = Math.floor(conversation / USERS);
      }
    }
  }
  return traffic;
}

export function isForHealthy({ numbers }: Traffic, event: number): boolean {
  return conditionOf(targetOf(numbers[event] ?? 0)) === 'healthy';
}

/** Numbers below a limit that look drawn, the same each time: a linear congruential generator. */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Meta's ids and digits of what is seeded. */
export const wabaIdOf = (account: number) => String(100_000 + account);
export const digitsOf = (number: number) => `1212${2_000_000 + number}`;
export const phoneNumberIdOf = (number: number) => `9${digitsOf(number)}`;

/** What stands before an event's place in the run, in Meta's id of it. */
export const EVENT_MARK = 'wamid.BENCH';

/** The body of the webhook with the events from `first` on. */
export function bodyOf({ numbers, conversations }: Traffic, first: number, now: Date): string {
  const time = Math.floor(now.getTime() / 1000);
  const entry: unknown[] = [];
  const end = Math.min(first + EVENTS_PER_REQUEST, numbers.length);
  for (let from = first; from < end; from += EVENTS_PER_VALUE) {
    const number = numbers[from] ?? 0;
    const events = Array.from({ length: Math.min(EVENTS_PER_VALUE, end - from) }, (_, n) => {
      const user = String(16_505_550_000 + ((conversations[from + n] ?? 0) % USERS));
      return hasIncomingUrl(number)
        ? messageOf(from + n, user, String(time))
        : statusOf(from + n, user, String(time));
    });
    const value = {
      messaging_product: 'whatsapp',
      metadata: { display_phone_number: digitsOf(number), phone_number_id: phoneNumberIdOf(number) },
      [hasIncomingUrl(number) ? 'messages' : 'statuses']: events,
    };
    entry.push({ id: wabaIdOf(accountOf(number)), time, changes: [{ field: 'messages', value }] });
  }
  return JSON.stringify({ object: 'whatsapp_business_account', entry });
}

const messageOf = (event: number, from: string, timestamp: string) => ({
  from,
  id: `${EVENT_MARK}${event}=`,
  timestamp,
  type: 'text',
  text: { body: `Does number ${event} come in another color, and when would it be here?` },
});

const statusOf = (event: number, recipient: string, timestamp: string) => ({
  id: `${EVENT_MARK}${event}=`,
  status: event % 3 === 0 ? 'read' : 'delivered',
  timestamp,
  recipient_id: recipient,
  pricing: { billable: true, pricing_model: 'PMP', type: 'regular', category: 'utility' },
});
