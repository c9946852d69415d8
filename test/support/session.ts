/** A signed-in browser without a sign-in: for tests that are about what comes after it. */
import { createHmac, randomBytes } from 'node:crypto';
import { newId } from '../../contract/ids.ts';
import type { Database } from '../../db/client.ts';
import { sessions } from '../../db/schema.ts';
import { AUTH_SECRET } from './stack.ts';

/** Starts a session of a person; `cookie` is the header that the browser sends. */
export async function startSession(db: Database, personId: string): Promise<{ id: string; cookie: string }> {
  const id = newId('ses');
  const token = randomBytes(16).toString('hex');
  const expiresAt = new Date(Date.now() + 3_600_000);
  await db.insert(sessions).values({ id, personId, token, expiresAt });
  const signature = createHmac('sha256', AUTH_SECRET).update(token).digest('base64');
  return { id, cookie: `numbers.session_token=${encodeURIComponent(`${token}.${signature}`)}` };
}
