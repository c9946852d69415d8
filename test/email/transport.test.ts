import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EMAIL_LIMITS } from '../../activities/emails.ts';
import { createMailer, MAIL_TIMEOUTS, type Mail, type Mailer } from '../../email/transport.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { FROM, SHORT } from './fixtures.ts';

let smtp: TestSmtp;
let mailer: Mailer;
const others: Mailer[] = [];
let count = 0;

beforeAll(async () => {
  smtp = await startSmtp();
  mailer = createMailer({ smtpUrl: smtp.url, from: FROM, timeouts: SHORT });
});
afterEach(async () => {
  for (const fault of Object.keys(smtp.faults)) delete smtp.faults[fault as keyof typeof smtp.faults];
  smtp.mails.length = 0;
  for (const other of others.splice(0)) other.close();
});
afterAll(async () => {
  mailer.close();
  await smtp.stop();
});

function other(smtpUrl: string): Mailer {
  const made = createMailer({ smtpUrl, from: FROM, timeouts: SHORT });
  others.push(made);
  return made;
}

function mail(more: Partial<Mail> = {}): Mail {
  count += 1;
  return {
    messageId: `num_1.1.submitted.${count}@example.com`,
    to: ['ada@customer.test'],
    subject: 'Subject',
    text: 'Text',
    html: '<p>HTML</p>',
    ...more,
  };
}

describe('sent', () => {
  test('carries the Message-ID, both bodies and Auto-Submitted', async () => {
    const one = mail();
    expect(await mailer.send(one)).toEqual({
      outcome: 'sent',
      detail: expect.stringContaining('250'),
      rejected: [],
    });
    const { parsed, from, to } = smtp.mails[0] ?? expect.fail('no mail');
    expect(parsed.messageId).toBe(`<${one.messageId}>`);
    expect(parsed.headers.get('auto-submitted')).toBe('auto-generated');
    expect(parsed.from?.text).toBe('"WhatsApp Numbers" <numbers@example.com>');
    expect({ from, to }).toEqual({ from: 'numbers@example.com', to: ['ada@customer.test'] });
    expect(parsed.text).toContain('Text');
    expect(parsed.html).toContain('<p>HTML</p>');
  });

  test('names the recipients that were not taken', async () => {
    smtp.faults.rcpt = (address) => (address.startsWith('gone') ? 550 : undefined);
    const result = await mailer.send(mail({ to: ['gone@customer.test', 'ada@customer.test'] }));
    expect(result).toMatchObject({ outcome: 'sent', rejected: ['gone@customer.test'] });
    expect(result.detail).toContain('gone@customer.test: 550');
    expect(smtp.mails[0]?.to).toEqual(['ada@customer.test']);
  });

  test('again after the server closed the idle connection', async () => {
    await mailer.send(mail());
    await smtp.stop();
    await smtp.start();
    expect(await mailer.send(mail())).toMatchObject({ outcome: 'sent' });
  });
});

describe('refused', () => {
  test.each([
    ['5xx to every RCPT TO', { rcpt: () => 550 }],
    ['5xx to the message', { data: 554 }],
  ])('%s', async (_, faults) => {
    Object.assign(smtp.faults, faults);
    const result = await mailer.send(mail());
    expect(result).toMatchObject({ outcome: 'refused', rejected: ['ada@customer.test'] });
    expect(result.detail).toContain('Switched on by the test');
    expect(smtp.mails).toHaveLength(0);
  });

  test.each(['', 'nobody', 'a@b.test, evil@b.test', 'a@b.test>\r\nRCPT TO:<evil@b.test'])(
    'an address that is none: %j',
    async (address) => {
      expect(await mailer.send(mail({ to: [address] }))).toMatchObject({ outcome: 'refused' });
      expect(smtp.mails).toHaveLength(0);
    },
  );
});

describe('deferred', () => {
  test.each([
    ['4xx to RCPT TO', { rcpt: () => 451 }],
    ['4xx for one address and 5xx for the other', { rcpt: (to: string) => (to.startsWith('a') ? 550 : 450) }],
    ['credentials wanted at RCPT TO', { rcpt: () => 530 }],
    ['4xx to MAIL FROM', { mailFrom: 451 }],
    ['5xx to MAIL FROM', { mailFrom: 550 }],
    ['4xx to the message', { data: 451 }],
    ['421 to the message', { data: 421 }],
    ['the connection cut before DATA', { cutBeforeData: true }],
  ])('%s', async (_, faults) => {
    Object.assign(smtp.faults, faults);
    const result = await mailer.send(mail({ to: ['ada@customer.test', 'bob@customer.test'] }));
    expect(result).toMatchObject({ outcome: 'deferred', rejected: [] });
    expect(smtp.mails).toHaveLength(0);
  });

  test.each(['554 5.7.1 Client host blocked using a list', '550 5.7.0 Relaying denied'])(
    'an answer about us and not about the address: %s',
    async (answer) => {
      smtp.faults.rcpt = () => answer;
      expect(await mailer.send(mail())).toMatchObject({ outcome: 'deferred', rejected: [] });
    },
  );

  test.each([
    '550 5.1.1 No such user',
    '550 5.7.13 User account disabled',
    '550 5.7.133 Sender not authenticated for group',
  ])('but not one about the address: %s', async (answer) => {
    smtp.faults.rcpt = () => answer;
    expect(await mailer.send(mail())).toMatchObject({ outcome: 'refused' });
  });

  test('what is cut off because the process ends is said so', async () => {
    const cutOff = new AbortController();
    const made = createMailer({ smtpUrl: smtp.url, from: FROM, cutOff: cutOff.signal });
    others.push(made);
    smtp.faults.hangAfterData = true;
    const sending = made.send(mail());
    await expect.poll(() => smtp.mails.length).toBe(1);
    cutOff.abort();
    expect(await sending).toMatchObject({ outcome: 'ambiguous', detail: 'The worker stopped meanwhile.' });
  });

  test('a server that hides STARTTLS gets no password', async () => {
    const named = smtp.url.replace('127.0.0.1', 'user:secret@0.0.0.0');
    const { outcome, detail } = await other(named).send(mail());
    expect(outcome).toBe('deferred');
    expect(detail).toContain('STARTTLS');
    expect(detail).not.toContain('secret');
    expect(smtp.mails).toHaveLength(0);
  });

  test('a greeting that never comes', async () => {
    smtp.faults.hangGreeting = true;
    expect(await other(smtp.url).send(mail())).toMatchObject({
      outcome: 'deferred',
      detail: 'Greeting never received',
    });
  });

  test('a closed port', async () => {
    await smtp.stop();
    const result = await mailer.send(mail());
    await smtp.start();
    expect(result).toMatchObject({ outcome: 'deferred', detail: expect.stringContaining('ECONNREFUSED') });
  });

  test('an unknown host', async () => {
    expect(await other('smtp://no-such-host.invalid').send(mail())).toMatchObject({ outcome: 'deferred' });
  });

  test('TLS trouble', async () => {
    const untrusted = await startSmtp({ startTls: true });
    expect(await other(untrusted.url).send(mail())).toMatchObject({ outcome: 'deferred' });
    expect(await other(smtp.url.replace('smtp:', 'smtps:')).send(mail())).toMatchObject({
      outcome: 'deferred',
    });
    expect(untrusted.mails).toHaveLength(0);
    await untrusted.stop();
  });

  test.each([535, 454])('AUTH answered with %d', async (auth) => {
    smtp.faults.auth = auth;
    const guarded = other(`smtp://us%40er:p%40ss@127.0.0.1:${smtp.port}`);
    expect(await guarded.send(mail())).toMatchObject({ outcome: 'deferred' });
    delete smtp.faults.auth;
    expect(await guarded.send(mail())).toMatchObject({ outcome: 'sent' });
  });
});

describe('ambiguous', () => {
  test.each([
    ['the connection lost after the message', { cutAfterData: true }],
    ['no answer to the message', { hangAfterData: true }],
  ])('%s: taken once, and not sent again by itself', async (_, faults) => {
    Object.assign(smtp.faults, faults);
    expect(await mailer.send(mail())).toMatchObject({ outcome: 'ambiguous', rejected: [] });
    expect(smtp.mails).toHaveLength(1);
  });
});

describe('what a server says', () => {
  /** Speaks SMTP badly: repeats each command in its refusal. */
  async function echoing(answer: (line: string) => string) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 hello\r\n');
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().split('\r\n').filter(Boolean)) socket.write(answer(line));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return { port: address.port, close: () => new Promise((resolve) => server.close(resolve)) };
  }

  test('never shows the password', async () => {
    const server = await echoing((line) =>
      line.startsWith('EHLO') ? '250-hi\r\n250 AUTH PLAIN\r\n' : `535 ${line} means user with p@ss/word\r\n`,
    );
    const guarded = other(`smtp://user:p%40ss%2Fword@127.0.0.1:${server.port}`);
    const { outcome, detail } = await guarded.send(mail());
    expect({ outcome, detail }).toEqual({
      outcome: 'deferred',
      detail: 'Invalid login: 535 AUTH PLAIN *** means user with ***',
    });
    guarded.close();
    await server.close();
  });

  test('is kept to 500 characters on one line', async () => {
    const long = 'x'.repeat(300);
    const server = await echoing((line) =>
      line.startsWith('EHLO') ? '250 hi\r\n' : `451-${long}\r\n451-\u001b[2J${long}\r\n451 ${long}\r\n`,
    );
    const wordy = other(`smtp://127.0.0.1:${server.port}`);
    const { detail } = await wordy.send(mail());
    expect(detail).toHaveLength(500);
    expect(detail).not.toMatch(/\p{Cc}/u);
    wordy.close();
    await server.close();
  });

  test('cannot go on for ever', async () => {
    const server = await echoing(() => '');
    const trickle = createMailer({
      smtpUrl: `smtp://127.0.0.1:${server.port}`,
      from: FROM,
      timeouts: { ...SHORT, connect: 60_000, answer: 60_000, total: 200 },
    });
    others.push(trickle);
    expect(await trickle.send(mail())).toEqual({
      outcome: 'deferred',
      detail: 'No answer within 0.2 s.',
      rejected: [],
    });
    await server.close();
  });
});

test('an email ends well within the 120 s of its activity', () => {
  const { connect, answer, total } = MAIL_TIMEOUTS;
  expect(connect + answer).toBeLessThanOrEqual(total);
  expect(EMAIL_LIMITS.laneWait + EMAIL_LIMITS.laneTime).toBeLessThan(40_000);
  expect(EMAIL_LIMITS.laneTime + total).toBeLessThan(115_000);
});

test('a name with line breaks adds no header, whatever reaches the wire', async () => {
  await mailer.send(
    mail({ subject: 'Hi\r\nBcc: evil@example.org\r\n\r\n<script>', messageId: 'a\r\nX-Evil: 1@example.com' }),
  );
  const { parsed, to } = smtp.mails[0] ?? expect.fail('no mail');
  expect(to).toEqual(['ada@customer.test']);
  expect([...parsed.headers.keys()]).not.toContain('bcc');
  expect([...parsed.headers.keys()]).not.toContain('x-evil');
});
