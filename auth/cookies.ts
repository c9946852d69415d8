/** The cookies that better-auth sets, as requests bring them. */
import { createHmac } from 'node:crypto';
import { isSame, type Secrets } from './secrets.ts';

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

/** A `Cookie` header with only those of its cookies whose names pass, signed anew where a fallback signed them. */
export function onlyCookies(
  header: string | undefined,
  passes: (name: string) => boolean,
  secrets: Secrets,
): string {
  return [...cookiesOf(header ?? '')]
    .filter(([name]) => passes(name))
    .map(([name, value]) => `${name}=${signedAnew(value, secrets)}`)
    .join('; ');
}

/**
 * The value of a cookie that better-auth signed (`<value>.<HMAC-SHA-256, Base64>`), or null where there is none or
 * somebody else signed it: what is in the database is no use without a secret of ours.
 */
export function readSigned(header: string | undefined, name: string, secrets: Secrets): string | null {
  return unsign(cookiesOf(header ?? '').get(name) ?? '', secrets)?.value ?? null;
}

function signedAnew(encoded: string, secrets: Secrets): string {
  const [current] = secrets;
  const signed = unsign(encoded, secrets);
  if (!signed || signed.by === current) return encoded;
  return encodeURIComponent(`${signed.value}.${hmacOf(signed.value, current).toString('base64')}`);
}

/** The value of a signed cookie and the secret that signed it; null where none of them did. */
function unsign(encoded: string, secrets: Secrets): { value: string; by: string } | null {
  const [, value = '', signature = ''] = /^(.+)\.([A-Za-z0-9+/]{43}=)$/.exec(decode(encoded)) ?? [];
  const given = Buffer.from(signature, 'base64');
  const by = secrets.find((secret) => isSame(given, hmacOf(value, secret)));
  return by === undefined ? null : { value, by };
}

function hmacOf(value: string, secret: string): Buffer {
  return createHmac('sha256', secret).update(value).digest();
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
