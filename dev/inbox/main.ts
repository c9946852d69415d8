/** The inbox: `node dev/inbox/main.ts <folder> <smtp port> <web port>`, on 127.0.0.1 only. */
import { createSmtp } from './smtp.ts';
import { MessageStore } from './store.ts';
import { createWeb } from './web.ts';

const [folder = '', smtpPort = '', webPort = ''] = process.argv.slice(2);
const store = new MessageStore(folder);
const smtp = createSmtp(store);
const web = createWeb(store);

// Before it listens, an error means that it cannot; afterwards it is about one connection.
await new Promise<void>((resolve, reject) => {
  smtp.once('error', reject);
  smtp.listen(Number(smtpPort), '127.0.0.1', () => resolve());
});
smtp.on('error', (error) => console.error(`A connection failed: ${error.message}`));
await web.listen({ port: Number(webPort), host: '127.0.0.1' });
console.log(`The inbox takes mail on port ${smtpPort} and shows it on port ${webPort}.`);

// At once: what is half stored got no answer, so its sender sends it again.
process.once('SIGTERM', () => process.exit(0));
