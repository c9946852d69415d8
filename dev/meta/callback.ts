/** What goes over the wire to a callback: the challenge, and signed bytes. */
import { createHmac, randomBytes } from 'node:crypto';

const ANSWER_MS = 10_000;

/** Null when the callback answers the challenge; else what is wrong. */
export async function askChallenge(
  url: string,
  verifyToken: string,
  closed: AbortSignal,
): Promise<string | null> {
  const challenge = String(randomBytes(4).readUInt32BE());
  try {
    const address = new URL(url);
    address.searchParams.set('hub.mode', 'subscribe');
    address.searchParams.set('hub.challenge', challenge);
    address.searchParams.set('hub.verify_token', verifyToken);
    const response = await fetch(address, { redirect: 'manual', signal: deadline(closed) });
    const body = await response.text();
    if (response.status !== 200) return `The challenge was answered with ${response.status}`;
    return body === challenge ? null : 'The challenge was answered with something else';
  } catch (error) {
    return reason(error);
  }
}

/** Sends bytes with their signature. Never throws. */
export async function post(
  url: string,
  secret: string,
  body: string,
  closed: AbortSignal,
): Promise<{ status: number | null; error: string | null }> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'facebookexternalua',
        'x-hub-signature-256': `sha256=${signature}`,
      },
      body,
      redirect: 'manual',
      signal: deadline(closed),
    });
    await response.arrayBuffer();
    return { status: response.status, error: null };
  } catch (error) {
    return { status: null, error: reason(error) };
  }
}

/** JSON as Meta writes it: in ASCII, with escaped slashes. */
export function escaped(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function deadline(closed: AbortSignal): AbortSignal {
  return AbortSignal.any([closed, AbortSignal.timeout(ANSWER_MS)]);
}

function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
