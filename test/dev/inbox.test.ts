import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createTransport } from 'nodemailer';
import type { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSmtp } from '../../dev/inbox/smtp.ts';
import { MessageStore } from '../../dev/inbox/store.ts';
import { createWeb } from '../../dev/inbox/web.ts';

const HOSTILE = '<script>alert("1")</script>';

let folder: string;
let smtp: SMTPServer;
let web: FastifyInstance;
let port: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inbox-test-'));
  const store = new MessageStore(folder);
  smtp = createSmtp(store);
  web = createWeb(store);
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()));
  port = (smtp.server.address() as AddressInfo).port;
});

afterEach(async () => {
  await Promise.all([web.close(), new Promise<void>((resolve) => smtp.close(() => resolve()))]);
  rmSync(folder, { recursive: true, force: true });
});

async function send(mail: object): Promise<void> {
  const transport = createTransport({ host: '127.0.0.1', port });
  try {
    await transport.sendMail({ from: 'Numbers <no-reply@numbers.example>', ...mail });
  } finally {
    transport.close();
  }
}

const get = (path: string, of = web) => of.inject(path);

test('a mail is listed and read in the shapes of Mailpit', async () => {
  const messageId = `${randomUUID()}@numbers.example`;
  await send({
    to: 'Wanda <customer@widgets.example>, other@widgets.example',
    cc: 'cc@widgets.example',
    bcc: 'hidden@widgets.example',
    replyTo: 'support@numbers.example',
    subject: 'Grüße 👋',
    text: 'The reason:\nit is – not yours.',
    html: '<p>The reason: it is – not yours.</p>',
    messageId: `<${messageId}>`,
    attachments: [{ filename: 'a.txt', content: 'four' }],
  });

  const list = (await get('/api/v1/messages')).json();
  expect(list).toMatchObject({
    total: 1,
    unread: 1,
    count: 1,
    messages_count: 1,
    messages_unread: 1,
    start: 0,
  });
  const head = {
    ID: list.messages[0].ID,
    MessageID: messageId,
    From: { Name: 'Numbers', Address: 'no-reply@numbers.example' },
    To: [
      { Name: 'Wanda', Address: 'customer@widgets.example' },
      { Name: '', Address: 'other@widgets.example' },
    ],
    Cc: [{ Name: '', Address: 'cc@widgets.example' }],
    Bcc: [{ Name: '', Address: 'hidden@widgets.example' }],
    ReplyTo: [{ Name: '', Address: 'support@numbers.example' }],
    Subject: 'Grüße 👋',
    Tags: [],
    Size: expect.any(Number),
  };
  expect(list.messages[0]).toEqual({
    ...head,
    Read: false,
    Created: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    Attachments: 1,
    Snippet: 'The reason: it is – not yours.',
  });

  const message = (await get(`/api/v1/message/${list.messages[0].ID}`)).json();
  expect(message).toMatchObject({
    ...head,
    ReturnPath: 'no-reply@numbers.example',
    Text: expect.stringMatching(/^The reason:\nit is – not yours\.\s*$/),
    HTML: expect.stringContaining('<p>The reason: it is – not yours.</p>'),
    Attachments: [{ FileName: 'a.txt', ContentType: 'text/plain', Size: 4 }],
    Inline: [],
  });
  expect((await get('/api/v1/message/latest')).json()).toEqual(message);
});

test('an unknown message is 404', async () => {
  expect((await get('/api/v1/message/unknown')).statusCode).toBe(404);
  expect((await get('/messages/unknown')).statusCode).toBe(404);
  expect((await get('/messages/..%2Findex.jsonl/html')).statusCode).toBe(404);
});

test('a missing part stays missing', async () => {
  await send({ to: 'a@widgets.example', subject: 'html only', html: '<p>Hello</p>' });
  expect((await get('/api/v1/message/latest')).json()).toMatchObject({ Text: '' });
  await send({ to: 'a@widgets.example', subject: 'text only', text: 'Hello' });
  expect((await get('/api/v1/message/latest')).json()).toMatchObject({ HTML: '' });
});

test('a long text is cut before a word, so that no half link is listed', async () => {
  const words = 'word '.repeat(40);
  await send({
    to: 'a@widgets.example',
    subject: 'long',
    text: `${words}http://127.0.0.1/?token=${'t'.repeat(60)}`,
  });
  expect((await get('/api/v1/messages')).json().messages[0].Snippet).toBe(`${words}…`);
  await send({ to: 'a@widgets.example', subject: 'whole', text: `${words}${'t'.repeat(50)} more` });
  expect((await get('/api/v1/messages')).json().messages[0].Snippet).toBe(`${words}${'t'.repeat(50)} …`);
});

test('nothing that a message holds is run or breaks out of the pages', async () => {
  await send({
    from: `"${HOSTILE.replaceAll('"', '')}" <no-reply@numbers.example>`,
    to: `"${HOSTILE.replaceAll('"', '')}" <customer@widgets.example>`,
    subject: `${HOSTILE}" onload="alert(2)`,
    text: HOSTILE,
    html: `${HOSTILE}<img src="https://elsewhere.example/seen.png" onerror="alert(3)">`,
  });
  const { ID } = (await get('/api/v1/message/latest')).json();

  for (const path of ['/', `/messages/${ID}`]) {
    const page = await get(path);
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('&lt;script&gt;');
    expect(page.body).not.toContain('<script');
    expect(page.body).not.toContain('" onload="');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  }
  const html = await get(`/messages/${ID}/html`);
  expect(html.body).toContain('<script>');
  const policy = String(html.headers['content-security-policy']);
  expect(policy).toMatch(/^sandbox [^;]*; default-src 'none'/);
  // No more than tabs for links: no scripts, no forms, no origin of ours, no other address in this tab.
  const allowed = ['allow-popups', 'allow-popups-to-escape-sandbox'];
  expect(/^sandbox ([^;]*);/.exec(policy)?.[1]?.split(' ')).toEqual(allowed);
  const frame = (await get(`/messages/${ID}`)).body;
  expect(/<iframe sandbox="([^"]*)"/.exec(frame)?.[1]?.split(' ')).toEqual(allowed);
});

test('links open in a tab of their own', async () => {
  const url = 'https://numbers.example/reset-password?token=ver_a.b-c&x=1';
  await send({
    to: 'a@widgets.example',
    subject: 'links',
    text: `Open:\n${url}\n(or http://numbers.example/a). Not javascript:alert(1), nor https://"onclick=alert(1)`,
    html: `<html><head><base target="_self"></head><body><a href="${url}">Open</a></body></html>`,
  });
  const { ID } = (await get('/api/v1/message/latest')).json();
  const page = (await get(`/messages/${ID}`)).body;
  const links = [...page.matchAll(/<a href="(http[^"]*)"([^>]*)>([^<]*)<\/a>/g)].map(([, ...link]) => link);
  const escaped = url.replaceAll('&', '&amp;');
  const apart = ' target="_blank" rel="noreferrer"';
  expect(links).toEqual([
    [escaped, apart, escaped],
    ['http://numbers.example/a', apart, 'http://numbers.example/a'],
  ]);
  expect(page).not.toMatch(/href="javascript|"onclick/);
  expect((await get(`/messages/${ID}/html`)).body).toMatch(/^<!doctype html><base target="_blank"><html>/);
});

test('messages are listed newest first, in pages, and survive a restart and a torn last line', async () => {
  for (const subject of ['one', 'two', 'three'])
    await send({ to: 'a@widgets.example', subject, text: subject });
  appendFileSync(join(folder, 'index.jsonl'), '{"id":"to');

  const restarted = createWeb(new MessageStore(folder));
  const list = async (query: string) => {
    const { messages, ...rest } = (await get(`/api/v1/messages${query}`, restarted)).json();
    return { ...rest, subjects: messages.map(({ Subject }: { Subject: string }) => Subject) };
  };
  expect(await list('')).toMatchObject({ total: 3, count: 3, subjects: ['three', 'two', 'one'] });
  expect(await list('?start=1&limit=1')).toMatchObject({ total: 3, count: 1, start: 1, subjects: ['two'] });
  expect(await list('?start=9')).toMatchObject({ total: 3, count: 0, subjects: [] });
  expect((await get('/api/v1/message/latest', restarted)).json()).toMatchObject({
    Text: expect.stringMatching(/^three/),
  });
  await restarted.close();

  await send({ to: 'a@widgets.example', subject: 'four', text: 'four' });
  const again = createWeb(new MessageStore(folder));
  expect((await get('/api/v1/messages', again)).json()).toMatchObject({ total: 4 });
  await again.close();
});

test('a message over 25 MB is refused', async () => {
  const content = Buffer.alloc(20 * 1024 * 1024, 1);
  await expect(
    send({
      to: 'a@widgets.example',
      subject: 'large',
      text: '',
      attachments: [{ filename: 'large', content }],
    }),
  ).rejects.toMatchObject({ responseCode: 552 });
  expect((await get('/api/v1/messages')).json()).toMatchObject({ total: 0 });
});
