/**
 * Decodes a picture and encodes it anew, so that nothing of the file survives but its pixels: no EXIF, no colour
 * profile, no text, nothing appended. Runs in a process of its own (`decode-main.ts`).
 */
import sharp, { type Metadata } from 'sharp';
import { type PictureType, typeOf } from './formats.ts';
import { PictureRefused } from './refused.ts';

/** Pixels along the longer edge as kept. Not even noise with transparency is over 5 MiB then, and Meta keeps 640. */
const MAX_EDGE = 1_024;
/** Pixels of an upload; the largest that phones make by default have 24 million. */
const MAX_PIXELS = 40_000_000;
/** Progressive and interlaced pictures are in memory as a whole; others pass through row by row. */
const MAX_WHOLE_BYTES = 50_000_000;

// Nothing else of libvips ever reads a byte of a stranger's.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer'] });
sharp.cache(false);
sharp.concurrency(1);

export interface Picture {
  content: Buffer;
  contentType: PictureType;
  width: number;
  height: number;
  /** As it was sent, upright. */
  sent: { width: number; height: number };
  /** Some of it can be seen through. */
  transparent: boolean;
}

/** The picture in its own format, upright, in sRGB, scaled down where an edge is too long. Throws where it cannot be. */
export async function draw(file: Buffer): Promise<Picture> {
  const contentType = typeOf(file);
  // Only the header; the limits are judged by it, so that each has its own words.
  const header = await sharp(file, { limitInputPixels: false }).metadata();
  if (`image/${header.format}` !== contentType) throw new Error(`It decodes as ${header.format}`);
  checkSize(header);
  const picture = sharp(file, { failOn: 'error', limitInputPixels: MAX_PIXELS })
    .autoOrient()
    .resize({ width: MAX_EDGE, height: MAX_EDGE, fit: 'inside', withoutEnlargement: true });
  const encoded =
    contentType === 'image/png' ? picture.png() : picture.jpeg({ quality: 90, chromaSubsampling: '4:4:4' });
  const { data: content, info } = await encoded.toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const transparent = info.channels % 2 === 0 && !(await sharp(content).stats()).isOpaque;
  return { content, contentType, width, height, sent: header.autoOrient, transparent };
}

/** Refuses what decoding would blow up. */
function checkSize({ width, height, channels, depth, format, isProgressive }: Metadata): void {
  const pixels = width * height;
  const size = `The picture has ${width} × ${height} pixels`;
  if (pixels > MAX_PIXELS) {
    const most = `${MAX_PIXELS / 1_000_000} million`;
    throw tooManyPixels(`${size}; at most ${most} are taken. Send it smaller: 640 × 640 is recommended.`);
  }
  // libjpeg keeps coefficients of two bytes.
  const bytes = format === 'jpeg' || depth === 'ushort' ? 2 : 1;
  if (isProgressive && pixels * channels * bytes > MAX_WHOLE_BYTES) {
    const kind = format === 'jpeg' ? 'progressive' : 'interlaced';
    throw tooManyPixels(`${size}, too many for ${kind} ones. Send it smaller: 640 × 640 is recommended.`);
  }
}

function tooManyPixels(detail: string): PictureRefused {
  return new PictureRefused('invalid', 'too_many_pixels', detail);
}
