import { Readable } from 'node:stream';
import { createTransport, type NodemailerError, type SMTPPoolSentMessageInfo } from 'nodemailer';
import { judge, type SendOutcome } from './outcome.ts';

export interface Mail {
  /** Without angle brackets. The same at every try. */
  messageId: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
}

export interface Mailer {
  /** Hands one email to the mail server, within `timeouts.total`. Never throws. */
  send(mail: Mail): Promise<SendOutcome>;
  /** Closes the pool; what is being sent is sent first. */
  close(): void;
}

/** Milliseconds. `total` bounds everything, so that two tries of an activity never run at once. */
export interface MailTimeouts {
  dns: number;
  /** DNS, connecting, TLS and greeting together. */
  connect: number;
  /** Silence of the server while it works on a command; the longest is that after the message, which is scanned then. */
  answer: number;
  total: number;
}

export const MAIL_TIMEOUTS: MailTimeouts = { dns: 4_000, connect: 8_000, answer: 75_000, total: 85_000 };

/** A mailer over a pool of SMTP connections. `smtpUrl`: `smtp://` or `smtps://`, with user and password if any. */
export function createMailer(options: {
  smtpUrl: string;
  from: string;
  timeouts?: MailTimeouts;
  /** Aborting it breaks off what is being sent: the process is about to end. */
  cutOff?: AbortSignal;
}): Mailer {
  const timeouts = options.timeouts ?? MAIL_TIMEOUTS;
  const redact = redactor(options.smtpUrl);
  const transport = createTransport({
    url: options.smtpUrl,
    pool: true,
    maxConnections: 8,
    // Only a message of which nothing was sent is queued again, after an idle connection broke.
    maxRequeues: 1,
    idleTimeout: 30_000,
    dnsTimeout: timeouts.dns,
    connectionTimeout: timeouts.connect,
    greetingTimeout: timeouts.connect,
    socketTimeout: timeouts.answer,
    socketCloseTimeout: 1_000,
    // A password is not told to a server that hides STARTTLS, or to whoever hides it.
    requireTLS: needsTls(options.smtpUrl),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // The stream a connection reads a message from: once it was read, an error may come too late.
  const streams = new WeakMap<AbortSignal, Readable>();
  transport.use('stream', (mail, done) => {
    mail.message.processFunc((stream) => {
      if (mail.data.signal && stream instanceof Readable) streams.set(mail.data.signal, stream);
      return stream;
    });
    done();
  });

  return {
    async send(mail) {
      const late = AbortSignal.timeout(timeouts.total);
      const signal = options.cutOff ? AbortSignal.any([late, options.cutOff]) : late;
      try {
        const info = await transport.sendMail({
          from: options.from,
          to: mail.to.map((address) => ({ name: '', address })),
          messageId: `<${mail.messageId}>`,
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal,
        });
        return {
          outcome: 'sent',
          detail: brief(redact(sentDetail(info))),
          rejected: info.rejected,
        };
      } catch (thrown) {
        const error: NodemailerError = thrown instanceof Error ? thrown : new Error(String(thrown));
        const outcome = judge(error, streams.get(signal)?.readableDidRead === true);
        const stopped = options.cutOff?.aborted ? 'The worker stopped meanwhile.' : error.message;
        const words = late.aborted ? `No answer within ${timeouts.total / 1_000} s.` : stopped;
        return {
          outcome,
          detail: brief(redact(words)),
          rejected: outcome === 'refused' ? mail.to : [],
        };
      }
    },
    close: () => transport.close(),
  };
}

/** With a password, and to another machine. */
function needsTls(smtpUrl: string): boolean {
  const { password, hostname } = new URL(smtpUrl);
  return password !== '' && !/^(localhost|127\..*|\[::1\])$/.test(hostname);
}

function sentDetail(info: SMTPPoolSentMessageInfo): string {
  const refusals = (info.rejectedErrors ?? []).map((error) => `${error.recipient}: ${error.response}`);
  return [...refusals.map((refusal) => `Not taken for ${refusal}`), info.response].join('; ');
}

/** One line of at most 500 characters: it is kept in tables, histories and logs. */
function brief(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length <= 500 ? line : `${characters.slice(0, 499).join('')}…`;
}

/** Takes the password out of what a server says, also in the forms that AUTH sends it in. */
function redactor(smtpUrl: string): (text: string) => string {
  const url = new URL(smtpUrl);
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  if (password === '') return (text) => text;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const secrets = [base64(`\0${user}\0${password}`), base64(password), url.password, password];
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
}
