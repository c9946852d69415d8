/** The examples of the README, run as they stand. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ProductProcess, startApi } from './support/processes.ts';
import { createAccount, createStaff, startStack, type TestStack } from './support/stack.ts';

const project = new URL('..', import.meta.url).pathname;
const [, usage = ''] = readFileSync(join(project, 'README.md'), 'utf8').split('## Use the API');
/** The code blocks under "Use the API", in their order. */
const [preparation = '', curl = '', typescript = '', python = ''] = [
  ...usage.matchAll(/```\w+\n([\s\S]*?)```/g),
].map(([, code]) => code);

let stack: TestStack;
let api: ProductProcess;
/** With the credentials where a stack that runs has them. */
let folder: string;

beforeAll(async () => {
  stack = await startStack();
  api = await startApi(stack.env);
  folder = mkdtempSync(join(tmpdir(), 'numbers-readme-'));
  mkdirSync(join(folder, '.stack'));
  const credentials = {
    apiUrl: api.url,
    customer: { apiKey: (await createAccount(stack.db)).key },
    support: { apiKey: (await createStaff(stack.db, 'support')).key },
  };
  writeFileSync(join(folder, '.stack/credentials.json'), JSON.stringify(credentials));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await api.stop();
  await stack.close();
});

/** Runs the preparation and then a command, in the project's folder but with our credentials. */
async function run(command: string, input = ''): Promise<string> {
  const script = `cd ${folder}\n${preparation}\ncd ${project}\n${command}`;
  const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`;
  const child = spawn('sh', ['-c', script], { env: { PATH } });
  child.stdin.end(input);
  // While it runs, the worker in this process works.
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect(code, stderr).toBe(0);
  return stdout;
}

it('curl submits, decides and follows', async () => {
  const answers = (await run(curl)).trim().split(/(?<=})(?={)/);
  const [verified, decided, now, events] = answers.map((answer) => JSON.parse(answer));
  expect(verified.status).toBe('PENDING_FACEBOOK_APPROVAL');
  expect(decided.rejection).toMatchObject({ by: 'facebook', fields: ['displayName'] });
  expect(now).toMatchObject({ id: verified.id, status: 'REJECTED' });
  expect(events.items.map(({ type }: { type: string }) => type)).toEqual([
    'submitted',
    'verification.approved',
    'facebook.rejected',
  ]);
});

const FOLLOWED = /^PENDING_VERIFICATION: waits for support to verify\n\S+Z submitted\n$/;

it('TypeScript submits and follows, again with the same answer', async () => {
  const follow = () => run('node --input-type=module-typescript', typescript);
  const followed = await follow();
  expect(followed).toMatch(FOLLOWED);
  expect(await follow()).toBe(followed);
});

it('Python submits and follows, again with the same answer', async () => {
  const follow = () => run('python3 -', python);
  const followed = await follow();
  expect(followed).toMatch(FOLLOWED);
  expect(await follow()).toBe(followed);
});

it('has its examples saved where git does not see them', () => {
  const saved = [...usage.matchAll(/Save it as\s`([\w./]+)`/g)].map(([, name]) => `/${name}`);
  expect(saved).toHaveLength(2);
  const ignored = readFileSync(join(project, '.gitignore'), 'utf8').split('\n');
  expect(ignored).toEqual(expect.arrayContaining(saved));
});
