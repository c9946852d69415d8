/** A process that can open no more files and has a picture drawn: says what came of it, and later that it still lives. */
import { openSync } from 'node:fs';
import { setImmediate as later } from 'node:timers/promises';
import { reencode } from '../../images/reencode.ts';
import { png } from '../support/pictures.ts';

const picture = await png();
try {
  for (;;) openSync('/dev/null', 'r');
} catch (error) {
  console.log((error as NodeJS.ErrnoException).code);
}
await reencode(picture, new AbortController().signal).catch((error: Error) => console.log(error.name));
await later();
console.log('alive');
