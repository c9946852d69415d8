/** Pictures as people and attackers send them, and the forms that they come in. */
import { randomFillSync } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

/** A red picture of one colour. */
export function red(width = 640, height = width, alpha = 1): Sharp {
  return sharp({
    create: { width, height, channels: alpha < 1 ? 4 : 3, background: { r: 200, g: 10, b: 10, alpha } },
    limitInputPixels: false,
  });
}

export const png = (width?: number, height?: number) => red(width, height).png().toBuffer();
export const jpeg = (width?: number, height?: number) => red(width, height).jpeg().toBuffer();

/** Noise, which does not compress: about 3 bytes a pixel. */
export function noise(edge: number): Promise<Buffer> {
  const pixels = randomFillSync(Buffer.alloc(edge * edge * 3));
  return sharp(pixels, { raw: { width: edge, height: edge, channels: 3 } })
    .png({ compressionLevel: 0 })
    .toBuffer();
}

/** One chunk of a PNG. */
export function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, sum]);
}

/** A PNG of black and white pixels, which needs a bit for each: hardly any bytes for very many of them. */
export function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height), { level: 9 });
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Puts chunks behind the header of a PNG. */
export function withChunks(picture: Buffer, ...chunks: Buffer[]): Buffer {
  const afterHeader = 8 + 25;
  return Buffer.concat([picture.subarray(0, afterHeader), ...chunks, picture.subarray(afterHeader)]);
}

export interface Part {
  name?: string;
  /** Null: a text field. */
  filename?: string | null;
  type?: string;
  content: Buffer | string;
}

const BOUNDARY = 'a-boundary-of-tests';

/** A multipart body of these parts, and its headers. */
export function form(...parts: Part[]): { body: Buffer; headers: Record<string, string> } {
  const pieces = parts.flatMap(({ name = 'file', filename = 'logo.png', type = 'image/png', content }) => [
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"`,
    filename === null ? '\r\n\r\n' : `; filename="${filename}"\r\ncontent-type: ${type}\r\n\r\n`,
    content,
    '\r\n',
  ]);
  return {
    body: Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece as string))),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  };
}
