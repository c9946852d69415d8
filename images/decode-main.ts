/**
 * Draws one picture anew: the file comes on stdin, one line of JSON and then the picture go to stdout. A process of
 * its own for each, so that what a hostile file does to a decoder ends with it, as does all memory it took.
 */
import { buffer } from 'node:stream/consumers';
import { draw } from './draw.ts';
import { PictureRefused } from './refused.ts';

try {
  const { content, ...drawn } = await draw(await buffer(process.stdin));
  process.stdout.write(`${JSON.stringify({ drawn })}\n`);
  process.stdout.write(content);
} catch (error) {
  const refused =
    error instanceof PictureRefused
      ? { code: error.code, detail: error.message }
      : {
          code: 'damaged',
          detail: 'The picture is damaged or was cut off. Save it again and send the whole file.',
          cause: String(error),
        };
  process.stdout.write(`${JSON.stringify({ refused })}\n`);
}
