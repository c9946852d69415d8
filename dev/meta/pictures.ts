/** Profile pictures that are set, in a folder or in memory. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Picture {
  bytes: Buffer;
  type: string;
}

export class PictureStore {
  readonly #folder: string | undefined;
  readonly #kept = new Map<string, Picture>();

  constructor(folder: string | undefined) {
    this.#folder = folder || undefined;
    if (this.#folder) mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** The name under which it is found. */
  add({ bytes, type }: Picture): string {
    const name = `${randomUUID()}.${type === 'image/png' ? 'png' : 'jpg'}`;
    if (this.#folder) writeFileSync(join(this.#folder, name), bytes, { mode: 0o600 });
    else this.#kept.set(name, { bytes, type });
    return name;
  }

  get(name: string): Picture | undefined {
    if (!this.#folder) return this.#kept.get(name);
    if (!/^[0-9a-f-]{36}\.(png|jpg)$/.test(name)) return undefined;
    try {
      const type = name.endsWith('png') ? 'image/png' : 'image/jpeg';
      return { bytes: readFileSync(join(this.#folder, name)), type };
    } catch {
      return undefined;
    }
  }
}
