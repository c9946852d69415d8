/** A JSON document of a development server, in a file that is replaced whole. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { readJson } from './folder.ts';

const SAVE_AFTER_MS = 50;

export interface JsonFile {
  /** Notes a change: it is written a moment later, with others. */
  changed(): void;
  /** Writes what is not written yet. */
  flush(): void;
}

/** What the file holds; undefined where there is none or, which is said, it is of another release. */
export function readDocument<T>(file: string, schema: z.ZodType<T>): T | undefined {
  const known = readJson(file);
  if (known === undefined) return undefined;
  const { data, error } = schema.safeParse(known);
  if (error) console.error(`${file} is of another release: what it holds is forgotten.`);
  return data;
}

/** Without a file, nothing is kept. */
export function keepDocument(file: string | undefined, document: () => unknown): JsonFile {
  let timer: NodeJS.Timeout | null = null;
  function flush(): void {
    if (timer === null || file === undefined) return;
    clearTimeout(timer);
    timer = null;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, JSON.stringify(document()), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  function changed(): void {
    if (file !== undefined) timer ??= setTimeout(flush, SAVE_AFTER_MS);
  }
  return { changed, flush };
}
