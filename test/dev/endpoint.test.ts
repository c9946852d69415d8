/** The sample customer endpoint over real HTTP. */
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type SampleEndpoint, startEndpoint } from '../../dev/endpoint/endpoint.ts';
import type { Receipt } from '../../dev/endpoint/receipts.ts';

const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`;
const BODY = JSON.stringify({ type: 'message.received', data: { text: 'Café <b>👋</b>' } });

/** Asks until it fits. */
const eventually = <T>(asked: () => T) => expect.poll(asked, { timeout: 20_000 });

async function start(): Promise<SampleEndpoint> {
  const endpoint = await startEndpoint({ port: 0 });
  onTestFinished(() => endpoint.close());
  return endpoint;
}

/** Headers as the specification of Standard Webhooks describes them, made without a library. */
function signed(secret: string, body = BODY, at = Date.now()): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`evt_1.${timestamp}.${body}`)
    .digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': 'evt_1',
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}

const send = ({ url }: SampleEndpoint, path: string, headers: Record<string, string> = {}, body = BODY) =>
  fetch(url + path, {
    method: 'POST',
    headers,
    body,
    redirect: 'manual',
    signal: AbortSignal.timeout(10_000),
  });

async function control({ url }: SampleEndpoint, method: string, path: string, body: object): Promise<number> {
  const response = await fetch(`${url}/control/${path}`, { method, body: JSON.stringify(body) });
  await response.arrayBuffer();
  return response.status;
}

async function received({ url }: SampleEndpoint, query = ''): Promise<Receipt[]> {
  return ((await (await fetch(`${url}/received${query}`)).json()) as { items: Receipt[] }).items;
}

test('what one of the secrets of a path has signed is verified, and nothing else', async () => {
  const endpoint = await start();
  const [old, now, other] = [newSecret(), newSecret(), newSecret()];
  expect(await control(endpoint, 'PUT', 'secret', { path: '/incoming', secrets: [now, old] })).toBe(200);
  expect(await control(endpoint, 'PUT', 'secret', { path: '/statuses', secrets: [other] })).toBe(200);
  for (const [path, headers, body] of [
    ['/incoming', signed(now)],
    ['/incoming', signed(old)],
    ['/incoming', signed(other)],
    ['/incoming', signed(now), BODY.replace('Café', 'Cafe')],
    ['/incoming', signed(now, BODY, Date.now() - 3_600_000)],
    ['/incoming', { 'content-type': 'application/json' }],
    ['/elsewhere', signed(now)],
  ] as [string, Record<string, string>, string?][]) {
    expect((await send(endpoint, path, headers, body)).status).toBe(200);
  }
  expect(await received(endpoint)).toMatchObject([
    {
      path: '/incoming',
      type: 'message.received',
      webhookId: 'evt_1',
      verified: true,
      reason: null,
      body: BODY,
    },
    { verified: true },
    { verified: false, reason: 'No matching signature found' },
    { verified: false, reason: 'No matching signature found' },
    { verified: false, reason: 'Message timestamp too old' },
    { verified: false, reason: 'Missing required headers', webhookId: null },
    { verified: false, reason: 'No secret is known for this path' },
  ]);
  expect(await received(endpoint, '?path=/elsewhere')).toHaveLength(1);
});

test('it answers as it is told to, and what is told for a number of requests ends with them', async () => {
  const endpoint = await start();
  await control(endpoint, 'POST', 'answer', { path: '/incoming', status: 503, retryAfter: 7, count: 2 });
  for (const status of [503, 503, 200]) expect((await send(endpoint, '/incoming')).status).toBe(status);
  expect((await send(endpoint, '/statuses')).status).toBe(200);
  await control(endpoint, 'POST', 'answer', { redirectTo: 'https://elsewhere.example/' });
  const redirected = await send(endpoint, '/statuses');
  expect([redirected.status, redirected.headers.get('location')]).toEqual([
    302,
    'https://elsewhere.example/',
  ]);
  expect((await received(endpoint)).map(({ answered }) => answered)).toEqual([503, 503, 200, 200, 302]);
});

test('one that never answers has taken the request, and ends with the endpoint', async () => {
  const endpoint = await startEndpoint({ port: 0 });
  await control(endpoint, 'POST', 'answer', { hang: true });
  const unanswered = send(endpoint, '/incoming').then(
    () => 'answered',
    () => 'cut off',
  );
  await eventually(() => received(endpoint)).toMatchObject([{ answered: null }]);
  await endpoint.close();
  expect(await unanswered).toBe('cut off');
});

test('it keeps the last 500', async () => {
  const endpoint = await start();
  for (let index = 0; index < 505; index++) await send(endpoint, '/incoming', {}, String(index));
  const kept = await received(endpoint);
  expect([kept.length, kept[0]?.body, kept.at(-1)?.body]).toEqual([500, '5', '504']);
});

test('the page shows what arrived, escaped, and takes a secret, which outlives a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'endpoint-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const secret = newSecret();
  const before = await startEndpoint({ port: 0, folder });
  const added = await fetch(`${before.url}/control/secret`, {
    method: 'POST',
    body: new URLSearchParams({ path: '/incoming', secret }),
    redirect: 'manual',
  });
  expect([added.status, added.headers.get('location')]).toEqual([303, '/']);
  await before.close();

  const after = await startEndpoint({ port: 0, folder });
  onTestFinished(() => after.close());
  await send(after, '/incoming', signed(secret));
  expect(await received(after)).toMatchObject([{ verified: true }]);
  const page = await (await fetch(after.url)).text();
  expect(page).toContain('Café &lt;b&gt;👋&lt;/b&gt;');
  expect(page).not.toContain(secret);
});

test('what is no secret is refused', async () => {
  const endpoint = await start();
  expect(await control(endpoint, 'PUT', 'secret', { path: '/incoming', secrets: ['whsec_'] })).toBe(400);
  expect(await control(endpoint, 'PUT', 'secret', { path: 'incoming', secrets: [newSecret()] })).toBe(400);
});
