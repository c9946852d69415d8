/**
 * AUTH_SECRET and its fallbacks. The first signs and encrypts; what a fallback signed or encrypted still counts, so that
 * the secret can be rotated.
 */
import { hkdfSync, timingSafeEqual } from 'node:crypto';
import { symmetricDecrypt, symmetricEncrypt } from 'better-auth/crypto';
import { type Config, ConfigError } from '../contract/config.ts';

export type Secrets = readonly [current: string, ...fallbacks: string[]];
/** A key of each secret, in their order. */
export type Keys = readonly [current: Buffer, ...fallbacks: Buffer[]];

/** Throws a `ConfigError` without AUTH_SECRET. */
export function secretsOf(config: Pick<Config, 'AUTH_SECRET' | 'AUTH_SECRET_FALLBACKS'>): Secrets {
  const { AUTH_SECRET: current, AUTH_SECRET_FALLBACKS: fallbacks = [] } = config;
  if (current === undefined) {
    throw new ConfigError('AUTH_SECRET is not set. Make one of 32 characters or more: openssl rand -hex 32');
  }
  return [current, ...fallbacks];
}

/** Keys of their own for one purpose. */
export function keysFor([current, ...fallbacks]: Secrets, purpose: string): Keys {
  const derive = (secret: string) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
  return [derive(current), ...fallbacks.map(derive)];
}

/** As better-auth encrypts. */
export function encrypt([current]: Secrets, text: string): Promise<string> {
  return symmetricEncrypt({ key: current, data: text });
}

/** Null where none of the secrets fits: the encryption is authenticated, so a wrong one fails. */
export async function decrypt(
  secrets: Secrets,
  data: string,
): Promise<{ text: string; byFallback: boolean } | null> {
  for (const key of secrets) {
    const text = await symmetricDecrypt({ key, data }).catch(() => null);
    if (text !== null) return { text, byFallback: key !== secrets[0] };
  }
  return null;
}

/** Encrypted anew where a fallback has encrypted it, null where that is not needed; `unreadable` where no secret fits. */
export async function renewed(secrets: Secrets, data: string): Promise<string | 'unreadable' | null> {
  const known = await decrypt(secrets, data);
  if (!known) return 'unreadable';
  return known.byFallback ? encrypt(secrets, known.text) : null;
}

/** Whether what was given is right, in a time that does not tell how much of it is. */
export function isSame(given: Buffer, right: Buffer): boolean {
  return given.length === right.length && timingSafeEqual(given, right);
}
