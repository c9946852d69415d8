/** Resumable uploads: a session takes bytes from an offset on, and gives a handle once it has all of them. */
import { randomBytes } from 'node:crypto';
import { badParameter, GraphError } from './errors.ts';

/** Meta's limit on profile pictures. */
const MAX_PICTURE_BYTES = 5 * 1024 * 1024;
const MAX_FILE_BYTES = 100 * 1024 * 1024;
const MAX_SESSIONS = 50;

interface Session {
  wabaId: string;
  signature: string;
  type: string;
  length: number;
  parts: Buffer[];
  handle: string | null;
}

export class UploadStore {
  /** The next upload breaks off after so many bytes. */
  breakAfter: number | null = null;
  /** Oldest first; only so many are kept. */
  readonly #sessions = new Map<string, Session>();

  /** `file_name`, `file_length` and `file_type` of the call; the id of the session, to be used as it stands. */
  open(wabaId: string, params: Record<string, unknown>): string {
    const length = Number(params['file_length']);
    const type = String(params['file_type'] ?? '');
    if (!Number.isInteger(length) || length < 1 || length > MAX_FILE_BYTES)
      throw badParameter('Param file_length must be the number of bytes');
    if (!['application/pdf', 'image/jpeg', 'image/jpg', 'image/png', 'video/mp4'].includes(type))
      throw badParameter(`Param file_type is not supported: ${type}`);
    const id = `upload:${randomBytes(24).toString('base64url')}`;
    const signature = randomBytes(12).toString('base64url');
    this.#sessions.set(id, { wabaId, signature, type, length, parts: [], handle: null });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return `${id}?sig=${signature}`;
  }

  offset(id: string, signature: unknown): number {
    return received(this.#session(id, signature));
  }

  /** Takes bytes from `offset` on; the handle once they are complete. */
  write(id: string, signature: unknown, offset: number, bytes: Buffer): { h: string } {
    const session = this.#session(id, signature);
    const from = received(session);
    if (offset !== from) throw badParameter(`The file_offset must be ${from}`);
    if (from + bytes.length > session.length)
      throw badParameter('More bytes were sent than file_length says');
    session.parts.push(this.breakAfter === null ? bytes : bytes.subarray(0, this.breakAfter));
    this.breakAfter = null;
    if (received(session) < session.length) {
      throw new GraphError(1, { message: 'Partial upload: resume it at its file_offset' });
    }
    session.handle ??= `4::${Buffer.from(session.type).toString('base64url')}:${randomBytes(24).toString('base64url')}`;
    return { h: session.handle };
  }

  /** The picture behind a handle. */
  picture(handle: string, wabaId: string): { bytes: Buffer; type: string } {
    const session = [...this.#sessions.values()].find((one) => one.handle === handle);
    if (session?.wabaId !== wabaId) throw badParameter('Invalid or expired profile_picture_handle');
    const bytes = Buffer.concat(session.parts);
    const png = bytes.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]));
    const jpeg = bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]));
    if ((!png && !jpeg) || bytes.length > MAX_PICTURE_BYTES)
      throw badParameter('The profile picture must be a JPEG or PNG of at most 5 MB');
    return { bytes, type: png ? 'image/png' : 'image/jpeg' };
  }

  /** Handles that are out there are worth nothing from now on. */
  expire(): void {
    this.#sessions.clear();
  }

  #session(id: string, signature: unknown): Session {
    const session = this.#sessions.get(id);
    if (!session || session.signature !== signature)
      throw new GraphError(100, { message: 'Invalid or expired upload session' });
    return session;
  }
}

function received({ parts }: Session): number {
  return parts.reduce((bytes, part) => bytes + part.length, 0);
}
