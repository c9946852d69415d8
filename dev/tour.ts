/** `npm run tour`: walks a number through its whole life against the running stack and shows each step. */
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { workflowId } from '../contract/messages.ts';
import { isValidMobileNumber } from '../contract/phone.ts';
import type { EventView, NumberView } from '../contract/views.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { explain, Fault } from './fault.ts';
import type { Message, MessageSummary } from './inbox/message.ts';

const REASON = 'The address does not match the business; please send the registered one.';
const EMAIL_WAIT_MS = 30_000;
/** As many numbers may be taken before the tour gives up. */
const DRAWS = 20;

const say = (line = '') => console.log(line);
const show = (line: string) => say(line.replace(/^/gm, '    '));
let steps = 0;
const step = (title: string) => say(`\n${++steps}. ${title}`);

/** Ends the tour in one sentence when something is not as it should be. */
function expect(isTrue: boolean, sentence: string): asserts isTrue {
  if (!isTrue) throw new Fault(`The tour ended at step ${steps}: ${sentence}`);
}

interface Answer<T> {
  status: number;
  body: T & { code?: string; detail?: string };
}

async function call<T>(
  url: string,
  options: { key?: string; method?: string; body?: unknown } = {},
): Promise<Answer<T>> {
  const { key, method = 'GET', body } = options;
  const headers: Record<string, string> = {};
  if (key !== undefined) headers['authorization'] = `Bearer ${key}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['idempotency-key'] = randomUUID();
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    return { status: response.status, body: (await response.json()) as Answer<T>['body'] };
  } catch (error) {
    throw new Fault(
      `${method} ${url} failed (${(error as Error).message}). Is the stack up? Its logs say more.`,
    );
  }
}

function showNumber(number: NumberView): void {
  const waits = number.waitingFor === null ? 'waits for nobody' : `waits for ${number.waitingFor}`;
  show(`${number.mobileNumber}  ${number.displayName}`);
  show(`${number.status}, ${waits}  (attempt ${number.attempt}, revision ${number.revision})`);
}

/** A number in the range that the United States keep free within each area code; valid, and nobody's. */
function drawNumber(): string {
  for (;;) {
    const area = `${randomInt(2, 10)}${randomInt(0, 10)}${randomInt(0, 10)}`;
    const number = `+1${area}55501${String(randomInt(0, 100)).padStart(2, '0')}`;
    if (isValidMobileNumber(number)) return number;
  }
}

async function tour({ apiUrl, mailUrl, temporalUiUrl, customer, support }: Credentials): Promise<void> {
  const numbers = `${apiUrl}/v1/numbers`;
  /** Calls as someone, and expects a status of the number. */
  const act = async (key: string, method: string, path: string, body: unknown, status: string) => {
    const answer = await call<NumberView>(`${numbers}${path}`, { key, method, body });
    const { code, detail } = answer.body;
    expect(
      answer.status === 200,
      `${method} ${path} answered ${answer.status} ${code ?? ''} ${detail ?? ''}.`,
    );
    expect(answer.body.status === status, `the number is ${answer.body.status}, not ${status}.`);
    showNumber(answer.body);
    return answer.body;
  };

  step(`${customer.email} submits a number`);
  const { id, mobileNumber } = await submit(numbers, customer.apiKey);

  step(`${support.email} looks at the queue and rejects it with a reason`);
  show(`"${REASON}"`);
  const rejection = { outcome: 'rejected', reason: REASON, fields: ['address'], attempt: 1 };
  const rejected = await act(support.apiKey, 'POST', `/${id}/verification`, rejection, 'REJECTED');
  expect(rejected.rejection?.reason === REASON, 'the rejection does not carry the reason.');

  step('The email about it');
  const emails = await mailOf(mailUrl, mobileNumber, id, 2);
  const about = emails.at(-1);
  if (about) {
    show(
      `To: ${about.To.map(({ Address }) => Address).join(', ')}\nSubject: ${about.Subject}\n\n${about.Text.trim()}`,
    );
    expect(about.Text.includes(REASON), 'the email does not hold the reason.');
  } else show('It went to the mail server of SMTP_URL.');

  step('The customer corrects the address and submits again');
  const address = '1 Market Street, San Francisco, CA 94105';
  await act(customer.apiKey, 'POST', `/${id}/resubmission`, { address }, 'PENDING_VERIFICATION');

  step(`${support.email} verifies it`);
  const approval = { outcome: 'approved', attempt: 2 };
  await act(support.apiKey, 'POST', `/${id}/verification`, approval, 'PENDING_FACEBOOK_APPROVAL');

  step('Facebook approves it');
  await act(support.apiKey, 'POST', `/${id}/facebook-decision`, approval, 'APPROVED');

  step('The customer edits it; no approval is needed');
  const businessDescription = 'Widgets for every trade, delivered the same day.';
  const edited = await act(customer.apiKey, 'PATCH', `/${id}`, { businessDescription }, 'APPROVED');
  expect(edited.businessDescription === businessDescription, 'the edit is not in the answer.');
  show(`Business description: ${edited.businessDescription}`);

  step("The account's approved numbers, newest first");
  const list = await call<{ items: NumberView[] }>(`${numbers}?status=APPROVED&limit=5`, {
    key: customer.apiKey,
  });
  expect(list.status === 200, `the list answered ${list.status}.`);
  expect(
    list.body.items.some((item) => item.id === id),
    'the number is not in the list.',
  );
  for (const item of list.body.items) show(`${item.mobileNumber}  ${item.status}  ${item.displayName}`);

  step('Its timeline');
  const events = await call<{ items: EventView[] }>(`${numbers}/${id}/events`, { key: customer.apiKey });
  expect(events.status === 200, `the timeline answered ${events.status}.`);
  for (const { at, type, actor, attempt } of events.body.items) {
    show(`${at.slice(11, 19)}  attempt ${attempt}  ${type.padEnd(22)} by ${actor.type}`);
  }

  step('All its emails');
  for (const { Subject, To } of await mailOf(mailUrl, mobileNumber, id, 5)) {
    show(`${Subject}  →  ${To.map(({ Address }) => Address).join(', ')}`);
  }
  if (mailUrl === null) show('They went to the mail server of SMTP_URL.');

  const workflow = workflowId({ mobileNumber, id, attempt: 2 });
  say('\nLook on:');
  if (temporalUiUrl !== null) {
    const namespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    show(`Its workflow  ${temporalUiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflow)}`);
  } else show(`Its workflow  ${workflow}`);
  if (mailUrl !== null) show(`Its emails    ${mailUrl}`);
  show(`The API       ${apiUrl}/docs`);
}

/** Submits a number that nobody holds. */
async function submit(numbers: string, key: string): Promise<NumberView> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const body = {
      mobileNumber: drawNumber(),
      displayName: 'Widgets Inc.',
      businessCategory: 'RETAIL',
      address: 'Behind the market',
      website: 'https://widgets.example',
    };
    const answer = await call<NumberView>(numbers, { key, method: 'POST', body });
    if (answer.body.code === 'number_taken') continue;
    const { code, detail } = answer.body;
    expect(
      answer.status === 201,
      `the submission was answered ${answer.status} ${code ?? ''} ${detail ?? ''}.`,
    );
    showNumber(answer.body);
    return answer.body;
  }
  throw new Fault(`The tour drew ${DRAWS} numbers and all were taken. Run \`npm run reset\` to begin anew.`);
}

/** The number's emails, oldest first, once there are `count`; none without an inbox. */
async function mailOf(
  mailUrl: string | null,
  mobileNumber: string,
  id: string,
  count: number,
): Promise<Message[]> {
  if (mailUrl === null) return [];
  const deadline = Date.now() + EMAIL_WAIT_MS;
  for (;;) {
    const { body } = await call<{ messages: MessageSummary[] }>(`${mailUrl}/api/v1/messages?limit=50`);
    const all = await Promise.all(
      body.messages.map(async ({ ID }) => (await call<Message>(`${mailUrl}/api/v1/message/${ID}`)).body),
    );
    const found = all.filter(
      ({ Text, Subject }) => `${Subject}\n${Text}`.includes(mobileNumber) || Text.includes(id),
    );
    if (found.length >= count) return found.reverse();
    expect(
      Date.now() < deadline,
      `${found.length} of ${count} emails arrived within ${EMAIL_WAIT_MS / 1000} s.`,
    );
    await sleep(200);
  }
}

try {
  await tour(readCredentials(process.env));
} catch (error) {
  console.error(`\n${explain(error)}`);
  process.exitCode = 1;
}
