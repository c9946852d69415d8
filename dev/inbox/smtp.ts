import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';
import type { MessageStore } from './store.ts';

const MAX_BYTES = 25 * 1024 * 1024;

/** An SMTP server that takes every message, from anyone to anyone, and keeps it. Errors go to the `error` event. */
export function createSmtp(store: MessageStore): SMTPServer {
  return new SMTPServer({
    size: MAX_BYTES,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    maxClients: 500,
    closeTimeout: 500,
    onData(stream, { envelope }, answer) {
      read(stream)
        .then((raw) =>
          store.add(raw, {
            mailFrom: envelope.mailFrom ? envelope.mailFrom.address : '',
            rcptTo: envelope.rcptTo.map(({ address }) => address),
          }),
        )
        .then(
          ({ ID }) => answer(null, `Stored as ${ID}`),
          (error: Error) => answer(error),
        );
    },
  });
}

/** Reads to the end also what is too large, as the protocol asks, but does not keep it. */
async function read(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (stream.sizeExceeded) chunks.length = 0;
    else chunks.push(chunk);
  }
  if (stream.sizeExceeded) {
    throw Object.assign(new Error('The message is larger than 25 MB'), { responseCode: 552 });
  }
  return Buffer.concat(chunks);
}
