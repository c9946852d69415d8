/**
 * `npm run tour`: walks a number through its whole life against the running stack, and shows what happens. With
 * `-- --webhooks-lost` nothing that Meta tells arrives, and is learnt all the same.
 */
import { parseArgs } from 'node:util';
import { createClient, NoAnswerError, ProblemError } from '../../client/index.ts';
import { type Credentials, readCredentials } from '../credentials.ts';
import { explain } from '../fault.ts';
import { throughMeta } from './at-meta.ts';
import { submitted } from './beginning.ts';
import { decidedByHand } from './by-hand.ts';
import { ended } from './ending.ts';
import { inbox } from './inbox.ts';

/** What each part of the tour works with. */
export type Tour = ReturnType<typeof tourOf>;

function tourOf(stack: Credentials) {
  return {
    stack,
    customer: createClient({ baseUrl: stack.apiUrl, apiKey: stack.customer.apiKey }),
    support: createClient({ baseUrl: stack.apiUrl, apiKey: stack.support.apiKey }),
    mail: inbox(stack),
  };
}

try {
  const { values } = parseArgs({ options: { 'webhooks-lost': { type: 'boolean', default: false } } });
  const stack = readCredentials(process.env);
  const tour = tourOf(stack);
  const { metaUrl, endpointUrl } = stack;
  const verified = await submitted(tour, endpointUrl);
  // Without the simulator, Meta is a real one, which no tour should trouble, or none.
  const approved =
    metaUrl !== null && endpointUrl !== null
      ? await throughMeta(tour, verified, { metaUrl, endpointUrl, webhooksLost: values['webhooks-lost'] })
      : await decidedByHand(tour, verified);
  await ended(tour, approved);
} catch (error) {
  const told = error instanceof ProblemError || error instanceof NoAnswerError;
  console.error(`\n${told ? error.message : explain(error)}`);
  process.exitCode = 1;
}
