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
  | 'two';

/** A prefixed UUIDv7 in hex, e.g. `num_0199…`: opaque to clients, sortable by time of creation. */
export function newId<P extends IdPrefix>(prefix: P): `${P}_${string}` {
  return `${prefix}_${randomUUIDv7().replaceAll('-', '')}`;
}
