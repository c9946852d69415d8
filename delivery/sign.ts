/** Signatures of Standard Webhooks: https://www.standardwebhooks.com */
import { createHmac, type KeyObject } from 'node:crypto';

/** The headers of one try. `keys`: of each secret that counts. */
export function signedHeaders(id: string, body: string, keys: KeyObject[], at: Date): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
