/** What a file is by its first bytes, whatever its name and its Content-Type say. */
import { PictureRefused } from './refused.ts';

export type PictureType = 'image/jpeg' | 'image/png';

type Looks = (head: Buffer) => boolean;

/** The bytes begin so; `at` counts from 0. */
const has =
  (text: string, at = 0): Looks =>
  (head) =>
    head.toString('latin1', at, at + text.length) === text;

const TAKEN: [PictureType, Looks][] = [
  ['image/jpeg', has('\xff\xd8\xff')],
  ['image/png', has('\x89PNG\r\n\x1a\n')],
];

/** Formats that people send by mistake, or because something reads them where it should not. */
const REFUSED: [code: string, name: string, Looks][] = [
  ['format_gif', 'a GIF', has('GIF8')],
  ['format_webp', 'a WebP picture', (head) => has('RIFF')(head) && has('WEBP', 8)(head)],
  ['format_pdf', 'a PDF document', has('%PDF')],
  [
    'format_heic',
    'a HEIC or AVIF picture',
    (head) => /^ftyp(he|mif|msf|avi)/.test(head.toString('latin1', 4, 11)),
  ],
  ['format_tiff', 'a TIFF picture', (head) => has('II*\0')(head) || has('MM\0*')(head)],
  ['format_bmp', 'a BMP picture', has('BM')],
  ['format_zip', 'a ZIP archive', has('PK\x03\x04')],
  ['format_svg', 'an SVG drawing', (head) => /<svg[\s>]/i.test(plainText(head))],
  ['format_html', 'an HTML page', (head) => /^\s*<(!doctype html|html|script|body)\b/i.test(plainText(head))],
];

/** As much as a prologue and comments of an SVG may take up. */
const HEAD_BYTES = 4_096;

/** Throws `PictureRefused`, which names what it is instead and says what to send. */
export function typeOf(bytes: Buffer): PictureType {
  if (bytes.length === 0) {
    throw new PictureRefused('invalid', 'empty_file', 'The file is empty. Send a JPEG or PNG picture.');
  }
  const head = bytes.subarray(0, HEAD_BYTES);
  const taken = TAKEN.find(([, looks]) => looks(head));
  if (taken) return taken[0];
  const [code, name] = REFUSED.find(([, , looks]) => looks(head)) ?? [
    'format_unknown',
    'no picture of a known format',
  ];
  throw new PictureRefused('unsupported', code, `The file is ${name}. Send a JPEG or PNG picture.`);
}

/** Text in any of the encodings that XML comes in: in UTF-16 every second byte of plain letters is NUL. */
function plainText(head: Buffer): string {
  return head
    .toString('latin1')
    .replace(/^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, '')
    .replaceAll('\0', '');
}
