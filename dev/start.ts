/** `npm start`: runs the product with embedded parts until Ctrl-C. */
import { once } from 'node:events';
import { relative } from 'node:path';
import { explain } from './fault.ts';
import { stackPath } from './folder.ts';
import { Stack } from './stack.ts';
import { welcome } from './welcome.ts';

const say = (line: string) => console.log(line);
const path = stackPath(process.env);
const asked = new AbortController();
const stack = new Stack({ path, env: process.env, say, signal: asked.signal });

// npm passes a signal on that the terminal has delivered already: only the first one counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort());
// A closed terminal must not keep the parts from being stopped.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

let failed: unknown;
const fail = (error: unknown) => {
  failed ??= error;
  asked.abort();
};
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

// Run by npm, the stack ends with it: npm's shell may die of a signal without passing it on.
const parent = process.ppid;
const watch = setInterval(() => {
  if (process.env['npm_lifecycle_event'] !== undefined && process.ppid !== parent) asked.abort();
}, 500);

try {
  const credentials = await stack.start();
  say(welcome(credentials, relative(process.cwd(), path) || path));
  asked.signal.throwIfAborted();
  await once(asked.signal, 'abort');
} catch (error) {
  if (!asked.signal.aborted) failed = error;
}
if (failed !== undefined) console.error(explain(failed));
else say('Stopping …');
clearInterval(watch);
await stack.stop();
if (failed === undefined) say('Stopped.');
process.exit(failed === undefined ? 0 : 1);
