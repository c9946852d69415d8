/** What the way of a number at Meta asks of the customer, and what has changed there. */
import type {
  CodeEmailData,
  FacebookProblemData,
  NameDeclinedData,
  QualityEmailData,
} from '../../contract/emails.ts';
import type { QualityChange } from '../../contract/number.ts';
import { minute } from '../../contract/text.ts';
import { type Block, isolated, type Letter } from '../letter.ts';
import { aboutNumber, numberSubject, paragraph } from './number.ts';

export function codeNeeded(data: CodeEmailData): Letter {
  return {
    subject: numberSubject('Enter the code that Meta has sent', data),
    heading: 'Enter the code that Meta has sent',
    blocks: [
      paragraph(
        `To prove that the WhatsApp Business number is yours, Meta has sent a code of six digits to it ${way(data)}.`,
      ),
      aboutNumber(data),
      paragraph(
        `Please enter the code where you manage the number. Codes expire within minutes: there you can also ask for another one, by text message or by a call. Enter one by ${minute(data.dueAt)}.`,
      ),
    ],
  };
}

/** A week before the number is withdrawn. */
export function codeReminder(data: CodeEmailData): Letter {
  return {
    subject: numberSubject('A code is still awaited', data),
    heading: 'A code is still awaited',
    blocks: [
      paragraph(
        `Meta waits for a code that proves that the WhatsApp Business number is yours. Where nobody enters one by ${minute(data.dueAt)}, the number is withdrawn.`,
      ),
      aboutNumber(data),
      paragraph(
        'Please ask for another code where you manage the number, by text message or by a call, and enter it there.',
      ),
    ],
  };
}

function way({ codeMethod }: CodeEmailData): string {
  return codeMethod === 'VOICE' ? 'by a call' : 'by text message';
}

export function facebookProblem(data: FacebookProblemData): Letter {
  return {
    subject: numberSubject('Meta needs something from you', data),
    heading: 'Meta needs something from you',
    blocks: [
      paragraph('Your WhatsApp Business number cannot go on at Meta before this is put right:'),
      { type: 'quote', text: data.problem },
      aboutNumber(data),
      paragraph(
        `When it is, say so where you manage the number, and it goes on.${data.dueAt === undefined ? '' : ` Where nobody does by ${minute(data.dueAt)}, the number is withdrawn.`}`,
      ),
    ],
  };
}

/** A changed name; that of a number which is not approved yet is told as its rejection. */
export function nameDeclined(data: NameDeclinedData): Letter {
  return {
    subject: numberSubject('WhatsApp does not show the new name', data),
    heading: 'WhatsApp does not show the new name',
    blocks: [
      paragraph(`Meta declined the name ${isolated(data.declined)} for your WhatsApp Business number:`),
      { type: 'quote', text: data.reason },
      aboutNumber(data),
      paragraph(
        `${data.shown === null ? 'The number stays approved.' : `The number stays approved, and WhatsApp shows ${isolated(data.shown)}.`} To ask for another name, change the Display Name.`,
      ),
    ],
  };
}

export function quality(data: QualityEmailData): Letter {
  const what = data.changes.every(({ what }) => what === 'messagingLimit') ? 'messaging limit' : 'quality';
  return {
    subject: numberSubject(`The ${what} of your number got worse`, data),
    heading: `The ${what} of your number got worse`,
    blocks: [
      paragraph(`Meta has lowered the ${what} of your WhatsApp Business number.`),
      { type: 'facts', facts: data.changes.map(fact) },
      ...data.changes.map(({ what, to }): Block => paragraph(meaning(what, to))),
      aboutNumber(data),
      paragraph(
        'What to do: write to people who agreed to hear from you, only with what they expect, and less often. Make it easy to opt out, and look at the quality of your message templates in WhatsApp Manager.',
      ),
    ],
  };
}

const LABELS: Record<QualityChange['what'], string> = {
  qualityColor: 'Quality',
  connectionStatus: 'Status',
  messagingLimit: 'Messaging limit',
};

function fact({ what, from, to }: QualityChange): [string, string] {
  return [LABELS[what], `${to} (before: ${from ?? 'not known'})`];
}

const STATUSES: Record<string, string> = {
  FLAGGED:
    'FLAGGED: the quality of messages has been low. Where it does not rise, Meta may restrict the number.',
  RATE_LIMITED: 'RATE_LIMITED: Meta takes fewer messages of the number for now.',
  RESTRICTED:
    'RESTRICTED: the number has reached its limit, or may start no conversations for now. It can still answer people who write to it.',
  BANNED:
    'BANNED: Meta has banned the number, and it sends and receives nothing. Appeal in WhatsApp Manager.',
  DISCONNECTED: 'DISCONNECTED: the number sends and receives nothing. Contact our support team.',
  DELETED: 'DELETED: Meta does not have the number any more. Contact our support team.',
};

/** `to` is Meta's word. */
function meaning(what: QualityChange['what'], to: string): string {
  switch (what) {
    case 'qualityColor':
      return to === 'RED'
        ? 'RED: many people have blocked or reported messages of the number in the last days.'
        : 'YELLOW: some people have blocked or reported messages of the number in the last days.';
    case 'connectionStatus':
      return Object.hasOwn(STATUSES, to) ? (STATUSES[to] ?? '') : `${to} is Meta's word for it.`;
    case 'messagingLimit':
      return `${to}: to so many people the number may write first within 24 hours.`;
  }
}
