/** Trying one delivery: what is sent is read, signed, sent, and judged. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import { idOf } from '../contract/ids.ts';
import { webhookBody } from '../contract/webhook-body.ts';
import type { Database } from '../db/client.ts';
import { type DueDelivery, type LoadedDelivery, loadDeliveries } from '../db/due-deliveries.ts';
import { keepFirstSecret } from '../db/targets.ts';
import type { TargetSecrets } from '../targets/secrets.ts';
import { batched } from './batched.ts';
import type { Sender, Tried } from './sender.ts';
import { signedHeaders } from './sign.ts';

/** What is sent at once is read at once. Milliseconds. */
const LOADED = { max: 100, gatherMs: 5 };
/** Keys that are remembered by what they are sealed as. */
const KEYS = 10_000;

export interface Deps {
  db: Database;
  sender: Sender;
  secrets: TargetSecrets;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  now: () => Date;
}

/**
 * `paused`: nothing is sent to the target now. `unsigned`: it cannot be, as we have lost what its secret is sealed with.
 * `gone`: the event is not kept any more.
 */
export type Attempted = { tried: Tried; url: string } | 'paused' | 'unsigned' | 'gone';

export function createAttempts({
  db,
  sender,
  secrets,
  logger,
  now,
}: Deps): (due: DueDelivery) => Promise<Attempted> {
  /** Null: it cannot be read, and was told of. */
  const keys = new Map<string, KeyObject | null>();
  const load = batched<DueDelivery, LoadedDelivery | null>(LOADED, async (wanted) => {
    const found = new Map((await loadDeliveries(db, wanted, now())).map((one) => [one.id, one]));
    return wanted.map(({ id }) => found.get(id) ?? null);
  });

  async function keyOf(sealed: string, targetId: string): Promise<KeyObject | null> {
    const known = keys.get(sealed);
    if (known !== undefined) return known;
    const bytes = await secrets.keyOf(sealed);
    // Signing with bytes takes five times as long.
    const key = bytes && createSecretKey(bytes);
    if (keys.size >= KEYS) keys.clear();
    keys.set(sealed, key);
    if (!key) {
      logger.error({ targetId }, 'A secret of a target cannot be read: AUTH_SECRET has changed');
    }
    return key;
  }

  /** A target that nobody has asked for its secret gets one with its first delivery. */
  async function secretOf({ id, secret }: LoadedDelivery['target']): Promise<string> {
    return secret ?? keepFirstSecret(db, id, (await secrets.create()).sealed);
  }

  return async (due) => {
    const loaded = await load(due);
    if (!loaded) return 'gone';
    const { url, previousSecret } = loaded.target;
    if (url === null) return 'paused';
    const at = now();
    const key = await keyOf(await secretOf(loaded.target), due.targetId);
    const previous = previousSecret === null ? null : await keyOf(previousSecret, due.targetId);
    if (!key) return 'unsigned';
    const body = webhookBody(loaded);
    const headers = signedHeaders(idOf('evt', loaded.id), body, previous ? [key, previous] : [key], at);
    return { tried: await sender.send(url, body, headers, at), url };
  };
}
