/** Facebook's decision where Meta is not connected. */
import type { NumberView } from '../../contract/views.ts';
import type { Tour } from './main.ts';
import { expectStatus, say, show, step } from './telling.ts';

export async function decidedByHand({ customer, support }: Tour, { id }: NumberView): Promise<NumberView> {
  step('Facebook approves, which support records.');
  const approved = await support.reviews.recordFacebookDecision(id, { outcome: 'approved' });
  expectStatus(approved, 'APPROVED');
  show(approved);

  step('The customer edits the approved number; that needs no approval.');
  const number = await customer.numbers.edit(id, {
    website: 'https://www.example.com',
    businessDescription: 'Widgets, well made.',
  });
  expectStatus(number, 'APPROVED');
  say(`website ${number.website}, revision ${number.revision}`);
  return number;
}
