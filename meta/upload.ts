/** Meta's resumable upload: a session, the bytes from an offset on, and a handle once all have arrived. */
import type { z } from 'zod';
import { handleAnswer, offsetAnswer, sessionAnswer } from './answers.ts';
import type { CallOptions } from './call.ts';
import { GraphError } from './graph-error.ts';

export interface File {
  bytes: Buffer;
  /** `image/png` or `image/jpeg`. */
  type: string;
}

type Call = <T extends z.ZodType>(
  answer: T,
  how: Omit<CallOptions, 'deadlineMs' | 'token'> & { deadlineMs?: number },
) => Promise<z.output<T>>;

/** How often an upload that broke off is taken up again before whoever asked tries later. */
const RESUMES = 3;

export async function uploadFile(call: Call, appId: string, file: File, deadlineMs: number): Promise<string> {
  const { id } = await call(sessionAnswer, {
    name: 'Starting the upload',
    method: 'POST',
    path: `/${appId}/uploads`,
    query: {
      file_name: `picture.${file.type === 'image/png' ? 'png' : 'jpg'}`,
      file_length: String(file.bytes.length),
      file_type: file.type,
    },
  });
  const session = { path: `/${id}`, scheme: 'OAuth' as const };
  const send = (offset: number) =>
    call(handleAnswer, {
      ...session,
      name: 'Uploading',
      method: 'POST',
      headers: { file_offset: String(offset), 'content-type': 'application/octet-stream' },
      bytes: file.bytes.subarray(offset),
      deadlineMs,
    });

  let offset = 0;
  for (let resumes = 0; ; resumes += 1) {
    try {
      return (await send(offset)).h;
    } catch (error) {
      if (!(error instanceof GraphError) || !isBroken(error) || resumes === RESUMES) throw error;
      const at = await call(offsetAnswer, { ...session, name: 'Resuming the upload', method: 'GET' });
      offset = Math.min(at.file_offset, file.bytes.length);
    }
  }
}

/** It broke off on the way: what has arrived is kept. */
function isBroken({ code, status, isTransient }: GraphError): boolean {
  return isTransient || code === 1 || code === 2 || status === null || status >= 500;
}
