import type { MetaTroubleData } from '../../contract/emails.ts';
import { minute } from '../../contract/text.ts';
import { isolated, type Letter } from '../letter.ts';
import { paragraph } from './number.ts';

const HEADINGS = {
  token_refused: 'Meta does not take an access token any more',
  permission_missing: 'An access token lacks a permission at Meta',
};
const NEEDS = {
  token_refused: 'A new one is needed, from Meta Business Suite.',
  permission_missing:
    'It needs whatsapp_business_management, whatsapp_business_messaging and access to the WhatsApp Business Account.',
};

/** To our own people, and to the admins of the account whose token it is. */
export function metaTrouble(data: MetaTroubleData): Letter {
  const heading = HEADINGS[data.trouble];
  return {
    subject: `${heading}: ${data.wabaId}`,
    heading,
    blocks: [
      paragraph(
        `${whose(data)} No call to Meta is made with it since ${minute(data.at)}: numbers in this WhatsApp Business Account wait, and changes of them do not reach Meta.`,
      ),
      paragraph(`${NEEDS[data.trouble]} ${whatToDo(data)} What waits goes on by itself then.`),
      {
        type: 'facts',
        facts: [
          ['WhatsApp Business Account', data.wabaId],
          ['Error code of Meta', String(data.code ?? 'none')],
          ['Trace id of Meta', data.fbtraceId ?? 'none'],
          ['Connection', data.connectionId],
        ],
      },
    ],
  };
}

function whose({ accountName }: MetaTroubleData): string {
  return accountName === null
    ? 'The token is our own.'
    : `The token is that of the account ${isolated(accountName)}.`;
}

function whatToDo({ accountName, toStaff }: MetaTroubleData): string {
  if (accountName === null) return 'Set it as META_ACCESS_TOKEN and start the workers again.';
  return toStaff
    ? "The account's admins were written to, too."
    : 'Send a token with PUT /v1/meta-connection.';
}
