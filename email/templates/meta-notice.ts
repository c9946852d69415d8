import type { MetaNoticeData } from '../../contract/emails.ts';
import { minute } from '../../contract/text.ts';
import { isolated, type Letter } from '../letter.ts';
import { paragraph } from './number.ts';

/** To our own people, and to the admins of the account whose WhatsApp Business Account it is. */
export function metaNotice(data: MetaNoticeData): Letter {
  const { heading, details, advice, number, wabaId, accountName } = data;
  const whose =
    accountName === null ? 'It is our own.' : `It is that of the account ${isolated(accountName)}.`;
  const further = data.toStaff && accountName !== null ? " The account's admins were written to, too." : '';
  return {
    subject: `${heading}: ${wabaId}`,
    heading,
    blocks: [
      paragraph(`Meta told so on ${minute(data.at)}. ${whose}${further}`),
      ...(details.length > 0 ? [{ type: 'list' as const, items: details.map(isolated) }] : []),
      paragraph(advice),
      {
        type: 'facts',
        facts: [
          ['WhatsApp Business Account', wabaId],
          ...(number === null ? [] : [['Number', number] as [string, string]]),
          ['Connection', data.connectionId],
        ],
      },
    ],
  };
}
