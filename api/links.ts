/** A JSON text with the public address before the links in it. */
export type Links = (json: string) => string;

/**
 * Views carry links as paths, so no view has to know the address. It is put into the text that is sent: quotes inside
 * of values are escaped there, so nothing but the field itself looks like this.
 */
export function absoluteLinks(publicUrl: string): Links {
  const whole = `"imageUrl":"${publicUrl}/`;
  return (json) => json.replaceAll('"imageUrl":"/', () => whole);
}
