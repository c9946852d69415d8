/** The body of a webhook: the same bytes on each retry, so it is made only of what never changes. */
import type { StoredType } from './deliveries.ts';

export interface EventToTell {
  type: StoredType;
  at: Date;
  numberId: string;
  /** E.164. */
  mobileNumber: string;
  /** JSON: Meta's `value` cut to this event, or the further members of `data`. */
  content: string;
}

/** `{ type, timestamp, data: { numberId, mobileNumber, …, meta } }` as JSON. Meta's part stays as it is stored, byte for byte. */
export function webhookBody({ type, at, numberId, mobileNumber, content }: EventToTell): string {
  const fromMeta = type === 'message.received' || type === 'message.status';
  const rest = fromMeta ? `"meta":${content}` : content.slice(1, -1).trim();
  const known = `"numberId":${JSON.stringify(numberId)},"mobileNumber":${JSON.stringify(mobileNumber)}`;
  const data = rest === '' ? `{${known}}` : `{${known},${rest}}`;
  return `{"type":"${type}","timestamp":"${at.toISOString()}","data":${data}}`;
}
