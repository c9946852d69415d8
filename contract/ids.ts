import { randomUUIDv7 } from 'node:crypto';

export type IdPrefix =
  | 'num'
  | 'evt'
  | 'eml'
  | 'key'
  | 'usr'
  | 'org'
  | 'mem'
  | 'op'
  | 'img'
  | 'cbp'
  | 'inv'
  | 'aud'
  | 'lnk'
  | 'ses'
  | 'crd'
  | 'ver'
  | 'two'
  | 'mtc'
  | 'dlv';

/** A prefixed UUIDv7 in hex, e.g. `num_0199…`: opaque to clients, sortable by time of creation. */
export function newId<P extends IdPrefix>(prefix: P): `${P}_${string}` {
  return `${prefix}_${randomUUIDv7().replaceAll('-', '')}`;
}

/** What ids drawn since a time are greater than; the time in milliseconds since 1970. */
export function firstId(prefix: IdPrefix, time: number): string {
  return `${prefix}_${Math.trunc(time).toString(16).padStart(12, '0')}`;
}

/** When an id was drawn, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  const start = id.indexOf('_') + 1;
  return Number.parseInt(id.slice(start, start + 12), 16);
}
