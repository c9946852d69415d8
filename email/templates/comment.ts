import type { CommentEmailData } from '../../contract/emails.ts';
import { minute } from '../../contract/text.ts';
import type { Letter } from '../letter.ts';
import { aboutNumber, fieldList, numberSubject, paragraph } from './number.ts';

/** Support says or asks something about a number. */
export function comment(data: CommentEmailData): Letter {
  const asks = data.replyDueAt !== null;
  const { fields = [] } = data;
  const heading = asks ? 'Our support team has a question' : 'Our support team wrote to you';
  return {
    subject: numberSubject(asks ? 'A question about your number' : 'A comment on your number', data),
    heading,
    blocks: [
      paragraph(
        asks
          ? 'Our support team needs an answer from you before it can go on with your WhatsApp Business number:'
          : 'Our support team wrote about your WhatsApp Business number:',
      ),
      { type: 'quote', text: data.text },
      ...(fields.length === 0 ? [] : [paragraph('It is about:'), fieldList(fields)]),
      aboutNumber(data),
      paragraph(
        asks
          ? `Please answer with a comment on the number by ${minute(data.replyDueAt ?? '')}. The review goes on when you have.`
          : 'You can answer with a comment on the number.',
      ),
    ],
  };
}
