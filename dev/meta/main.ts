/**
 * The Meta simulator: `node dev/meta/main.ts <folder> <port> <callback URL>`, on 127.0.0.1 only. The app and the
 * accounts are those of `accounts.ts`.
 */
import { STACK_ACCOUNTS, STACK_APP } from './accounts.ts';
import { startMetaSimulator } from './simulator.ts';

/** Long enough to be met by whoever registers at once. */
const PROVISIONING_DELAY_MS = 2000;

const [folder = '', port = '', callbackUrl = ''] = process.argv.slice(2);
const simulator = await startMetaSimulator({
  port: Number(port),
  folder,
  callbackUrl,
  ...STACK_APP,
  accounts: STACK_ACCOUNTS,
  provisioningDelayMs: PROVISIONING_DELAY_MS,
});
console.log(`The Meta simulator answers on ${simulator.url}; its webhooks go to ${callbackUrl}.`);

// At once: state is written before the first wait, and what is under way has got no answer.
process.once('SIGTERM', () => {
  void simulator.close();
  process.exit(0);
});
