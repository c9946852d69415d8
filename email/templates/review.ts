/** To our own people: what waits for a decision. */
import type { ReviewEmailData, ReviewLine, ReviewRequestData } from '../../contract/emails.ts';
import { STAGES, type Stage } from '../../contract/number.ts';
import { minute } from '../../contract/text.ts';
import { type Block, isolated, type Letter, linkBlock } from '../letter.ts';
import { paragraph } from './number.ts';

const STAGE_NAMES: Record<Stage, string> = { verification: 'Verification', facebook: 'Facebook approval' };

/** The daily digest: due before the next one, and overdue. */
export function reviewDigest(data: ReviewEmailData): Letter {
  const due = total(data, 'due');
  const overdue = total(data, 'overdue');
  return {
    subject: `Reviews on ${data.day}: ${overdue} overdue, ${due} due`,
    heading: `Reviews on ${data.day}`,
    blocks: [
      paragraph(`${count(overdue)} overdue, and ${count(due)} due before the next digest.`),
      {
        type: 'facts',
        facts: STAGES.map((stage) => [
          STAGE_NAMES[stage],
          `${data.counts[stage].overdue} overdue, ${data.counts[stage].due} due`,
        ]),
      },
      ...waiting(data),
    ],
  };
}

/** To the second address: what has waited more than three times as long as it should. */
export function reviewEscalation(data: ReviewEmailData): Letter {
  const overdue = total(data, 'overdue');
  return {
    subject: `Escalation on ${data.day}: ${count(overdue)} overdue by far`,
    heading: `Reviews overdue by far on ${data.day}`,
    blocks: [
      paragraph(`${count(overdue)} waiting for more than three times as long as planned.`),
      {
        type: 'facts',
        facts: STAGES.map((stage) => [STAGE_NAMES[stage], String(data.counts[stage].overdue)]),
      },
      ...waiting(data),
    ],
  };
}

/** To a supporter who decides from the inbox: one submission, and where to decide on it. */
export function reviewRequest(data: ReviewRequestData): Letter {
  return {
    subject: `To verify: ${data.lastFour}${data.attempt > 1 ? ` (attempt ${data.attempt})` : ''}, ${data.displayName}`,
    heading: 'A number waits for verification',
    blocks: [
      paragraph(`${isolated(data.accountName)} submitted a WhatsApp Business number.`),
      {
        type: 'facts',
        facts: [
          ['Display Name', data.displayName],
          ['Mobile Number', data.lastFour],
          ['Business Category', data.category],
          ['Due', minute(data.dueAt)],
          ['Reference', data.numberId],
        ],
      },
      linkBlock('Look at it and decide', data.link),
      paragraph(
        `The link is yours alone: do not forward this email. It decides once, and until ${minute(data.expiresAt)}.`,
      ),
    ],
  };
}

function waiting({ lines, more, at }: ReviewEmailData): Block[] {
  return [
    paragraph('The longest waiting first:'),
    { type: 'list', items: lines.map((line) => lineText(line, at)) },
    ...(more > 0 ? [paragraph(`… and ${more} more.`)] : []),
  ];
}

function lineText(line: ReviewLine, at: string): string {
  const due = `${line.dueAt <= at ? 'overdue since' : 'due'} ${minute(line.dueAt)}`;
  const stage = `${STAGE_NAMES[line.stage]}${line.unanswered ? ', no answer from the customer' : ''}`;
  return `${isolated(line.displayName)}, ${line.lastFour}: ${stage}, ${due}, waiting since ${minute(line.waitingSince)} (${line.numberId})`;
}

function total(data: ReviewEmailData, what: 'due' | 'overdue'): number {
  return STAGES.reduce((sum, stage) => sum + data.counts[stage][what], 0);
}

function count(numbers: number): string {
  return numbers === 1 ? '1 number is' : `${numbers} numbers are`;
}
