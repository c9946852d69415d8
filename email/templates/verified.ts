import type { NumberEmailData } from '../../contract/emails.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, noted, numberSubject, paragraph } from './number.ts';

/** Support approved; now it is Facebook's turn. */
export function verified(data: NumberEmailData): Letter {
  return {
    subject: numberSubject('Your number is now with Facebook', data),
    heading: 'Your number is now with Facebook',
    blocks: [
      paragraph('Good news: our support team checked the details of your number, and they are in order.'),
      aboutNumber(data),
      ...noted('Our support team adds:', data),
      paragraph(
        'The number is now with Facebook for approval. You do not have to do anything: we write to you as soon as Facebook has decided.',
      ),
    ],
  };
}
