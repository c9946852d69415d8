import type { NumberEmailData } from '../../contract/emails.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, numberSubject, paragraph } from './number.ts';

/** Withdrawn by an operator; a submitter who withdraws has seen the answer and gets none. */
export function withdrawn(data: NumberEmailData): Letter {
  return {
    subject: numberSubject('Your number was withdrawn', data),
    heading: 'Your number was withdrawn',
    blocks: [
      paragraph(
        'An operator on our side withdrew your WhatsApp Business number before it was approved. It is no longer under review.',
      ),
      aboutNumber(data),
      paragraph(
        'If you did not expect this, please contact our support team and name the reference above. You can submit the number again as a new one.',
      ),
    ],
  };
}
