import type { NumberEmailData } from '../../contract/emails.ts';
import { FIELD_LABELS } from '../../contract/fields.ts';
import type { Block, Letter } from '../letter.ts';
import { aboutNumber, fieldList, numberSubject, paragraph } from './number.ts';

/** Carries the reason itself, the fields at fault and what to do next. */
export function rejected(data: NumberEmailData): Letter {
  const { rejection } = data;
  if (rejection === null) throw new Error('A rejection email needs the rejection.');
  const by = rejection.by === 'facebook' ? 'Facebook' : 'Our support team';
  return {
    subject: numberSubject('Your number was not approved', data),
    heading: 'Your number was not approved',
    blocks: [
      paragraph(`${by} looked at your WhatsApp Business number and could not approve it.`),
      aboutNumber(data),
      paragraph(
        `The reason, in the words of ${rejection.by === 'facebook' ? 'Facebook' : 'our support team'}:`,
      ),
      { type: 'quote', text: rejection.reason },
      ...(rejection.code === null ? [] : [paragraph(`Reason code: ${rejection.code}`)]),
      ...whatToDo(rejection.fields),
    ],
  };
}

function whatToDo(fields: string[]): Block[] {
  const next =
    'You can do so as long as nobody else has submitted the number meanwhile, and it keeps its reference.';
  if (fields.length === 0) {
    return [paragraph(`What to do next: correct what the reason names and resubmit the number. ${next}`)];
  }
  const blocks: Block[] = [paragraph('Please correct:'), fieldList(fields)];
  // A resubmission cannot change the number itself.
  if (fields.some((field) => field !== 'mobileNumber')) {
    blocks.push(paragraph(`What to do next: correct these and resubmit the number. ${next}`));
  }
  if (fields.includes('mobileNumber')) {
    blocks.push(paragraph(`To use another ${FIELD_LABELS.mobileNumber}, submit that one as a new number.`));
  }
  return blocks;
}
