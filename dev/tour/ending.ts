/** What is left of a number's way: its story, its emails, where to look. */
import { workflowId } from '../../contract/messages.ts';
import type { NumberView } from '../../contract/views.ts';
import { Fault } from '../fault.ts';
import type { Tour } from './main.ts';
import { say, step } from './telling.ts';

export async function ended({ stack, customer, mail }: Tour, number: NumberView): Promise<void> {
  const { numbers } = customer;
  step("The customer's numbers, newest first.");
  const { items } = await numbers.list({ limit: 3 }).page();
  if (!items.some((item) => item.id === number.id)) throw new Fault('The list does not show the number.');
  for (const item of items) say(`${item.mobileNumber}  ${item.displayName}  ${item.status}`);

  step('Its whole story.');
  for await (const event of numbers.events(number.id)) {
    say(`${event.at.slice(11, 19)}  ${event.type.padEnd(24)}  by ${event.actor.type}`);
  }

  step('The emails it was told by.');
  await mail.find(number, / approved/i);
  for (const message of await mail.about(number)) say(message.Subject);

  step('Where to look further.');
  const { temporalUiUrl, mailUrl, apiUrl, metaUrl, endpointUrl } = stack;
  if (temporalUiUrl) {
    const namespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const page = `${temporalUiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId(number))}`;
    say(`In the Temporal UI (tab "User Metadata" tells its story in words):\n${page}`);
  }
  say(`API reference: ${apiUrl}/docs`);
  if (mailUrl) say(`Inbox: ${mailUrl}`);
  if (endpointUrl) say(`Meta, simulated: ${metaUrl}\nA customer's endpoint: ${endpointUrl}`);
  console.log('\nThe tour is complete.');
}
