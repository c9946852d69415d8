/** The cookies that better-auth sets, as requests bring them. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The cookies of a `Cookie` header, still encoded. Of several by one name the first counts, as for better-auth. */
function cookiesOf(header: string): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).trim();
    if (equals > 0 && !cookies.has(name)) cookies.set(name, pair.slice(equals + 1).trim());
  }
  return cookies;
}

/** A `Cookie` header with only those of its cookies whose names pass. */
export function onlyCookies(header: string | undefined, passes: (name: string) => boolean): string {
  return [...cookiesOf(header ?? '')]
    .filter(([name]) => passes(name))
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');
}

/**
 * The value of a cookie that better-auth signed (`<value>.<HMAC-SHA-256, Base64>`), or null where there is none or
 * somebody else signed it: what is in the database is no use without our secret.
 */
export function readSigned(header: string | undefined, name: string, secret: string): string | null {
  const encoded = cookiesOf(header ?? '').get(name);
  const [, value = '', signature = ''] = /^(.+)\.([A-Za-z0-9+/]{43}=)$/.exec(decode(encoded ?? '')) ?? [];
  const right = createHmac('sha256', secret).update(value).digest();
  const given = Buffer.from(signature, 'base64');
  return given.length === right.length && timingSafeEqual(given, right) ? value : null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
