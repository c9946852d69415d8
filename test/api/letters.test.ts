/** Links as people get them: from the API over the worker and a mail server to a browser. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { emails } from '../../db/schema.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { startStack, type TestStack } from '../support/stack.ts';

vi.setConfig({ testTimeout: 60_000 });

let stack: TestStack;
let api: ProductProcess;

beforeAll(async () => {
  stack = await startStack();
  api = await startApi({ ...stack.env, OPEN_SIGN_UP: 'true' });
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

const email = 'wanda@widgets.example';
const password = 'a password of the tests';

const post = (path: string, body: object) =>
  fetch(api.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** The link of the latest letter with a subject, which arrives within a moment: path and query. */
async function linkOf(subject: string): Promise<string> {
  const latest = () => stack.smtp.mails.filter(({ parsed }) => parsed.subject === subject).at(-1);
  await expect.poll(latest, { timeout: 20_000 }).toBeDefined();
  const mail = latest();
  expect(mail?.to).toEqual([email]);
  const link = /http:\/\/numbers\.example(\/\S+)/.exec(mail?.parsed.text ?? '')?.[1] ?? '';
  expect(mail?.parsed.html).toContain(`http://numbers.example${link}`);
  return link;
}

/** Presses the button of the page behind a link, as a browser does. */
async function press(link: string, fields: Record<string, string> = {}): Promise<number> {
  const page = await (await fetch(api.url + link)).text();
  const action = /<form method="post" action="([^"]+)"/.exec(page)?.[1] ?? '';
  const token = /name="token" value="([^"]+)"/.exec(page)?.[1] ?? '';
  const body = new URLSearchParams({ token, ...fields });
  const headers = { origin: 'null', 'sec-fetch-site': 'same-origin' };
  return (await fetch(api.url + action, { method: 'POST', headers, body })).status;
}

test('a sign-up is confirmed, and a forgotten password set anew', async () => {
  const signUp = { name: 'Wanda Widget', email, password, accountName: 'Widgets Inc.' };
  expect((await post('/v1/sign-ups', signUp)).status).toBe(202);
  expect(await press(await linkOf('Please confirm your email address'), { password })).toBe(200);
  expect((await post('/v1/session', { email, password })).status).toBe(200);

  expect((await post('/v1/password-resets', { email })).status).toBe(202);
  const another = 'another password of the tests';
  expect(await press(await linkOf('Set a new password'), { password: another })).toBe(200);
  expect((await post('/v1/session', { email, password })).status).toBe(401);
  expect((await post('/v1/session', { email, password: another })).status).toBe(200);

  // A link that was sent is nowhere but in its letter.
  const sent = () => stack.db.select().from(emails).where(eq(emails.state, 'sent'));
  await expect.poll(sent, { timeout: 20_000 }).toHaveLength(2);
  expect(JSON.stringify(await sent())).not.toContain('token=');
  expect(api.log()).not.toContain('token=');
});
