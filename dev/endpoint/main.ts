/** The sample customer endpoint: `node dev/endpoint/main.ts <folder> <port>`, on 127.0.0.1 only. */
import { startEndpoint } from './endpoint.ts';

const [folder = '', port = ''] = process.argv.slice(2);
const endpoint = await startEndpoint({ port: Number(port), folder });
console.log(`The sample endpoint takes webhooks on ${endpoint.url}.`);

// At once: state is written before the first wait, and what is under way has got no answer.
process.once('SIGTERM', () => {
  void endpoint.close();
  process.exit(0);
});
