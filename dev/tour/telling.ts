/** What the tour prints. */
import type { NumberView } from '../../contract/views.ts';
import { Fault } from '../fault.ts';

let steps = 0;

export function step(text: string): void {
  steps += 1;
  console.log(`\n${steps}. ${text}`);
}

export function say(text: string): void {
  console.log(text.replace(/^(?=.)/gm, '     '));
}

export function show(number: NumberView): void {
  const { mobileNumber, status, attempt, waitingFor, nextAction, facebook } = number;
  const due = nextAction?.dueAt ? `, due ${nextAction.dueAt.slice(0, 16).replace('T', ' ')} UTC` : '';
  say(`${mobileNumber}  ${status}  attempt ${attempt}`);
  if (waitingFor) say(`waits for ${waitingFor} to ${nextAction?.type}${due}`);
  if (facebook?.problem) say(`at Facebook: ${facebook.problem.message}`);
}

export function expectStatus(number: NumberView, status: NumberView['status']): void {
  if (number.status !== status) throw new Fault(`The number is ${number.status}; it should be ${status}.`);
}
