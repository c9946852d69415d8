/** `npm run tour`: walks a number through its whole life against the running stack, and shows what happens. */

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, NoAnswerError, ProblemError } from '../client/index.ts';
import { workflowId } from '../contract/messages.ts';
import type { NumberView } from '../contract/views.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { explain, Fault } from './fault.ts';

/** How long the tour waits for an email. */
const EMAIL_WAIT_MS = 30_000;

interface Message {
  ID: string;
  Subject: string;
  Text: string;
}

async function tour(stack: Credentials): Promise<void> {
  const { numbers } = createClient({ baseUrl: stack.apiUrl, apiKey: stack.customer.apiKey });
  const { reviews } = createClient({ baseUrl: stack.apiUrl, apiKey: stack.support.apiKey });
  const mail = inbox(stack);

  step('A customer submits a number, with an address that is not theirs.');
  let number = await submit(numbers);
  const { id } = number;
  show(number);

  step('Support looks at it, and rejects it with a reason.');
  number = await reviews.verify(id, {
    outcome: 'rejected',
    reason: 'The address belongs to another company.',
    fields: ['address'],
  });
  expectStatus(number, 'REJECTED');
  show(number);

  step('The submitter reads why.');
  const rejection = await mail.find(number, /not approved|rejected/i);
  if (rejection) {
    if (!rejection.Text.includes('The address belongs to another company.')) {
      throw new Fault('The email about the rejection does not hold the reason.');
    }
    console.log(indent(`${rejection.Subject}\n\n${rejection.Text.trim()}`));
  }

  step('The customer corrects the address and submits it again.');
  number = await numbers.resubmit(id, { address: 'Via Roma 1, Milano' });
  expectStatus(number, 'PENDING_VERIFICATION');
  show(number);

  step('Support verifies it: now it waits for Facebook.');
  number = await reviews.verify(id, { outcome: 'approved' });
  expectStatus(number, 'PENDING_FACEBOOK_APPROVAL');
  show(number);

  step('Facebook approves, which support records.');
  number = await reviews.recordFacebookDecision(id, { outcome: 'approved' });
  expectStatus(number, 'APPROVED');
  show(number);

  step('The customer edits the approved number; that needs no approval.');
  number = await numbers.edit(id, {
    website: 'https://www.example.com',
    businessDescription: 'Widgets, well made.',
  });
  expectStatus(number, 'APPROVED');
  console.log(indent(`website ${number.website}, revision ${number.revision}`));

  step("The customer's numbers, newest first.");
  const { items } = await numbers.list({ limit: 3 }).page();
  if (!items.some((item) => item.id === number.id)) throw new Fault('The list does not show the number.');
  for (const item of items) console.log(indent(`${item.mobileNumber}  ${item.displayName}  ${item.status}`));

  step('Its whole story.');
  for await (const event of numbers.events(id)) {
    console.log(indent(`${event.at.slice(11, 19)}  ${event.type.padEnd(22)}  by ${event.actor.type}`));
  }

  step('The emails it was told by.');
  await mail.find(number, /approved/i, 5);
  for (const message of await mail.about(number)) console.log(indent(message.Subject));

  step('Where to look further.');
  const workflow = workflowId(number);
  if (stack.temporalUiUrl) {
    const page = `${stack.temporalUiUrl}/namespaces/${process.env['TEMPORAL_NAMESPACE'] || 'default'}/workflows/${encodeURIComponent(workflow)}`;
    console.log(indent(`In the Temporal UI (tab "User Metadata" tells its story in words):\n${page}`));
  }
  console.log(indent(`API reference: ${stack.apiUrl}/docs`));
  if (stack.mailUrl) console.log(indent(`Inbox: ${stack.mailUrl}`));
  console.log('\nThe tour is complete.');
}

/** Submits a number that nobody has; draws another one where it is taken. */
async function submit(numbers: Client['numbers']): Promise<NumberView> {
  for (let tries = 0; ; tries++) {
    try {
      return await numbers.submit({
        displayName: 'Widgets number',
        mobileNumber: `+1 415 ${randomInt(200, 1000)} ${String(randomInt(0, 10_000)).padStart(4, '0')}`,
        businessCategory: 'RETAIL',
        address: 'Somewhere else 7',
      });
    } catch (error) {
      if (tries === 5 || !(error instanceof ProblemError) || error.code !== 'number_taken') throw error;
    }
  }
}

/** The embedded inbox; with a mail server of one's own there is nothing to show. */
function inbox({ mailUrl }: Credentials) {
  async function about(number: NumberView): Promise<Message[]> {
    if (!mailUrl) return [];
    const read = async (path: string) =>
      (await fetch(mailUrl + path, { signal: AbortSignal.timeout(10_000) })).json();
    const { messages } = (await read('/api/v1/messages?limit=200')) as {
      messages: (Message & { MessageID: string })[];
    };
    const own = messages.filter((message) => message.MessageID.includes(number.id)).reverse();
    return Promise.all(own.map(({ ID }) => read(`/api/v1/message/${ID}`) as Promise<Message>));
  }

  /** Waits for an email whose subject fits, and for as many of the number as `count`. Null without an inbox. */
  async function find(number: NumberView, subject: RegExp, count = 1): Promise<Message | null> {
    if (!mailUrl) return null;
    const deadline = Date.now() + EMAIL_WAIT_MS;
    for (;;) {
      const messages = await about(number);
      const found = messages.find((message) => subject.test(message.Subject));
      if (found && messages.length >= count) return found;
      if (Date.now() > deadline) {
        throw new Fault(
          `The emails about ${number.mobileNumber} did not all arrive within ${EMAIL_WAIT_MS / 1000} s.`,
        );
      }
      await sleep(200);
    }
  }
  return { about, find };
}

function expectStatus(number: NumberView, status: NumberView['status']): void {
  if (number.status !== status) throw new Fault(`The number is ${number.status}; it should be ${status}.`);
}

let steps = 0;
function step(text: string): void {
  steps += 1;
  console.log(`\n${steps}. ${text}`);
}

function show(number: NumberView): void {
  const { mobileNumber, status, attempt, waitingFor, nextAction } = number;
  const due = nextAction?.dueAt ? `, due ${nextAction.dueAt.slice(0, 16).replace('T', ' ')} UTC` : '';
  console.log(indent(`${mobileNumber}  ${status}  attempt ${attempt}`));
  if (waitingFor) console.log(indent(`waits for ${waitingFor} to ${nextAction?.type}${due}`));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '     ');
}

try {
  await tour(readCredentials(process.env));
} catch (error) {
  const told = error instanceof ProblemError || error instanceof NoAnswerError;
  console.error(`\n${told ? error.message : explain(error)}`);
  process.exitCode = 1;
}
