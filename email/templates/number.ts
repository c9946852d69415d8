/** What the emails about a number have in common. */
import type { NumberEmailData } from '../../contract/emails.ts';
import { FIELD_LABELS, labelOf } from '../../contract/fields.ts';
import type { Block } from '../letter.ts';

/** Which number an email is about. From the second attempt on, also which attempt. */
export function aboutNumber(data: NumberEmailData): Block {
  const facts: [string, string][] = [
    [FIELD_LABELS.displayName, data.displayName],
    [FIELD_LABELS.mobileNumber, data.mobileNumber],
  ];
  if (data.attempt > 1) facts.push(['Attempt', String(data.attempt)]);
  facts.push(['Reference', data.numberId]);
  return { type: 'facts', facts };
}

/** E.g. `Your number is approved: +15555550123 (attempt 2), Acme Ltd`. */
export function numberSubject(what: string, data: NumberEmailData): string {
  // The name comes last: only it can be long, and what is cut is cut there.
  const attempt = data.attempt > 1 ? ` (attempt ${data.attempt})` : '';
  return `${what}: ${data.mobileNumber}${attempt}, ${data.displayName}`;
}

/** Fields by their labels. */
export function fieldList(fields: string[]): Block {
  return { type: 'list', items: fields.map(labelOf) };
}

/** What the reviewer said with an approval, in their own words; nothing where they said nothing. */
export function noted(before: string, { note = null }: NumberEmailData): Block[] {
  return note === null ? [] : [paragraph(before), { type: 'quote', text: note }];
}

export function paragraph(text: string): Block {
  return { type: 'paragraph', text };
}
