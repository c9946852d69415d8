/** Reading the one file of a multipart body, within its bound. */
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { invalidField, ProblemError } from './problems.ts';
import { escapePointer } from './validation.ts';

/** The part that the file is in. */
export const FILE_PART = 'file';

/** More parts than are taken, so that the one too many is told by what it is. */
const PARTS = { files: 2, fields: 1, parts: 4, fieldSize: 1_024, fieldNameSize: 100 };

/** Of a body beside its file: boundaries and headers of parts. */
const OVERHEAD = 16_384;

/**
 * Reads the file into `buffer`, which is one byte longer than a file may be, and returns the part that it fills.
 * Whatever was not read by then is thrown away. Throws the problem of what is wrong with the body.
 */
export async function readFile(request: FastifyRequest, buffer: Buffer): Promise<Buffer> {
  const most = buffer.length - 1;
  // Not begun at all where it says itself that it is longer.
  if (Number(request.headers['content-length']) > most + OVERHEAD) throw tooLarge(most);
  try {
    return await readParts(request, buffer, most);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    const detail = 'The multipart body cannot be read: it was cut off, or its boundaries are not right.';
    throw new ProblemError('malformed_request', { detail, cause: error });
  } finally {
    // A client that is told no before it has sent everything reads the answer, and may use the connection again.
    request.raw.unpipe();
    request.raw.resume();
  }
}

async function readParts(request: FastifyRequest, buffer: Buffer, most: number): Promise<Buffer> {
  const limits = { ...PARTS, fileSize: buffer.length };
  let file: Buffer | null = null;
  for await (const part of request.parts({ limits })) {
    const pointer = `/${escapePointer(part.fieldname)}`;
    const where = `in a part named "${FILE_PART}"`;
    if (part.fieldname !== FILE_PART) {
      throw invalidField(pointer, 'unknown_field', `There is no such part; send the picture ${where}.`);
    }
    if (part.type === 'field') {
      throw invalidField(pointer, 'not_a_file', `Send the picture as a file, with a file name, ${where}.`);
    }
    if (file) throw invalidField(pointer, 'several_files', 'Send one picture at a time.');
    file = await fill(part, buffer, most);
  }
  if (!file)
    throw invalidField(
      `/${FILE_PART}`,
      'required',
      `Required. Send a picture in a part named "${FILE_PART}".`,
    );
  return file;
}

async function fill({ file }: MultipartFile, buffer: Buffer, most: number): Promise<Buffer> {
  let length = 0;
  for await (const chunk of file as AsyncIterable<Buffer>) {
    if (length + chunk.length > most) throw tooLarge(most);
    chunk.copy(buffer, length);
    length += chunk.length;
  }
  return buffer.subarray(0, length);
}

function tooLarge(most: number): ProblemError {
  const detail = `The file has more than ${most.toLocaleString('en')} bytes (${most / 1_048_576} MiB). Send a smaller one.`;
  return new ProblemError('too_large', { detail });
}
