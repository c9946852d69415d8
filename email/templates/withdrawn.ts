import type { WithdrawnEmailData } from '../../contract/emails.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, numberSubject, paragraph } from './number.ts';

const BY_OPERATOR =
  'An operator on our side withdrew your WhatsApp Business number before it was approved. It is no longer under review.';
const NO_CODE =
  'Nobody entered the code that Meta sent to your WhatsApp Business number within 30 days, so the number was withdrawn. It is no longer under review.';
const NOT_PUT_RIGHT =
  'What held up your WhatsApp Business number at Meta was not put right within 30 days, so the number was withdrawn. It is no longer under review.';

/** Withdrawn by an operator, or by itself; a submitter who withdraws has seen the answer and gets none. */
export function withdrawn(data: WithdrawnEmailData): Letter {
  return {
    subject: numberSubject('Your number was withdrawn', data),
    heading: 'Your number was withdrawn',
    blocks: [
      paragraph(data.codeNotEntered ? NO_CODE : data.notPutRight ? NOT_PUT_RIGHT : BY_OPERATOR),
      aboutNumber(data),
      paragraph(
        'If you did not expect this, please contact our support team and name the reference above. You can submit the number again as a new one.',
      ),
    ],
  };
}
