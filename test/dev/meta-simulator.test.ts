/** The Meta simulator over real HTTP, as the product and tests use it. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { OUR_ACCOUNT, STACK_ACCOUNTS, STACK_APP } from '../../dev/meta/accounts.ts';
import type { SimulatorOptions } from '../../dev/meta/simulation.ts';
import { type MetaSimulator, startMetaSimulator } from '../../dev/meta/simulator.ts';

const { wabaId, token } = OUR_ACCOUNT;
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const HOUR = 3_600_000;

/** Asks until it fits. */
const eventually = <T>(asked: () => T) => expect.poll(asked, { timeout: 20_000 });

async function start(options: Partial<SimulatorOptions> = {}): Promise<MetaSimulator> {
  const simulator = await startMetaSimulator({ port: 0, ...STACK_APP, accounts: STACK_ACCOUNTS, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  body: any;
}

async function call(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const body = await response.text();
  return { status: response.status, body: body === '' ? null : JSON.parse(body) };
}

/** Calls of the Graph API by a token, and of the controls. */
function clientOf({ url }: { url: string }, bearer = token) {
  const send = (method: string, address: string, body: unknown, authorization?: string) =>
    call(address, {
      method,
      headers: {
        ...(authorization && { authorization }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const graph = (method: string) => (path: string, body?: object) =>
    send(method, `${url}/v26.0/${path}`, body, `Bearer ${bearer}`);
  const control = (method: string) => (path: string, body?: object) =>
    send(method, `${url}/control/${path}`, body);
  return {
    get: graph('GET'),
    post: graph('POST'),
    control: control('POST'),
    set: control('PUT'),
    patch: control('PATCH'),
    shown: control('GET'),
  };
}
type Client = ReturnType<typeof clientOf>;

let last = 4_155_550_000;
/** The id of a number that was added, and its digits. */
async function added({ post }: Client): Promise<{ id: string; digits: string }> {
  last += 1;
  const { body } = await post(`${wabaId}/phone_numbers`, {
    cc: '1',
    phone_number: String(last),
    verified_name: 'Lucky Shrub',
  });
  return { id: body.id, digits: `1${last}` };
}

async function codeOf({ shown }: Client, id: string): Promise<string> {
  return (await shown(`numbers/${id}`)).body.code.value;
}

async function verified(client: Client): Promise<{ id: string; digits: string }> {
  const number = await added(client);
  await client.post(`${number.id}/request_code`, { code_method: 'SMS', language: 'en_US' });
  const code = await codeOf(client, number.id);
  expect((await client.post(`${number.id}/verify_code`, { code })).status).toBe(200);
  return number;
}

const REGISTER = { messaging_product: 'whatsapp', pin: '123456' };

async function registered(client: Client): Promise<{ id: string; digits: string }> {
  const number = await verified(client);
  expect((await client.post(`${number.id}/register`, REGISTER)).body).toEqual({ success: true });
  return number;
}

interface Arrival {
  body: string;
  signature: string;
}

/** A webhook endpoint that answers the challenge, and POSTs with the next of `statuses`, then 200. */
async function endpoint(statuses: number[] = []) {
  const arrivals: Arrival[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { searchParams } = new URL(request.url ?? '', 'http://here');
      if (request.method === 'GET') {
        const known = searchParams.get('hub.verify_token') === STACK_APP.verifyToken;
        response.writeHead(known ? 200 : 403).end(searchParams.get('hub.challenge'));
        return;
      }
      arrivals.push({ body, signature: String(request.headers['x-hub-signature-256']) });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, arrivals };
}

/** A simulator whose webhooks arrive at an endpoint, with a registered number. */
async function hooked(statuses: number[] = [], options: Partial<SimulatorOptions> = {}) {
  const { url, arrivals } = await endpoint(statuses);
  const simulator = await start(options);
  const client = clientOf(simulator);
  expect((await client.set('callback', { url })).body).toEqual({ url, verified: true, error: null });
  await client.post(`${wabaId}/subscribed_apps`);
  return { simulator, client, arrivals, number: await registered(client) };
}

const changeIn = ({ body }: Arrival, index = 0) => JSON.parse(body).entry[0].changes[index];
const bodyOf = (arrival: Arrival) => changeIn(arrival).value.messages[0].text.body;

test('a number is added, verified, registered, and shows what is asked for', async () => {
  const client = clientOf(await start());
  const { id } = await added(client);
  const fields = 'code_verification_status,name_status,status,platform_type,throughput,certificate';
  expect((await client.get(`${id}?fields=${fields}`)).body).toEqual({
    id,
    code_verification_status: 'NOT_VERIFIED',
    name_status: 'NONE',
    status: 'PENDING',
    platform_type: 'NOT_APPLICABLE',
    throughput: { level: 'NOT_APPLICABLE' },
  });
  await client.post(`${id}/request_code`, { code_method: 'VOICE', language: 'de_DE' });
  const code = await codeOf(client, id);
  const wrong = await client.post(`${id}/verify_code`, { code: code === '000000' ? '000001' : '000000' });
  expect(wrong).toMatchObject({ status: 400, body: { error: { code: 100, type: 'OAuthException' } } });
  expect((await client.post(`${id}/verify_code`, { code })).body).toEqual({ success: true });
  expect((await client.post(`${id}/register`, REGISTER)).body).toEqual({ success: true });
  expect((await client.get(`${id}?fields=${fields}`)).body).toMatchObject({
    code_verification_status: 'VERIFIED',
    name_status: 'PENDING_REVIEW',
    status: 'CONNECTED',
    platform_type: 'CLOUD_API',
    throughput: { level: 'STANDARD' },
    certificate: expect.any(String),
  });
  const again = await client.post(`${id}/request_code`, { code_method: 'SMS', language: 'en_US' });
  expect(again).toMatchObject({ status: 400, body: { error: { code: 136024 } } });
  const listed = await client.get(`${wabaId}/phone_numbers?fields=id,is_pin_enabled`);
  expect(listed.body.data).toEqual([{ id, is_pin_enabled: true }]);
});

test('wrong parameters are code 100 with details', async () => {
  const client = clientOf(await start());
  const number = { cc: '1', phone_number: '4155550123', verified_name: 'Widgets' };
  for (const wrong of [
    { cc: '+1' },
    { phone_number: '04155550123' },
    { verified_name: 'W' },
    { cc: undefined },
  ]) {
    const { status, body } = await client.post(`${wabaId}/phone_numbers`, { ...number, ...wrong });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({
      code: 100,
      error_data: {
        messaging_product: 'whatsapp',
        details: expect.stringContaining(Object.keys(wrong)[0] ?? ''),
      },
      is_transient: false,
      fbtrace_id: expect.stringMatching(/^A[\w-]{22}$/),
    });
  }
  const { id } = await added(client);
  for (const [edge, params] of [
    ['request_code', { code_method: 'FAX', language: 'en_US' }],
    ['request_code', { code_method: 'SMS', language: 'en' }],
    ['verify_code', { code: '12345' }],
    ['register', { messaging_product: 'whatsapp', pin: '12345' }],
    ['register', { pin: '123456' }],
    ['register', { ...REGISTER, data_localization_region: 'XX' }],
  ] as const) {
    expect((await client.post(`${id}/${edge}`, params)).body.error.code).toBe(100);
  }
  const { digits } = await added(client);
  const twice = { cc: '1', phone_number: digits.slice(1), verified_name: 'Widgets' };
  expect((await client.post(`${wabaId}/phone_numbers`, twice)).body.error.code).toBe(200000);
});

test('what comes in the wrong order has its own code', async () => {
  const client = clientOf(await start({ provisioningDelayMs: HOUR }));
  const { id } = await added(client);
  const codeFrom = async (path: string, body: object) => (await client.post(path, body)).body.error;
  expect(await codeFrom(`${id}/register`, REGISTER)).toMatchObject({ code: 133006 });
  expect(await codeFrom(`${id}/deregister`, {})).toMatchObject({ code: 133010 });
  expect(
    await codeFrom(`${id}/whatsapp_business_profile`, { messaging_product: 'whatsapp', about: 'Hi' }),
  ).toMatchObject({ code: 133010 });
  await client.post(`${id}/request_code`, { code_method: 'SMS', language: 'en_US' });
  await client.post(`${id}/verify_code`, { code: await codeOf(client, id) });
  expect(await codeFrom(`${id}/register`, REGISTER)).toMatchObject({ code: 100, error_subcode: 2388001 });
  await client.control('clock', { advanceMs: HOUR });
  expect((await client.post(`${id}/register`, REGISTER)).status).toBe(200);
  expect(await codeFrom(`${id}/register`, { ...REGISTER, pin: '654321' })).toMatchObject({ code: 133005 });
});

test('a code is worth nothing after ten minutes, and once', async () => {
  const client = clientOf(await start());
  const { id } = await added(client);
  await client.post(`${id}/request_code`, { code_method: 'SMS', language: 'en_US' });
  const code = await codeOf(client, id);
  await client.control('clock', { advanceMs: HOUR });
  expect((await client.post(`${id}/verify_code`, { code })).body.error.code).toBe(100);
});

test('the eleventh registration in 72 hours is refused, and so is all for 72 hours', async () => {
  const client = clientOf(await start());
  const { id } = await verified(client);
  for (let count = 0; count < 5; count++) {
    expect((await client.post(`${id}/register`, REGISTER)).status).toBe(200);
    expect((await client.post(`${id}/deregister`)).status).toBe(200);
  }
  expect((await client.post(`${id}/register`, REGISTER)).body.error.code).toBe(133016);
  await client.control('clock', { advanceMs: 71 * HOUR });
  expect((await client.post(`${id}/register`, REGISTER)).body.error.code).toBe(133016);
  await client.control('clock', { advanceMs: HOUR });
  expect((await client.post(`${id}/register`, REGISTER)).status).toBe(200);
  expect((await client.shown('calls?method=POST&path=/register')).body.count).toBe(8);
});

test('a token opens its own account only; an expired one and one without permission say so', async () => {
  const simulator = await start();
  const client = clientOf(simulator);
  const other = clientOf(simulator, STACK_ACCOUNTS[1]?.token);
  const { id } = await added(client);
  for (const path of [wabaId, id, `${id}/whatsapp_business_profile`]) {
    expect(await other.get(path)).toMatchObject({
      status: 400,
      body: { error: { code: 100, error_subcode: 33 } },
    });
  }
  expect(await clientOf(simulator, 'unknown').get(wabaId)).toMatchObject({
    status: 401,
    body: { error: { code: 190 } },
  });
  await client.control('tokens', { token, state: 'expired' });
  expect(await client.get(wabaId)).toMatchObject({
    status: 401,
    body: { error: { code: 190, error_subcode: 463 } },
  });
  await client.control('tokens', { token, state: 'permissionless' });
  expect(await client.get(wabaId)).toMatchObject({ status: 403, body: { error: { code: 200 } } });
  const asked = `${simulator.url}/v26.0/debug_token?input_token=${token}&access_token=${STACK_APP.appId}|${STACK_APP.appSecret}`;
  expect((await call(asked, {})).body.data).toMatchObject({ is_valid: true, scopes: [] });
  await client.control('tokens', { token });
  expect((await call(asked, {})).body.data).toMatchObject({
    app_id: STACK_APP.appId,
    granular_scopes: [{ target_ids: [wabaId] }, {}],
  });
});

test('the next calls fail as asked for, also after they were done', async () => {
  const client = clientOf(await start());
  await client.control('failures', { path: '/phone_numbers', method: 'GET', count: 2, code: 4 });
  for (const status of [400, 400, 200]) {
    expect((await client.get(`${wabaId}/phone_numbers`)).status).toBe(status);
  }
  const { id } = await verified(client);
  await client.control('failures', { path: '/register', code: 131000, when: 'after' });
  expect(await client.post(`${id}/register`, REGISTER)).toMatchObject({
    status: 500,
    body: { error: { code: 131000, is_transient: true } },
  });
  expect((await client.get(`${id}?fields=status`)).body.status).toBe('CONNECTED');
  const calls = await client.shown('calls?path=/register');
  expect(calls.body.items).toMatchObject([{ params: { pin: '123456' }, status: 500, code: 131000 }]);
  expect(JSON.stringify(calls.body)).not.toContain(token);
});

test('a picture is uploaded in parts, set by its handle, and an expired handle is refused', async () => {
  const simulator = await start();
  const client = clientOf(simulator);
  const { id } = await registered(client);
  const session = async () => {
    const query = `file_name=logo.png&file_length=${PNG.length}&file_type=image/png`;
    return (await client.post(`${STACK_APP.appId}/uploads?${query}`)).body.id as string;
  };
  const upload = (at: string, offset: number, scheme = 'OAuth') =>
    call(`${simulator.url}/v26.0/${at}`, {
      method: 'POST',
      headers: { authorization: `${scheme} ${token}`, file_offset: String(offset) },
      body: PNG.subarray(offset),
    });
  const first = await session();
  expect((await upload(first, 0, 'Bearer')).body.error.code).toBe(190);
  await client.control('uploads/break', { afterBytes: 5 });
  expect((await upload(first, 0)).status).toBe(500);
  const resumed = await call(`${simulator.url}/v26.0/${first}`, {
    headers: { authorization: `OAuth ${token}` },
  });
  expect(resumed.body).toEqual({ id: first, file_offset: 5 });
  const { h } = (await upload(first, 5)).body;
  const set = (handle: string) =>
    client.post(`${id}/whatsapp_business_profile`, {
      messaging_product: 'whatsapp',
      profile_picture_handle: handle,
    });
  expect((await set(h)).body).toEqual({ success: true });
  const { body } = await client.get(`${id}/whatsapp_business_profile?fields=about,profile_picture_url`);
  const picture = await fetch(body.data[0].profile_picture_url);
  expect(Buffer.from(await picture.arrayBuffer())).toEqual(PNG);
  await client.control('handles/expire');
  expect((await set(h)).body.error.code).toBe(100);
});

test('a profile is changed whole or not at all, and cleared by empty values', async () => {
  const client = clientOf(await start());
  const { id } = await registered(client);
  const write = (profile: object) =>
    client.post(`${id}/whatsapp_business_profile`, { messaging_product: 'whatsapp', ...profile });
  const read = async () =>
    (await client.get(`${id}/whatsapp_business_profile?fields=address,email,websites,vertical,about`)).body
      .data[0];
  await write({
    address: 'Via Roma 1',
    email: 'a@b.example',
    websites: ['https://b.example'],
    vertical: 'RETAIL',
  });
  for (const wrong of [
    { about: '' },
    { address: 'a'.repeat(257) },
    { websites: ['b.example'] },
    { websites: ['https://a.example', 'https://b.example', 'https://c.example'] },
    { vertical: 'WIDGETS' },
  ]) {
    expect((await write({ email: 'changed@b.example', ...wrong })).body.error.code).toBe(100);
  }
  expect(await read()).toEqual({
    messaging_product: 'whatsapp',
    address: 'Via Roma 1',
    email: 'a@b.example',
    websites: ['https://b.example'],
    vertical: 'RETAIL',
  });
  await write({ address: '', websites: [] });
  expect(Object.keys(await read()).toSorted()).toEqual(['email', 'messaging_product', 'vertical']);
});

test('a webhook is signed over its bytes, in which all that is not ASCII is escaped', async () => {
  const { client, arrivals, number } = await hooked();
  await client.control(`numbers/${number.id}/messages`, { text: 'Café https://a.example 👋' });
  await eventually(() => arrivals.length).toBe(1);
  const [{ body, signature } = { body: '', signature: '' }] = arrivals;
  expect(body).toContain('Caf\\u00e9 https:\\/\\/a.example \\ud83d\\udc4b');
  expect(signature).toBe(`sha256=${createHmac('sha256', STACK_APP.appSecret).update(body).digest('hex')}`);
  const reserialized = JSON.stringify(JSON.parse(body));
  expect(reserialized).not.toBe(body);
  expect(JSON.parse(body)).toEqual({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: wabaId,
        time: expect.any(Number),
        changes: [
          {
            field: 'messages',
            value: {
              messaging_product: 'whatsapp',
              metadata: { display_phone_number: number.digits, phone_number_id: number.id },
              contacts: [{ profile: { name: 'Sheena Nelson' }, wa_id: '16505551234' }],
              messages: [
                {
                  from: '16505551234',
                  id: expect.stringMatching(/^wamid\./),
                  timestamp: expect.stringMatching(/^\d{10}$/),
                  type: 'text',
                  text: { body: 'Café https://a.example 👋' },
                },
              ],
            },
          },
        ],
      },
    ],
  });
});

test('nothing is sent for an account to which no app is subscribed, nor before the challenge is answered', async () => {
  const { url, arrivals } = await endpoint();
  const simulator = await start();
  const client = clientOf(simulator);
  const { id } = await registered(client);
  await client.control(`numbers/${id}/messages`, { text: 'unheard' });
  await client.post(`${wabaId}/subscribed_apps`);
  await client.control(`numbers/${id}/messages`, { text: 'heard' });
  expect((await client.shown('webhooks')).body.items).toMatchObject([
    { state: 'unsubscribed' },
    { state: 'waiting', attempts: [] },
  ]);
  const stranger = createServer((_request, response) => response.end('something else'));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void stranger.close());
  const wrong = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`;
  expect((await client.set('callback', { url: wrong })).body.verified).toBe(false);
  expect((await client.set('callback', { url })).body.verified).toBe(true);
  await eventually(() => arrivals.map(bodyOf)).toEqual(['heard']);
});

test('the challenge is repeated until the endpoint is up', async () => {
  const { url, arrivals } = await endpoint();
  let up = false;
  const front = createServer((request, response) => {
    if (!up) return void response.writeHead(503).end();
    void text(request).then(async (body) => {
      const answer = await fetch(url + (request.url ?? '').slice(1), {
        method: request.method ?? 'GET',
        ...(request.method === 'POST' && { body }),
      });
      response.writeHead(answer.status).end(await answer.text());
    });
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void front.close());
  const simulator = await start({
    callbackUrl: `http://127.0.0.1:${(front.address() as AddressInfo).port}/`,
  });
  await eventually(() => simulator.simulation.webhooks.callback?.error).toContain('503');
  up = true;
  await eventually(() => simulator.simulation.webhooks.callback?.verified).toBe(true);
  const client = clientOf(simulator);
  await client.post(`${wabaId}/subscribed_apps`);
  await client.control(`numbers/${(await registered(client)).id}/messages`, {});
  await eventually(() => arrivals.length).toBe(1);
});

test('webhooks are lost, doubled and turned round on request', async () => {
  const { client, arrivals, number } = await hooked();
  const send = (text: string) => client.control(`numbers/${number.id}/messages`, { text });
  await client.control('delivery', { lose: true });
  await send('lost');
  await client.control('delivery', { copies: 3 });
  await send('thrice');
  await eventually(() => arrivals.map(bodyOf)).toEqual(['thrice', 'thrice', 'thrice']);
  expect(new Set(arrivals.map(({ body }) => body)).size).toBe(1);
  await client.control('delivery', { reorder: 3 });
  for (const text of ['first', 'second', 'third', 'alone']) await send(text);
  await eventually(() => arrivals.slice(3).map(bodyOf)).toEqual(['third', 'second', 'first', 'alone']);
  await client.control('delivery', {});
  for (let index = 0; index < 20; index++) await send(String(index));
  await eventually(() => arrivals.slice(7).map(bodyOf)).toEqual(
    Array.from({ length: 20 }, (_, index) => String(index)),
  );
});

test('a webhook that is not taken is sent again, the same bytes, and given up after the last try', async () => {
  const { client, arrivals, number } = await hooked([500, 404, 200, 500, 500, 500, 500], {
    retryDelaysMs: [0, 10, 10],
  });
  await client.control(`numbers/${number.id}/messages`, { text: 'stubborn' });
  await eventually(() => arrivals.length).toBe(3);
  expect(new Set(arrivals.map(({ body }) => body)).size).toBe(1);
  await client.control(`numbers/${number.id}/messages`, { text: 'hopeless' });
  const states = async () => (await client.shown('webhooks')).body.items;
  await eventually(states).toMatchObject([{ state: 'delivered' }, { state: 'given up' }]);
  expect(arrivals).toHaveLength(7);
});

test('a name is decided with its two words, and a changed one counts after the number is registered again', async () => {
  const { client, arrivals, number } = await hooked();
  const { id, digits } = number;
  const name = async () => {
    const { body } = await client.get(
      `${id}?fields=verified_name,name_status,new_display_name,new_name_status`,
    );
    return body;
  };
  await client.control(`numbers/${id}/name`, { decision: 'REJECTED', reason: 'NAME_NOT_CONSISTENT' });
  expect(await name()).toMatchObject({ name_status: 'DECLINED' });
  await client.control(`numbers/${id}/name`, { decision: 'DEFERRED' });
  await client.control(`numbers/${id}/name`, { decision: 'APPROVED' });
  expect(await name()).toMatchObject({ name_status: 'APPROVED' });
  await client.post(`${id}?new_display_name=Happy%20Shrub`);
  expect((await client.post(id, { new_display_name: 'Third' })).body.error.code).toBe(100);
  await client.control(`numbers/${id}/name`, { decision: 'REJECTED', reason: 'NAME_FORMAT_UNACCEPTABLE' });
  expect(await name()).toMatchObject({ name_status: 'APPROVED', new_name_status: 'DECLINED' });
  await client.post(id, { new_display_name: 'Happy Shrub' });
  await client.control(`numbers/${id}/name`, { decision: 'APPROVED' });
  expect(await name()).toMatchObject({ verified_name: 'Lucky Shrub', new_name_status: 'APPROVED' });
  await client.post(`${id}/register`, REGISTER);
  expect(await name()).toMatchObject({ verified_name: 'Happy Shrub', new_name_status: 'NONE' });
  await eventually(() => arrivals.map((arrival) => changeIn(arrival))).toEqual(
    [
      ['REJECTED', 'Lucky Shrub', 'NAME_NOT_CONSISTENT'],
      ['DEFERRED', 'Lucky Shrub', null],
      ['APPROVED', 'Lucky Shrub', null],
      ['REJECTED', 'Happy Shrub', 'NAME_FORMAT_UNACCEPTABLE'],
      ['APPROVED', 'Happy Shrub', null],
    ].map(([decision, requested_verified_name, rejection_reason]) => ({
      field: 'phone_number_name_update',
      value: { display_phone_number: digits, decision, requested_verified_name, rejection_reason },
    })),
  );
});

test('quality and limits change in the old and the new shape', async () => {
  const { client, arrivals, number } = await hooked();
  const { id, digits: display_phone_number } = number;
  const fields = 'quality_rating,status,messaging_limit_tier,whatsapp_business_manager_messaging_limit';
  const node = async (of = id) => (await client.get(`${of}?fields=${fields}`)).body;
  await client.control(`numbers/${id}/quality`, { rating: 'RED' });
  expect(await node()).toMatchObject({ quality_rating: 'RED', status: 'CONNECTED' });
  await client.control(`numbers/${id}/quality`, { event: 'FLAGGED' });
  expect(await node()).toMatchObject({ status: 'FLAGGED' });
  await client.control(`numbers/${id}/limit`, { limit: 'TIER_1K', shape: 'legacy' });
  const neighbour = await added(client);
  expect((await node()).messaging_limit_tier).toBe('TIER_1K');
  expect((await node(neighbour.id)).messaging_limit_tier).toBe('TIER_250');
  await client.control(`numbers/${id}/limit`, { limit: 'TIER_10K' });
  expect((await node()).whatsapp_business_manager_messaging_limit).toBe('TIER_10K');
  expect((await node(neighbour.id)).whatsapp_business_manager_messaging_limit).toBe('TIER_10K');
  await client.control(`accounts/${wabaId}/updates`, {
    event: 'ACCOUNT_RESTRICTION',
    restriction_info: [{ restriction_type: 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration: 1641330498 }],
  });
  await eventually(() => arrivals.length).toBe(5);
  expect(arrivals.map((arrival) => changeIn(arrival))).toMatchObject([
    {
      field: 'phone_number_quality_update',
      value: { display_phone_number, event: 'FLAGGED', current_limit: 'TIER_250' },
    },
    {
      field: 'phone_number_quality_update',
      value: { display_phone_number, event: 'UPGRADE', old_limit: 'TIER_250', current_limit: 'TIER_1K' },
    },
    {
      field: 'business_capability_update',
      value: { max_daily_conversations_per_business: 10_000 },
    },
    {
      field: 'phone_number_quality_update',
      value: {
        display_phone_number,
        event: 'THROUGHPUT_UPGRADE',
        max_daily_conversations_per_business: 'TIER_10K',
      },
    },
    { field: 'account_update', value: { event: 'ACCOUNT_RESTRICTION' } },
  ]);
});

test('messages of each type, statuses and batches arrive', async () => {
  const { client, arrivals, number } = await hooked();
  const types =
    'text,image,audio,video,document,sticker,location,contacts,interactive,button,order,reaction,system,unsupported'.split(
      ',',
    );
  for (const type of types) await client.control(`numbers/${number.id}/messages`, { type });
  await eventually(() => arrivals.length).toBe(types.length);
  for (const [index, type] of types.entries()) {
    const { value } = changeIn(arrivals[index] as Arrival);
    expect(value.messages[0].type).toBe(type);
    expect(value.messages[0][type === 'unsupported' ? 'errors' : type]).toBeDefined();
    expect('contacts' in value).toBe(type !== 'system');
  }
  const { body } = await client.control(`numbers/${number.id}/statuses`, {
    status: 'failed',
    recipient: '16505559999',
    opaque: 'order-17',
  });
  await eventually(() => arrivals.length).toBe(types.length + 1);
  expect(changeIn(arrivals.at(-1) as Arrival).value.statuses).toMatchObject([
    {
      id: body.ids[0],
      status: 'failed',
      recipient_id: '16505559999',
      biz_opaque_callback_data: 'order-17',
      errors: [{ code: 131026 }],
    },
  ]);
  await client.control(`numbers/${number.id}/messages`, { count: 1000 });
  await eventually(() => arrivals.length).toBe(types.length + 2);
  expect(JSON.parse(arrivals.at(-1)?.body ?? '').entry[0].changes).toHaveLength(1000);
});

test('a webhook may hold anything, up to 3 MB', async () => {
  const { client, arrivals } = await hooked();
  const value = { new: 'kind', long: 'ü/'.repeat(400_000) };
  await client.control('webhooks', { wabaId, changes: [{ field: 'of_tomorrow', value }] });
  await eventually(() => arrivals.length).toBe(1);
  expect(changeIn(arrivals[0] as Arrival)).toEqual({ field: 'of_tomorrow', value });
  expect(arrivals[0]?.body.length).toBeGreaterThan(3_000_000);
});

test('a person without a number is named by a user id', async () => {
  const { client, arrivals, number } = await hooked();
  await client.control(`numbers/${number.id}/messages`, { userId: 'US.13491208655302741918' });
  await eventually(() => arrivals.length).toBe(1);
  const { contacts, messages } = changeIn(arrivals[0] as Arrival).value;
  expect(contacts).toEqual([{ profile: { name: 'Sheena Nelson' }, user_id: 'US.13491208655302741918' }]);
  expect(messages[0].from).toBeUndefined();
});

test('what was known, and webhooks that have not arrived, outlive a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'meta-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const before = await startMetaSimulator({ port: 0, ...STACK_APP, accounts: STACK_ACCOUNTS, folder });
  const client = clientOf(before);
  await client.post(`${wabaId}/subscribed_apps`);
  const { id } = await registered(client);
  await client.control(`numbers/${id}/messages`, { text: 'patient' });
  await before.close();

  const { url, arrivals } = await endpoint();
  const after = await start({ folder, callbackUrl: url });
  await eventually(() => arrivals.map(bodyOf)).toEqual(['patient']);
  expect((await clientOf(after).get(`${id}?fields=status`)).body.status).toBe('CONNECTED');
});

test('the page shows numbers and codes escaped, and its forms do what the controls do', async () => {
  const { client, simulator, arrivals } = await hooked();
  const { body } = await client.post(`${wabaId}/phone_numbers`, {
    cc: '44',
    phone_number: '2079460123',
    verified_name: '<b>Bold</b>',
  });
  await client.post(`${body.id}/request_code`, { code_method: 'SMS', language: 'en_GB' });
  const page = await (await fetch(simulator.url)).text();
  expect(page).toContain(await codeOf(client, body.id));
  expect(page).toContain('&lt;b&gt;Bold&lt;/b&gt;');
  expect(page).not.toContain('<b>Bold');
  const sent = await fetch(`${simulator.url}/control/numbers/${body.id}/name`, {
    method: 'POST',
    body: new URLSearchParams({ decision: 'APPROVED', reason: '' }),
    redirect: 'manual',
  });
  expect([sent.status, sent.headers.get('location')]).toEqual([303, '/']);
  await eventually(() => arrivals.map((arrival) => changeIn(arrival).value.decision)).toEqual(['APPROVED']);
});

test('a control that is asked for wrongly says what is wrong', async () => {
  const client = clientOf(await start());
  expect((await client.control('numbers/17/name', { decision: 'APPROVED' })).status).toBe(404);
  const { id } = await added(client);
  const wrong = await client.control(`numbers/${id}/name`, { decision: 'MAYBE' });
  expect(wrong).toMatchObject({ status: 400, body: { message: expect.stringContaining('decision') } });
});
