/** Secrets of targets, by which their owners know that a webhook is ours. Kept encrypted by AUTH_SECRET. */
import { randomBytes } from 'node:crypto';
import { decrypt, encrypt, type Secrets } from '../auth/secrets.ts';

/** As Standard Webhooks has it: 24 to 64 bytes. */
const BYTES = 32;
const PREFIX = 'whsec_';

export interface TargetSecrets {
  /** A new secret `whsec_…`, to be shown once, and what is kept of it. */
  create(): Promise<{ secret: string; sealed: string }>;
  /** A sealed secret as it was shown; null where it was sealed under another AUTH_SECRET. */
  open(sealed: string): Promise<string | null>;
  /** The key of a sealed secret; null where it was sealed under another AUTH_SECRET. */
  keyOf(sealed: string): Promise<Buffer | null>;
}

export function targetSecrets(secrets: Secrets): TargetSecrets {
  const open = async (sealed: string) => (await decrypt(secrets, sealed))?.text ?? null;
  return {
    async create() {
      const secret = PREFIX + randomBytes(BYTES).toString('base64');
      return { secret, sealed: await encrypt(secrets, secret) };
    },
    open,
    async keyOf(sealed) {
      const secret = await open(sealed);
      return secret === null ? null : Buffer.from(secret.slice(PREFIX.length), 'base64');
    },
  };
}
