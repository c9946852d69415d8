/** Many uploads at once: the memory of the API stays bounded, whatever they are, and each gets its answer. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GENEROUS_LIMITS } from '../../dev/environment.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { bomb, form, noise, red } from '../support/pictures.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { AUTH_SECRET, createAccount } from '../support/stack.ts';

vi.setConfig({ testTimeout: 300_000 });

const MIB = 1_048_576;
const MOST = 5 * MIB;
const AT_ONCE = 50;

let database: TestDatabase;
let api: ProductProcess;
let keys: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  const accounts = await Promise.all(Array.from({ length: 5 }, () => createAccount(database.db)));
  keys = accounts.map(({ key }) => key);
  api = await startApi({
    NODE_ENV: 'test',
    LOG_LEVEL: 'error',
    DATABASE_URL: database.url,
    AUTH_SECRET,
    ...GENEROUS_LIMITS,
  });
});
afterAll(async () => {
  await api.stop();
  await database.drop();
});

/** The most memory that a process has had since it started, in MiB. */
function peak(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_024;
}

/** As a client does: comes again after the seconds of Retry-After. Resolves with the status that is not 503. */
async function upload(content: Buffer, n: number): Promise<number> {
  const { body, headers } = form({ content });
  for (;;) {
    const response = await fetch(`${api.url}/v1/images`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${keys[n % keys.length]}` },
      body: body as Buffer<ArrayBuffer>,
      signal: AbortSignal.timeout(60_000),
    });
    await response.arrayBuffer();
    if (response.status !== 503) return response.status;
    await sleep(Number(response.headers.get('retry-after')) * 1_000);
  }
}

/** Filled up to the most bytes that are taken. What is appended is thrown away. */
function padded(picture: Buffer): Buffer {
  return Buffer.concat([picture, Buffer.alloc(MOST - picture.length, 'x')]);
}

// Only Linux tells the peak.
describe.skipIf(process.platform !== 'linux')(`${AT_ONCE} uploads at once take less than 400 MB`, () => {
  /** In memory as a whole while it is decoded, and just below what is taken of such. */
  const costly = () => red(3_500, 3_500, 0.5).png({ progressive: true }).toBuffer();

  it.each([
    ['of 5 MB, which are taken', async () => padded(await noise(500)), 201],
    ['of 5 MB and one byte', async () => Buffer.concat([padded(await noise(100)), Buffer.alloc(1)]), 413],
    ['that need most to decode', async () => padded(await costly()), 201],
    ['that are bombs', async () => padded(bomb(30_000, 30_000)), 422],
  ])('%s', async (_, make, status) => {
    const file = await make();
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => upload(file, n)));
    expect(answers).toEqual(new Array(AT_ONCE).fill(status));
    expect(peak(api.pid)).toBeLessThan(400);
    expect(api.log()).toBe('');
  });
});

it('that come when no more files can be opened are put off, and the process lives on', async () => {
  const script = fileURLToPath(new URL('out-of-files.ts', import.meta.url));
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    `ulimit -n 100; '${process.execPath}' '${script}'`,
  ]);
  expect(stdout.trim().split('\n')).toEqual(['EMFILE', 'DecoderUnavailable', 'alive']);
});
