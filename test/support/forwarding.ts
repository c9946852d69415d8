/** Numbers at Meta with targets, and what Meta would tell of them. */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { loadConfig } from '../../contract/config.ts';
import { newId } from '../../contract/ids.ts';
import type { Database } from '../../db/client.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { conversationOf } from '../../db/own-events.ts';
import { callbackProfiles, metaConnections, metaNumbers, type numbers } from '../../db/schema.ts';
import type { Update } from '../../db/updates.ts';
import type { Observer } from '../../delivery/forwarder.ts';
import { forward, type TermDeps } from '../../delivery/term.ts';
import { acceptNumber } from './accepted.ts';
import { AUTH_SECRET } from './stack.ts';

/** A WhatsApp Business Account of an account's own; null: ours. */
export async function connectWaba(
  db: Database,
  accountId: string | null,
  wabaId = String(BigInt(`0x${randomUUID().slice(0, 8)}`)),
): Promise<{ id: string; accountId: string | null; wabaId: string }> {
  const connection = { id: newId('mtc'), accountId, wabaId };
  await db.insert(metaConnections).values({ ...connection, tokenHash: 'none' });
  return connection;
}

/** An approved number that is known at Meta. */
export async function numberAtMeta(
  db: Database,
  accountId: string,
  connectionId: string,
  changes: Partial<typeof numbers.$inferInsert> = {},
): Promise<NumberRow & { digits: string; phoneNumberId: string }> {
  const row = await acceptNumber(db, accountId, { status: 'APPROVED', ...changes });
  const digits = row.mobileNumber.slice(1);
  const phoneNumberId = `1${digits}`;
  await db.insert(metaNumbers).values({ numberId: row.id, connectionId, digits, phoneNumberId });
  return { ...row, digits, phoneNumberId };
}

export async function callbackProfile(
  db: Database,
  accountId: string,
  changes: Partial<typeof callbackProfiles.$inferInsert> = {},
): Promise<string> {
  const id = newId('cbp');
  const profile = { id, accountId, name: 'Orders', url: 'https://example.com/statuses' };
  await db
    .insert(callbackProfiles)
    .values({ ...profile, statuses: ['delivered', 'read', 'failed'], ...changes });
  return id;
}

/** A message from an end user, as it is cut out of a webhook. */
export function messageUpdate(
  waba: { wabaId: string },
  number: { digits: string; phoneNumberId: string },
  changes: Partial<Update> & { from?: string; text?: string } = {},
): Update {
  const { from = '16505551234', text = 'Hello', ...rest } = changes;
  const id = `wamid.${randomUUID()}`;
  return {
    type: 'message.received',
    key: randomUUID(),
    at: new Date(),
    wabaId: waba.wabaId,
    field: 'messages',
    digits: number.digits,
    phoneNumberId: number.phoneNumberId,
    status: null,
    conversation: conversationOf(number.digits, from),
    content: JSON.stringify({ messages: [{ from, id, type: 'text', text: { body: text } }] }),
    ...rest,
  };
}

/** A process's work on a database, with a clock that can be put forward. */
export async function startForwarding(
  database: { db: Database; url: string },
  env: Record<string, string>,
  rest: Partial<TermDeps> = {},
) {
  const config = loadConfig({ NODE_ENV: 'test', DATABASE_URL: database.url, AUTH_SECRET, ...env });
  let ahead = 0;
  const stopping = new AbortController();
  const told: string[] = [];
  const observer: Observer = {
    delivered: () => told.push('delivered'),
    failed: (reason) => told.push(reason),
    switchedOff: (reason) => told.push(`off: ${reason}`),
    scanned: () => {},
  };
  const now = () => new Date(Date.now() + ahead);
  const logger = pino({ level: 'silent' });
  const workOffChange = async () => {};
  const deps = { db: database.db, config, logger, observer, workOffChange, now, ...rest };
  const ended = forward(deps, stopping.signal, stopping.signal);
  return {
    config,
    told,
    now,
    putForward: (ms: number) => {
      ahead += ms;
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
