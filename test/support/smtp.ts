/** A real SMTP server with faults to switch on, and the mails it took. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** Each fault is off while undefined or false. Numbers are SMTP reply codes. */
interface SmtpFaults {
  /** Accepts the connection and never says a word. */
  hangGreeting?: boolean;
  /** Answers AUTH; without it any user and password are taken. */
  auth?: number | undefined;
  mailFrom?: number | undefined;
  /** Answers RCPT TO by address, with words of its own or without; undefined takes it. */
  rcpt?: ((address: string) => number | string | undefined) | undefined;
  /** Answers the final dot. */
  data?: number | undefined;
  /** Cuts the connection at MAIL FROM. */
  cutBeforeData?: boolean;
  /** Keeps the mail as taken and cuts the connection before the answer to the final dot. */
  cutAfterData?: boolean;
  /** Keeps the mail as taken and never answers the final dot. */
  hangAfterData?: boolean;
}

export interface TakenMail {
  from: string;
  to: string[];
  raw: string;
  parsed: ParsedMail;
}

export interface TestSmtp {
  url: string;
  port: number;
  faults: SmtpFaults;
  /** In the order they were taken. */
  mails: TakenMail[];
  /** Closes the port and every connection; `start` opens the same port again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface SmtpOptions {
  /** Offers STARTTLS with a certificate that nobody trusts. */
  startTls?: boolean;
  /** For what lies between the server and its taken mail, such as a slow disk. */
  beforeAnswer?: (mail: TakenMail) => Promise<void>;
}

/** Starts on a free port of this machine. Stop it when done. */
export async function startSmtp(options: SmtpOptions = {}): Promise<TestSmtp> {
  const faults: SmtpFaults = {};
  const mails: TakenMail[] = [];
  let server: SMTPServer | undefined;
  let port = 0;

  const create = () =>
    new SMTPServer({
      disabledCommands: options.startTls ? [] : ['STARTTLS'],
      authOptional: true,
      allowInsecureAuth: true,
      disableReverseLookup: true,
      logger: false,
      onConnect: (_session, done) => {
        if (!faults.hangGreeting) done();
      },
      onAuth: (_auth, _session, done) => done(reply(faults.auth), { user: 'test' }),
      onMailFrom: (_address, session, done) => {
        if (faults.cutBeforeData) cut(session);
        else done(reply(faults.mailFrom));
      },
      onRcptTo: ({ address }, _session, done) => done(reply(faults.rcpt?.(address))),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          take(session, Buffer.concat(chunks)).then((error) => {
            if (faults.cutAfterData) cut(session);
            else if (!faults.hangAfterData) done(error);
          }, done);
        });
      },
    });

  async function take(session: SMTPServerSession, raw: Buffer): Promise<Error | null> {
    if (faults.data !== undefined) return reply(faults.data);
    const { mailFrom, rcptTo } = session.envelope;
    const mail: TakenMail = {
      from: mailFrom === false ? '' : mailFrom.address,
      to: rcptTo.map(({ address }) => address),
      raw: raw.toString(),
      parsed: await simpleParser(raw),
    };
    mails.push(mail);
    await options.beforeAnswer?.(mail);
    return null;
  }

  function cut(session: SMTPServerSession): void {
    for (const connection of server?.connections ?? []) {
      if (connection.session.id === session.id) connection._socket.destroy();
    }
  }

  async function start(): Promise<void> {
    server = create();
    // A client that hangs up in the middle is what these tests are about.
    server.on('error', () => {});
    const listener = server.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    port = (listener.address() as AddressInfo).port;
  }

  async function stop(): Promise<void> {
    const stopping = server;
    server = undefined;
    if (!stopping) return;
    const closed = new Promise<void>((resolve) => stopping.close(resolve));
    for (const connection of stopping.connections) connection._socket.destroy();
    await closed;
  }

  await start();
  return { url: `smtp://127.0.0.1:${port}`, port, faults, mails, start, stop };
}

/** `550`, or `550 5.7.1 Blocked`. */
function reply(answer: number | string | undefined): Error | null {
  if (answer === undefined) return null;
  const [code = '', ...words] = String(answer).split(' ');
  const message = words.join(' ') || `Switched on by the test (${code})`;
  return Object.assign(new Error(message), { responseCode: Number(code) });
}
