import type { TargetOffData } from '../../contract/emails.ts';
import { minute } from '../../contract/text.ts';
import { isolated, type Letter } from '../letter.ts';
import { paragraph } from './number.ts';

const WHAT = {
  incoming: { title: 'Incoming URL', of: 'The messages of your WhatsApp Business number' },
  callback: { title: 'callback profile', of: 'The message statuses of your callback profile' },
};

/** Nothing is sent to a target of the customer any more. */
export function targetOff(data: TargetOffData): Letter {
  const { title, of } = WHAT[data.what];
  const facts: [string, string][] = [
    [data.what === 'incoming' ? 'Display Name' : 'Callback profile', data.name],
    ...(data.mobileNumber === null ? [] : [['Mobile Number', data.mobileNumber] as [string, string]]),
    ['Address', data.origin],
    ['Reference', data.reference],
  ];
  return {
    subject: `Your ${title} is switched off: ${data.mobileNumber ?? data.name}`,
    heading: `Your ${title} is switched off`,
    blocks: [
      paragraph(
        `${of} ${isolated(data.mobileNumber ?? data.name)} are not forwarded any more. ${whyOf(data)}`,
      ),
      { type: 'facts', facts },
      paragraph(
        'What arrives is kept for 30 days. When the address takes requests again, switch it on: then everything that was not taken is sent.',
      ),
    ],
  };
}

function whyOf({ reason, since }: TargetOffData): string {
  return reason === 'gone'
    ? 'The address answered with HTTP status 410 (gone).'
    : `The address has taken nothing since ${minute(since)}.`;
}
