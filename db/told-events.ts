/** Which events of a number a customer's systems are told of, and what. */
import type {
  EventType,
  NumberEvent,
  NumberState,
  NumberStatus,
  RejectionNotice,
} from '../contract/number.ts';
import type { NumberRow } from './number-row.ts';
import type { OwnEvent } from './own-events.ts';

/** The status that a number has with an event. */
const STATUS_WITH: Partial<Record<EventType, NumberStatus>> = {
  resubmitted: 'PENDING_VERIFICATION',
  'verification.approved': 'PENDING_FACEBOOK_APPROVAL',
  'verification.rejected': 'REJECTED',
  'facebook.approved': 'APPROVED',
  'facebook.rejected': 'REJECTED',
  withdrawn: 'WITHDRAWN',
  released: 'RELEASED',
};

type Told = Pick<OwnEvent, 'type' | 'data'>;

/**
 * `before`: the row that the events were made of. What one operation tells of the quality is told once. Nothing is sent for
 * a number that is not approved: what waited would be old, and looked at again and again.
 */
export function toldEvents(before: NumberRow, state: NumberState, events: NumberEvent[]): OwnEvent[] {
  const isSent = state.status === 'APPROVED' && state.profile.incomingUrl !== null;
  const target = isSent ? ('incoming' as const) : null;
  const told = events.flatMap((event): OwnEvent[] => {
    const one = toldOf(before, state, event);
    const { operationId, at, revision } = event;
    return one
      ? [
          {
            ...one,
            numberId: before.id,
            operationId,
            at: new Date(at),
            target,
            data: { ...one.data, revision },
          },
        ]
      : [];
  });
  const isLast = ({ operationId, type }: OwnEvent, index: number) =>
    !told.slice(index + 1).some((other) => other.operationId === operationId && other.type === type);
  return told.filter(isLast);
}

function toldOf(before: NumberRow, state: NumberState, event: NumberEvent): Told | null {
  const { quality } = state;
  switch (event.type) {
    case 'quality.changed':
    case 'status.changed':
      return {
        type: 'number.quality_changed',
        data: {
          ...pick(quality, 'qualityRating', 'qualityColor', 'connectionStatus', 'qualityAt', 'qualitySource'),
          previous: pick(before, 'qualityRating', 'qualityColor', 'connectionStatus'),
        },
      };
    case 'limit.changed':
      return {
        type: 'number.limit_changed',
        data: {
          ...pick(quality, 'messagingLimit', 'limitScope', 'limitAt', 'limitSource'),
          previous: pick(before, 'messagingLimit', 'limitScope'),
        },
      };
    default:
      return statusOf(event);
  }
}

function statusOf({ type, attempt, data }: NumberEvent): Told | null {
  const status = STATUS_WITH[type];
  if (!status) return null;
  return { type: 'number.status_changed', data: { status, attempt, rejection: rejectionOf(type, data) } };
}

function rejectionOf(type: EventType, data: NumberEvent['data']): RejectionNotice | null {
  const by = ({ 'verification.rejected': 'support', 'facebook.rejected': 'facebook' } as const)[
    type as string
  ];
  if (!by) return null;
  const { reason, code, fields } = data as unknown as RejectionNotice;
  return { by, reason, code, fields };
}

function pick<T, K extends keyof T>(from: T, ...fields: K[]): Pick<T, K> {
  return Object.fromEntries(fields.map((field) => [field, from[field]])) as Pick<T, K>;
}
