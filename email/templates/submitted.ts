import type { NumberEmailData } from '../../contract/emails.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, numberSubject, paragraph } from './number.ts';

/** The receipt, for each attempt. */
export function submitted(data: NumberEmailData): Letter {
  return {
    subject: numberSubject('We received your number', data),
    heading: 'We received your number',
    blocks: [
      paragraph(
        data.attempt > 1
          ? 'Thank you. We received your WhatsApp Business number again.'
          : 'Thank you. We received your WhatsApp Business number.',
      ),
      aboutNumber(data),
      paragraph(
        'Our support team checks the details first, then Facebook decides. You do not have to do anything now: we write to you when there is news.',
      ),
    ],
  };
}
