/** Uploading pictures and reading them: what is taken, what it becomes, and what is refused with which words. */
import { deflateSync } from 'node:zlib';
import { eq } from 'drizzle-orm';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { imageContents, images } from '../../db/schema.ts';
import { bomb, chunk, form, jpeg, noise, type Part, png, red, withChunks } from '../support/pictures.ts';
import { createAccount, createStaff } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;

beforeAll(async () => {
  api = await startTestApi({ PUBLIC_URL: 'https://numbers.example' });
});
afterAll(() => api.close());
// An account of its own for each test: the quota counts what the others left.
beforeEach(async () => {
  ({ key } = await createAccount(api.db));
});

function upload(part: Part | Part[], headers: Record<string, string> = {}) {
  const { body, headers: own } = form(...[part].flat());
  return api.call(key, 'POST', '/v1/images', body, { ...own, ...headers });
}

async function taken(content: Buffer, part: Partial<Part> = {}) {
  const response = await upload({ ...part, content });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

const read = (id: string, as = key, headers = {}) =>
  api.call(as, 'GET', `/v1/images/${id}`, undefined, headers);

/** The fault of a refused file. */
async function refused(content: Buffer | string, status: number, part: Partial<Part> = {}) {
  const response = await upload({ ...part, content });
  expect(response.statusCode, response.body).toBe(status);
  const [fault, ...others] = problemOf(response).errors;
  expect(others).toEqual([]);
  expect(fault?.pointer).toBe('/file');
  return fault;
}

describe('a picture', () => {
  it('is answered with where it is, and is read there with headers that let it be nothing else', async () => {
    const response = await upload({ content: await png() });
    expect(response.statusCode, response.body).toBe(201);
    const { id, url, ...rest } = response.json();
    expect(rest).toEqual({ width: 640, height: 640, warnings: [] });
    expect(url).toBe(`https://numbers.example/v1/images/${id}`);
    expect(response.headers['location']).toBe(url);

    const got = await read(id);
    expect(got.statusCode).toBe(200);
    expect(got.headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': String(got.rawPayload.length),
      'content-disposition': `inline; filename="${id}.png"`,
      'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=86400, immutable',
      etag: `"${id}"`,
    });
    expect(await sharp(got.rawPayload).metadata()).toMatchObject({ format: 'png', width: 640, height: 640 });
  });

  it('is not sent again to whoever has it', async () => {
    const { id } = await taken(await jpeg());
    const again = await read(id, key, { 'if-none-match': `"other", W/"${id}"` });
    expect([again.statusCode, again.body, again.headers['etag']]).toEqual([304, '', `"${id}"`]);
    expect((await read(id, key, { 'if-none-match': '"other"' })).statusCode).toBe(200);
    const head = await api.app.inject({
      method: 'HEAD',
      url: `/v1/images/${id}`,
      headers: { authorization: `Bearer ${key}` },
    });
    expect([head.statusCode, head.headers['content-type'], head.body]).toEqual([200, 'image/jpeg', '']);
  });

  it('is for its account and for staff; to anybody else there is none', async () => {
    const { id } = await taken(await png());
    for (const role of ['support', 'operator'] as const) {
      const staff = await createStaff(api.db, role);
      expect((await read(id, staff.key)).statusCode).toBe(200);
      const { body, headers } = form({ content: await png() });
      expect((await api.call(staff.key, 'POST', '/v1/images', body, headers)).statusCode).toBe(403);
    }
    const other = await createAccount(api.db, 'Other');
    const foreign = await read(id, other.key);
    const missing = await read(`img_${'0'.repeat(32)}`, other.key);
    expect([foreign.statusCode, missing.statusCode]).toEqual([404, 404]);
    expect(problemOf(foreign).detail).toBe(problemOf(missing).detail);
    expect((await api.call(null, 'GET', `/v1/images/${id}`)).statusCode).toBe(401);
  });
});

describe('what is kept', () => {
  it('is the pixels alone: no EXIF, no profile, no text, nothing appended', async () => {
    const secret = '<script>alert(document.cookie)</script>';
    const withExif = await red(100, 50)
      .withExif({ IFD0: { Copyright: secret } })
      .withMetadata({ orientation: 6 })
      .withIccProfile('p3')
      .jpeg()
      .toBuffer();
    expect(withExif.includes(secret)).toBe(true);
    const { id, ...rest } = await taken(Buffer.concat([withExif, Buffer.from(secret)]));
    // Upright: a quarter turn.
    expect(rest).toMatchObject({ width: 50, height: 100 });
    const { rawPayload } = await read(id);
    expect(rawPayload.includes('script')).toBe(false);
    expect(rawPayload.includes('Exif')).toBe(false);
    const { exif, icc, xmp, comments, orientation, format } = await sharp(rawPayload).metadata();
    expect([exif, icc, xmp, comments, orientation, format]).toEqual([
      ...new Array(5).fill(undefined),
      'jpeg',
    ]);
    // The colours that the profile meant, but for what JPEG loses.
    const { channels } = await sharp(rawPayload).stats();
    expect(channels.map(({ mean }) => Math.round(mean / 20))).toEqual([10, 1, 1]);
  });

  it('is so of a picture with 200 MB of text in a few bytes', async () => {
    const text = Buffer.concat([
      Buffer.from('Comment\0\0', 'latin1'),
      deflateSync(Buffer.alloc(200_000_000)),
    ]);
    const { id } = await taken(withChunks(await png(300), chunk('zTXt', text)));
    expect((await read(id)).rawPayload.length).toBeLessThan(10_000);
  });

  it('is neither half of a file that is two things', async () => {
    const text = chunk('tEXt', Buffer.from('Comment\0<?php system($_GET[0]); ?>', 'latin1'));
    const zip = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.from('evil.jar'), Buffer.alloc(64, 'x')]);
    const { id } = await taken(Buffer.concat([withChunks(await png(), text), zip]));
    const { rawPayload } = await read(id);
    for (const word of ['php', 'evil', 'PK\x03\x04', 'tEXt']) expect(rawPayload.includes(word)).toBe(false);
    expect(rawPayload.subarray(-8, -4).toString()).toBe('IEND');
  });

  const cmyk = () => red().toColourspace('cmyk').jpeg().toBuffer();
  const animated = async () => withChunks(await png(), chunk('acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])));
  it.each([
    ['a CMYK JPEG', cmyk, 'jpeg'],
    ['a progressive JPEG', () => red().jpeg({ progressive: true }).toBuffer(), 'jpeg'],
    ['a grey JPEG', () => red().greyscale().jpeg().toBuffer(), 'jpeg'],
    ['a PNG of 16 bits', () => red().toColourspace('rgb16').png().toBuffer(), 'png'],
    ['an interlaced PNG', () => red().png({ progressive: true }).toBuffer(), 'png'],
    ['a PNG with a palette', () => red().png({ palette: true }).toBuffer(), 'png'],
    ['an animated PNG', animated, 'png'],
  ])('is of the same format and of 8 bits: %s', async (_, make, format) => {
    const { id } = await taken(await make());
    const kept = await sharp((await read(id)).rawPayload).metadata();
    expect(kept).toMatchObject({ format, depth: 'uchar', width: 640, height: 640 });
    expect(['srgb', 'b-w']).toContain(kept.space);
    expect(kept.isProgressive).toBe(false);
  });

  it('is at most 1,024 pixels long, and 5 MiB whatever is in it', async () => {
    expect(await taken(await jpeg(4_000, 3_000))).toMatchObject({ width: 1_024, height: 768 });
    const { id } = await taken(await noise(1_300));
    expect((await read(id)).rawPayload.length).toBeLessThan(5 * 1_048_576);
  });

  it('is what the file is, whatever the form calls it', async () => {
    const { id } = await taken(await png(), { type: 'text/html', filename: '../../x.svg' });
    expect((await read(id)).headers).toMatchObject({
      'content-type': 'image/png',
      'content-disposition': `inline; filename="${id}.png"`,
    });
  });
});

describe('warnings', () => {
  it.each([
    ['the recommended size', [640, 640], []],
    ['another size', [800, 800], ['not_recommended_size']],
    ['the least that Meta takes', [192, 192], ['not_recommended_size']],
    ['too small', [191, 191], ['too_small']],
    ['not square', [640, 480], ['not_square']],
    ['small and not square', [300, 100], ['not_square', 'too_small']],
    ['thin once it is scaled down', [4_000, 500], ['not_square', 'too_small']],
  ])('%s', async (_, [width, height], codes) => {
    const { warnings } = await taken(await png(width, height));
    expect(warnings.map(({ code }: { code: string }) => code)).toEqual(codes);
    for (const { detail } of warnings) expect(detail).toContain(`${width} × ${height}`);
  });

  it('what can be seen through', async () => {
    const { warnings } = await taken(await red(640, 640, 0.5).png().toBuffer());
    expect(warnings).toEqual([{ code: 'transparent', detail: expect.stringContaining('black') }]);
    expect((await taken(await red().ensureAlpha().png().toBuffer())).warnings).toEqual([]);
  });
});

describe('what is refused', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  it.each([
    ['format_svg', 'an SVG', svg],
    ['format_svg', 'an SVG', `\ufeff<?xml version="1.0"?>\n<!-- a logo -->\n${svg}`],
    ['format_svg', 'an SVG', Buffer.from(`\ufeff${svg}`, 'utf16le')],
    ['format_html', 'an HTML', '\n<!DOCTYPE html><body>'],
    ['format_gif', 'a GIF', 'GIF89a\x01\x00\x01\x00'],
    ['format_webp', 'a WebP', 'RIFF\x00\x00\x00\x00WEBPVP8 '],
    ['format_pdf', 'a PDF', '%PDF-1.7'],
    ['format_heic', 'a HEIC', '\x00\x00\x00\x18ftypheic'],
    ['format_tiff', 'a TIFF', 'II*\x00'],
    ['format_bmp', 'a BMP', 'BM\x00\x00'],
    ['format_zip', 'a ZIP', 'PK\x03\x04'],
    ['format_unknown', 'no picture', 'hello'],
  ])('with 415 and %s: what is %s, named .png', async (code, name, content) => {
    const fault = await refused(content, 415);
    expect(fault).toMatchObject({ code, detail: expect.stringContaining(`The file is ${name}`) });
    expect(fault?.detail).toContain('Send a JPEG or PNG');
  });

  it('real ones of other formats, too', async () => {
    const gif = await refused(await red(64).gif().toBuffer(), 415);
    const webp = await refused(await red(64).webp().toBuffer(), 415);
    const tiff = await refused(await red(64).tiff().toBuffer(), 415);
    expect([gif?.code, webp?.code, tiff?.code]).toEqual(['format_gif', 'format_webp', 'format_tiff']);
  });

  it('an empty file', async () => {
    expect(await refused('', 422)).toMatchObject({ code: 'empty_file' });
  });

  it.each([
    ['a PNG bomb', () => bomb(30_000, 30_000), '30000 × 30000'],
    ['one pixel row too many', () => bomb(10_000, 4_001), '10000 × 4001'],
    ['a large progressive JPEG', () => red(5_000).jpeg({ progressive: true }).toBuffer(), 'progressive'],
    ['a large interlaced PNG', () => red(6_000).png({ progressive: true }).toBuffer(), 'interlaced'],
  ])('with too_many_pixels: %s', async (_, make, words) => {
    const fault = await refused(await make(), 422);
    expect(fault).toMatchObject({ code: 'too_many_pixels', detail: expect.stringContaining(words) });
  });

  const cut = (picture: Buffer) => picture.subarray(0, picture.length * 0.6);
  it.each([
    ['a PNG that was cut off', async () => cut(await noise(100))],
    [
      'a JPEG that was cut off',
      async () =>
        cut(
          await sharp(await noise(200))
            .jpeg()
            .toBuffer(),
        ),
    ],
    ['nothing but the first bytes of a PNG', () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['nothing but the first bytes of a JPEG', () => Buffer.from('\xff\xd8\xff\xe0', 'latin1')],
    ['a PNG whose pixels are not what they were', async () => (await noise(100)).fill(7, 5_000, 6_000)],
    ['a PNG without pixels', () => bomb(0, 10)],
    [
      'an HTML page behind the first bytes',
      () => Buffer.from('\xff\xd8\xff<script>alert(1)</script>', 'latin1'),
    ],
  ])('with damaged: %s', async (_, make) => {
    expect(await refused(await make(), 422)).toMatchObject({ code: 'damaged' });
  });

  it('a file of 5 MiB and one byte, but not one of 5 MiB', async () => {
    const most = 5 * 1_048_576;
    const picture = await png();
    const full = Buffer.concat([picture, Buffer.alloc(most - picture.length)]);
    await taken(full);
    const response = await upload({ content: Buffer.concat([full, Buffer.alloc(1)]) });
    expect(response.statusCode).toBe(413);
    expect(problemOf(response)).toMatchObject({
      code: 'too_large',
      detail: 'The file has more than 5,242,880 bytes (5 MiB). Send a smaller one.',
    });
    // Not told beforehand how long it is, or much longer.
    const { body, headers } = form({ content: Buffer.concat([full, full]) });
    expect((await api.call(key, 'POST', '/v1/images', body, headers)).statusCode).toBe(413);
  });

  it('nothing of it is kept', async () => {
    const before = await api.db.select().from(images);
    await refused(bomb(30_000, 30_000), 422);
    await refused('GIF89a', 415);
    expect(await api.db.select().from(images)).toEqual(before);
  });
});

describe('the form', () => {
  const faultOf = async (parts: Part[]) => {
    const response = await upload(parts);
    expect(response.statusCode, response.body).toBe(422);
    return problemOf(response).errors[0];
  };

  it('has one picture in it and nothing else', async () => {
    const content = await png(64);
    expect(await faultOf([])).toMatchObject({ pointer: '/file', code: 'required' });
    expect(await faultOf([{ content }, { content }])).toMatchObject({
      pointer: '/file',
      code: 'several_files',
    });
    expect(await faultOf([{ name: 'a/b~c', content }])).toMatchObject({
      pointer: '/a~1b~0c',
      code: 'unknown_field',
      detail: expect.stringContaining('"file"'),
    });
    expect(await faultOf([{ content }, { name: 'title', filename: null, content: 'Logo' }])).toMatchObject({
      pointer: '/title',
      code: 'unknown_field',
    });
    expect(await faultOf([{ filename: null, content }])).toMatchObject({
      pointer: '/file',
      code: 'not_a_file',
    });
    expect(await faultOf(new Array(50).fill({ content }))).toMatchObject({ code: 'several_files' });
  });

  it('is multipart/form-data', async () => {
    for (const [type, body] of [
      ['application/json', '{}'],
      ['image/png', await png(64)],
      ['multipart/mixed; boundary=x', '--x--'],
    ] as const) {
      const response = await api.call(key, 'POST', '/v1/images', body, { 'content-type': type });
      expect(response.statusCode, type).toBe(415);
      expect(problemOf(response).detail).toContain('multipart/form-data');
    }
    expect((await api.call(key, 'POST', '/v1/images')).statusCode).toBe(415);
  });

  it('can be read to its end', async () => {
    const { body, headers } = form({ content: await png(64) });
    const cut = body.subarray(0, body.length - 40);
    const asked: [Buffer, Record<string, string>][] = [
      [cut, headers],
      [body, { 'content-type': 'multipart/form-data' }],
      [body, { 'content-type': 'multipart/form-data; boundary=another' }],
    ];
    for (const [payload, given] of asked) {
      const response = await api.call(key, 'POST', '/v1/images', payload, given);
      expect(response.statusCode, response.body).toBe(400);
      expect(problemOf(response).detail).toContain('multipart');
    }
    const named = form({ name: '__proto__', content: await png(64) });
    expect((await api.call(key, 'POST', '/v1/images', named.body, named.headers)).statusCode).toBe(400);
  });
});

describe('an Idempotency-Key', () => {
  it('is for one file: the repeat gets its picture, another file is told', async () => {
    const content = await png(100);
    const headers = { 'idempotency-key': 'logo-1' };
    const first = await upload({ content }, headers);
    const again = await upload({ content, filename: 'again.png' }, headers);
    expect([again.statusCode, again.json(), again.headers['location']]).toEqual([
      201,
      first.json(),
      first.headers['location'],
    ]);
    const other = await upload({ content: await png(101) }, headers);
    expect(problemOf(other).code).toBe('idempotency_key_reused');
  });

  it('gives all of several at once the same picture, and leaves the others to the clean-up', async () => {
    const { id: accountId, key: own } = await createAccount(api.db);
    key = own;
    const content = await png(100);
    const answers = await Promise.all(
      [1, 2, 3].map(() => upload({ content }, { 'idempotency-key': 'logo-2' })),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201]);
    expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
    const rows = await api.db.select().from(images).where(eq(images.accountId, accountId));
    const fresh = rows.filter(({ createdAt }) => Date.now() - createdAt.getTime() < 3_600_000);
    expect(fresh.map(({ id }) => id)).toEqual([answers[0]?.json().id]);
  });
});

it('has room for 100 pictures of an account that no number uses', async () => {
  const { id: accountId, key: own } = await createAccount(api.db);
  key = own;
  const { id } = await taken(await png(64));
  const [row] = await api.db.select().from(images).where(eq(images.id, id));
  if (!row) return expect.fail('no row');
  const hourAgo = new Date(Date.now() - 3_600_000);
  await api.db.insert(images).values(
    Array.from({ length: 98 }, (_, n) => ({
      ...row,
      id: `img_${String(n).padStart(32, '0')}`,
      createdAt: hourAgo,
    })),
  );
  const content = await png(64);
  const both = await Promise.all([upload({ content }), upload({ content })]);
  expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([201, 429]);
  const full = await upload({ content });
  expect(problemOf(full)).toMatchObject({ code: 'quota_exceeded', detail: expect.stringContaining('100') });
  const retryAfter = Number(full.headers['retry-after']);
  expect(retryAfter).toBeGreaterThan(22 * 3_600);
  expect(retryAfter).toBeLessThanOrEqual(23 * 3_600);
  const other = await createAccount(api.db);
  key = other.key;
  await taken(content);
  const contents = await api.db
    .select({ id: imageContents.imageId })
    .from(imageContents)
    .innerJoin(images, eq(images.id, imageContents.imageId))
    .where(eq(images.accountId, accountId));
  expect(contents).toHaveLength(2);
});
