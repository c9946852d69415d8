/** What the API answers about deliveries, their targets and the events behind them, and what it takes. */
import { z } from 'zod';
import {
  DELIVERY_STATES,
  type DeliveryAttempt,
  type DeliveryState,
  OFF_REASONS,
  type OffReason,
  type StoredType,
  TARGET_KINDS,
  type TargetKind,
  WEBHOOK_TYPES,
  type WebhookType,
} from './deliveries.ts';
import { object, orRequired } from './fields.ts';
import { idOf, timeOfId } from './ids.ts';
import { anyId, pageQuery, storableDate } from './queries.ts';
import { about, page, time } from './views.ts';

const DELIVERY_ID = 'dlv_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';
const EVENT_ID = 'evt_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';
const NUMBER_ID = 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';
const PROFILE_ID = 'cbp_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';

const since = z.iso
  .datetime({ offset: true, error: orRequired('Send a time like 2026-01-31T12:00:00Z.') })
  .transform(storableDate);
const status = z.enum(DELIVERY_STATES, { error: `Send one of ${DELIVERY_STATES.join(', ')}.` });

export const deliveryQuery = z.strictObject({
  status: status.optional().describe('Only deliveries that stand so.'),
  since: since.optional().meta(about('Only deliveries made then or later.', '2026-01-31T12:00:00Z')),
  ...pageQuery,
});

/** Body of a replay of many. */
export const replayBody = z.strictObject(
  {
    since: since.meta(about('Deliveries made then or later.', '2026-01-31T12:00:00Z')),
    status: status
      .optional()
      .describe('Only deliveries that stand so; left out, all that were not taken: `pending` and `failed`.'),
  },
  { error: object },
);

const target = z.enum(TARGET_KINDS, { error: orRequired('Send "incoming" or "callback".') });

/** Body of a test. */
export const testEventBody = z.strictObject(
  { target: target.describe("The number's Incoming URL, or its callback profile.") },
  { error: object },
);

const attempt = z
  .object({
    at: time.describe('When it began.'),
    status: z.int().nullable().meta(about('HTTP status of the answer; null without one.', 503)),
    latencyMs: z.int().meta(about('How long it took, in milliseconds.', 84)),
    answer: z
      .string()
      .nullable()
      .meta(about('The first 1,024 bytes of the answer; null without one.', 'Maintenance until 6 pm.')),
    error: z
      .string()
      .nullable()
      .meta(about('Why it failed; null where your system took it.', 'The answer was 503.')),
  })
  .meta({ id: 'DeliveryAttempt', description: 'One try to deliver an event.' });

export const deliveryView = z
  .object({
    id: z.string().meta(about('The delivery.', DELIVERY_ID)),
    eventId: z.string().meta(about('The event; sent as `webhook-id` at each try.', EVENT_ID)),
    type: z.enum(WEBHOOK_TYPES).describe('What the event tells of.'),
    numberId: z.string().meta(about('The number that it is about.', NUMBER_ID)),
    target: z.enum(TARGET_KINDS).describe('Where it goes: the Incoming URL, or a callback profile.'),
    callbackProfileId: z
      .string()
      .nullable()
      .meta(about('The callback profile; null for the Incoming URL.', PROFILE_ID)),
    status: z
      .enum(DELIVERY_STATES)
      .describe('`failed`: given up after the last try of the schedule. It can be replayed.'),
    createdAt: time.describe('When it was made.'),
    nextAttemptAt: time
      .nullable()
      .describe('When the next try is due, where the target takes any; null unless it is pending.'),
    settledAt: time.nullable().describe('When it was taken or given up; null while it is pending.'),
    attempts: z.array(attempt).describe('The tries, oldest first, with those before a replay; the last 30.'),
  })
  .meta({
    id: 'Delivery',
    description: 'That an event is to reach a system of yours, and the tries so far.',
  });
type DeliveryView = z.output<typeof deliveryView>;

export const deliveryPage = page(deliveryView, 'DeliveryPage', 'Deliveries, newest first.');

/** What is known of a delivery: its row, and what its event tells of. */
export interface DeliveryFacts {
  row: {
    id: string;
    targetId: string;
    numberId: string;
    state: DeliveryState;
    nextAt: Date;
    settledAt: Date | null;
    attempts: DeliveryAttempt[];
  };
  type: StoredType;
}

/** The target's id tells what it is. */
export function kindOf(targetId: string): TargetKind {
  return targetId.startsWith('cbp_') ? 'callback' : 'incoming';
}

export function viewDelivery({ row, type }: DeliveryFacts): DeliveryView {
  const id = idOf('dlv', row.id);
  const kind = kindOf(row.targetId);
  return {
    id,
    eventId: idOf('evt', row.id),
    // What is no webhook is not delivered.
    type: type as WebhookType,
    numberId: row.numberId,
    target: kind,
    callbackProfileId: kind === 'callback' ? row.targetId : null,
    status: row.state,
    // By which `since` goes, too.
    createdAt: new Date(timeOfId(id)).toISOString(),
    nextAttemptAt: row.state === 'pending' ? row.nextAt.toISOString() : null,
    settledAt: row.settledAt?.toISOString() ?? null,
    attempts: row.attempts,
  };
}

export const replayView = z
  .object({
    replayed: z.int().meta(about('How many are sent again.', 412)),
    heldBack: z
      .array(
        z.object({
          target: z.enum(TARGET_KINDS).describe('Where they would go.'),
          callbackProfileId: z
            .string()
            .nullable()
            .meta(about('The callback profile; null for the Incoming URL.', PROFILE_ID)),
          count: z.int().meta(about('How many.', 17)),
          code: z.string().meta(about('Why, as the `code` of a problem.', 'target_off')),
          detail: z.string().meta(about('Why, and what to do.', 'The Incoming URL is switched off.')),
        }),
      )
      .describe('What was left as it is, as nothing is sent to its target now.'),
    next: time.nullable().describe('There are more: send this as `since` to go on. Null where that was all.'),
  })
  .meta({ id: 'Replay', description: 'What is sent again.' });

export const testEventView = z
  .object({
    deliveryId: z.string().meta(about('Tells what came of it: GET /v1/deliveries/{id}.', DELIVERY_ID)),
  })
  .meta({ id: 'TestEvent', description: 'A test that is on its way.' });

export const secretView = z
  .object({
    secret: z
      .string()
      .meta(
        about(
          'Signs what is sent, as Standard Webhooks describe. Shown only here, and in the answer to a repeat with the same Idempotency-Key.',
          `whsec_${'A'.repeat(43)}=`,
        ),
      ),
    previousValidUntil: time
      .nullable()
      .describe('Until when the secret before it signs along; null where there was none.'),
  })
  .meta({ id: 'WebhookSecret', description: 'A new secret of a target.' });

/** How a target does. */
const standing = {
  state: z
    .enum(['on', 'off'])
    .describe('`off`: nothing is sent before it is switched on again; what arrives is kept for 30 days.'),
  offSince: time.nullable().describe('Since when it is off; null while it is on.'),
  offReason: z
    .enum(OFF_REASONS)
    .nullable()
    .describe('`failing`: it has failed for days. `gone`: it answered 410. Null while it is on.'),
  failingSince: time.nullable().describe('The first failure since the last success; null without one.'),
  pausedUntil: time
    .nullable()
    .describe(
      'Before that nothing is sent: it failed too often, or asked for time. Null where it is not so.',
    ),
  lastSuccessAt: time.nullable().describe('When it last took something; null before the first time.'),
};

export const targetStateView = z
  .object(standing)
  .meta({ id: 'TargetState', description: 'How a target does.' });
export type TargetStateView = z.output<typeof targetStateView>;

export const incomingUrlView = z
  .object({
    url: z
      .string()
      .nullable()
      .meta(
        about('Where it is sent to; null where there is no Incoming URL.', 'https://example.com/whatsapp'),
      ),
    ...standing,
  })
  .meta({ id: 'IncomingUrl', description: "A number's Incoming URL, and how it does." });

export interface TargetFacts {
  offAt: Date | null;
  offReason: OffReason | null;
  failingSince: Date | null;
  openUntil: Date | null;
  lastSuccessAt: Date | null;
}

/** Null: nothing was ever to be sent there. */
export function viewTargetState(row: TargetFacts | null, now = new Date()): TargetStateView {
  const {
    offAt = null,
    offReason = null,
    failingSince = null,
    openUntil = null,
    lastSuccessAt = null,
  } = row ?? {};
  return {
    state: offAt === null ? 'on' : 'off',
    offSince: offAt?.toISOString() ?? null,
    offReason,
    failingSince: failingSince?.toISOString() ?? null,
    pausedUntil: openUntil !== null && openUntil > now ? openUntil.toISOString() : null,
    lastSuccessAt: lastSuccessAt?.toISOString() ?? null,
  };
}

export const eventFeedQuery = z.strictObject({
  after: anyId.optional().meta(about('`id` of the last event that you have; none for the oldest.', EVENT_ID)),
  limit: pageQuery.limit,
});

const webhookEvent = z
  .object({
    id: z.string().meta(about('The event, as `webhook-id` tells it.', EVENT_ID)),
    type: z.enum(WEBHOOK_TYPES).describe('What it tells of.'),
    timestamp: time.describe('When that was; of a message, as Meta says.'),
    data: z
      .looseObject({
        numberId: z.string().meta(about('The number that it is about.', NUMBER_ID)),
        mobileNumber: z.string().meta(about('Its phone number, E.164.', '+14155550123')),
      })
      .describe(
        'What is told, as the webhook has it. Messages and statuses: `meta` is what Meta sent, cut to this one. ' +
          '`meta.update`: anything else that Meta sends of the number, such as calls: its `field`, and as `meta` its value. ' +
          '`number.status_changed`: `status`, `attempt`, `rejection` (`by`, `reason`, `code`, `fields`; null where it was ' +
          'not rejected); the Incoming URL is sent it for APPROVED only. `number.quality_changed`: `qualityRating`, `qualityColor`, `connectionStatus`, `qualityAt`, ' +
          '`qualitySource`, and `previous` with the first three. `number.limit_changed`: `messagingLimit`, `limitScope`, ' +
          '`limitAt`, `limitSource`, and `previous` with the first two. All of these have `revision`, that of the number ' +
          'with the change.',
      ),
  })
  .meta({ id: 'WebhookEvent', description: 'An event in the shape of its webhook, with its id.' });

export const eventFeed = z
  .object({
    items: z.array(webhookEvent).describe('Oldest first. Large events make a page shorter than `limit`.'),
    more: z.boolean().describe('Whether there are more: send the last `id` as `after`.'),
  })
  .meta({
    id: 'EventFeed',
    description: 'Events of an account, in an order in which nothing turns up before what was read.',
  });
