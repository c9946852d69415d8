/** Something a person can put right: one sentence on what is wrong, one on the way out. Shown without a stack. */
export class Fault extends Error {
  override name = 'Fault';
}

const NO_RIGHTS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

/** What to print for an error: the sentence of a fault, else everything that is known. */
export function explain(error: unknown): string {
  if (error instanceof Fault) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  if (path !== undefined && code !== undefined && NO_RIGHTS.has(code)) {
    return `Cannot use ${path} (${error.message}). Give this user the right to read and write there, or set STACK_DIR to a folder of your own.`;
  }
  if (code === 'ENOSPC') return `The disk is full (${error.message}). Make room, then start again.`;
  return error.stack ?? error.message;
}
