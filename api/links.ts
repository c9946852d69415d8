export type Links = (field: string, value: unknown) => unknown;

/**
 * Views carry links as paths; this puts the public address before them. For `JSON.stringify`, as of every answer
 * and every event of the stream: so no view has to know the address.
 */
export function absoluteLinks(publicUrl: string): Links {
  return (field, value) => (field === 'imageUrl' && typeof value === 'string' ? publicUrl + value : value);
}
