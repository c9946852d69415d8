import type { CustomerCommentData } from '../../contract/emails.ts';
import { FIELD_LABELS } from '../../contract/fields.ts';
import type { NumberStatus } from '../../contract/number.ts';
import { isolated, type Letter } from '../letter.ts';
import { paragraph } from './number.ts';

const STATUS_WORDS: Record<NumberStatus, string> = {
  PENDING_VERIFICATION: 'waits for verification',
  PENDING_FACEBOOK_APPROVAL: "waits for Facebook's decision",
  APPROVED: 'approved',
  REJECTED: 'rejected',
  WITHDRAWN: 'withdrawn',
  RELEASED: 'released',
};

const ENOUGH =
  'This account has commented on many numbers within an hour. What else it says within the hour is not emailed: it is in the timelines only.';

/** To support: a customer says something that nobody asked. */
export function customerComment(data: CustomerCommentData): Letter {
  const attempt = data.attempt > 1 ? ` (attempt ${data.attempt})` : '';
  return {
    subject: `A customer commented: ${data.lastFour}${attempt}, ${data.displayName}`,
    heading: 'A customer commented on a number',
    blocks: [
      paragraph(`${isolated(data.accountName)} wrote about a WhatsApp Business number:`),
      { type: 'quote', text: data.text, marked: true },
      {
        type: 'facts',
        facts: [
          [FIELD_LABELS.displayName, data.displayName],
          [FIELD_LABELS.mobileNumber, data.lastFour],
          ['Status', `${STATUS_WORDS[data.status]}${attempt}`],
          ['Reference', data.numberId],
        ],
      },
      paragraph(
        'Please answer with a comment on the number. Until you do, what else is said about it this hour is not emailed: read the timeline for more.',
      ),
      ...(data.lastForNow ? [paragraph(ENOUGH)] : []),
    ],
  };
}
