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

/** UUIDv7s in ascending order, for what arrived together: 4,096 at the most. */
export function orderedUuids(count: number): string[] {
  if (count > 4_096) throw new RangeError(`${count} ids cannot be drawn in order at once`);
  const first = randomUUIDv7();
  // The 12 bits after the time and the version are free to use as a counter (RFC 9562, 6.2).
  return Array.from(
    { length: count },
    (_, index) => `${first.slice(0, 15)}${index.toString(16).padStart(3, '0')}${randomUUIDv7().slice(18)}`,
  );
}

/** The id, of which the database has only the UUID. */
export function idOf<P extends IdPrefix>(prefix: P, uuid: string): `${P}_${string}` {
  return `${prefix}_${uuid.replaceAll('-', '')}`;
}

/** The UUID of an id in its form, null where the id is none of that prefix. */
export function uuidOf(prefix: IdPrefix, id: string): string | null {
  const [, a, b, c, d, e] =
    /^\w+_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(id) ?? [];
  return id.startsWith(`${prefix}_`) && e !== undefined ? [a, b, c, d, e].join('-') : null;
}

/** What ids drawn since a time are greater than; the time in milliseconds since 1970. */
export function firstId(prefix: IdPrefix, time: number): string {
  return `${prefix}_${Math.trunc(time).toString(16).padStart(12, '0')}`;
}

/** What UUIDs of ids drawn since a time are not less than; the time in milliseconds since 1970. */
export function firstUuid(time: number): string {
  const hex = Math.trunc(time).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** When an id was drawn, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  const start = id.indexOf('_') + 1;
  return Number.parseInt(id.slice(start, start + 12), 16);
}
