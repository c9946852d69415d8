/** Run as a child process: an SMTP server that counts mails and throws them away. Tells its port, and the count when asked. */
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export type FromSink = { port: number } | { taken: number };

let taken = 0;
const tell = (message: FromSink) => process.send?.(message);

const server = new SMTPServer({
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  maxClients: 500,
  onData(stream, _session, answer) {
    stream.on('end', () => {
      taken += 1;
      answer(null);
    });
    stream.resume();
  },
});
// A client that hangs up is nothing to stop for.
server.on('error', () => {});
const listener = server.listen(0, '127.0.0.1', () =>
  tell({ port: (listener.address() as AddressInfo).port }),
);
process.on('message', () => tell({ taken }));
// Without the benchmark there is nobody to count for.
process.on('disconnect', () => process.exit());
