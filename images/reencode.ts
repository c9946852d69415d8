/** Has a picture drawn anew by a process of its own, one at a time. Why: docs/decisions/0016. */
import { type ChildProcess, spawn } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import type { Picture } from './draw.ts';
import { typeOf } from './formats.ts';
import { PictureRefused } from './refused.ts';

/** Of an upload: 5 MiB, as Meta takes. */
export const MAX_BYTES = 5 * 1_048_576;
/** Work on one picture, which takes a twentieth of that. */
const MAX_MS = 8_000;

const MAIN = fileURLToPath(new URL('decode-main.ts', import.meta.url));
/** What one takes is the bound of what all take. */
const line = pLimit(1);

/** It could not be drawn now: there was no time or no memory. Nothing is said of the picture. */
export class DecoderUnavailable extends Error {
  override name = 'DecoderUnavailable';
}

type Answer =
  | { drawn: Omit<Picture, 'content'>; refused?: never }
  | { refused: { code: string; detail: string; cause?: string }; drawn?: never };

/**
 * The picture as `draw` makes it. Waits for its turn; throws the reason of `signal` where that aborts before.
 * Throws `PictureRefused`, and `DecoderUnavailable` where nothing was found out.
 */
export async function reencode(file: Buffer, signal: AbortSignal): Promise<Picture> {
  // Looked at before anything decodes it.
  typeOf(file);
  return line(async () => {
    signal.throwIfAborted();
    const output = await decode(file);
    const end = output.indexOf('\n');
    const answer = JSON.parse(output.toString('utf8', 0, end)) as Answer;
    if (answer.drawn) return { ...answer.drawn, content: output.subarray(end + 1) };
    const { code, detail, cause } = answer.refused;
    throw new PictureRefused('invalid', code, detail, cause);
  });
}

async function decode(file: Buffer): Promise<Buffer> {
  try {
    const child = spawn(process.execPath, [MAIN], {
      // None of our own environment: there is nothing to find in it, whoever gets to look.
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: MAX_MS,
      killSignal: 'SIGKILL',
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const [output, code] = await Promise.all([exchange(child, file), ended]);
    if (code !== 0) throw new Error(`It ended with ${code ?? child.signalCode}`);
    return output;
  } catch (error) {
    throw new DecoderUnavailable('The decoder did not finish', { cause: error });
  }
}

/** Gives it the file; resolves with all that it says. Rejects where there are no pipes: no file could be opened. */
async function exchange({ stdin, stdout }: ChildProcess, file: Buffer): Promise<Buffer> {
  if (!stdin || !stdout) throw new Error('It has no pipes');
  // One that has died reads no more; its end says so.
  stdin.on('error', () => {});
  stdin.end(file);
  return buffer(stdout);
}
