import type { NumberEmailData } from '../../contract/emails.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, noted, numberSubject, paragraph } from './number.ts';

export function approved(data: NumberEmailData): Letter {
  return {
    subject: numberSubject('Your number is approved', data),
    heading: 'Your number is approved',
    blocks: [
      paragraph('Good news: Facebook approved your WhatsApp Business number.'),
      aboutNumber(data),
      ...noted('The approval comes with this note:', data),
      paragraph(
        'You can change its business profile at any time, without a new approval. Only the mobile number itself stays as it is.',
      ),
    ],
  };
}
