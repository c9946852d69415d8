/** Which WhatsApp Business Account a number belongs into, and the token to call Meta with. */
import { hash } from 'node:crypto';
import { decrypt } from '../auth/secrets.ts';
import { TOKEN_PROBLEMS } from '../contract/facebook.ts';
import { mailDomain } from '../db/email-rows.ts';
import {
  findConnection,
  type Hearers,
  hasNewToken,
  keepConnection,
  type MetaConnectionRow,
  stopToken,
} from '../db/meta-connections.ts';
import type { NumberAtMeta } from '../db/meta-numbers.ts';
import type { MetaDeps } from './deps.ts';
import type { GraphError } from './graph-error.ts';
import { ownProblem, problemOf, type TokenTrouble } from './meanings.ts';
import { type Stopped, stopped, TryLater } from './outcome.ts';

export function hashOf(token: string): string {
  return hash('sha256', token);
}

/**
 * The connection that a number was added by; before that its account's own, also one in trouble, or else ours. Null
 * where Meta is not configured for the number: it is brought there by hand.
 */
export async function connectionOf(
  { db, config }: MetaDeps,
  { number, meta, connection }: NumberAtMeta,
): Promise<MetaConnectionRow | null> {
  if (config.META_APP_ID === undefined) return null;
  if (connection && meta?.phoneNumberId) return connection;
  const own = await findConnection(db, number.accountId);
  if (own || config.META_WABA_ID === undefined) return own;
  return findConnection(db, null);
}

/** The token to call with; no call is made by a connection whose token was refused. Throws TryLater. */
export async function tokenOf(deps: MetaDeps, connection: MetaConnectionRow): Promise<string | Stopped> {
  const isOurs = connection.accountId === null;
  if (connection.state !== 'active') {
    const problem = connection.problem ?? ownProblem(WORDS[connection.state](isOurs));
    return stopped(isOurs ? 'operator' : 'customer', problem);
  }
  if (isOurs) {
    const token = deps.config.META_ACCESS_TOKEN;
    if (token === undefined) return stopped('operator', ownProblem(TOKEN_PROBLEMS[0]));
    if (hashOf(token) === connection.tokenHash) return token;
    // While releases are exchanged, a worker may still have the token before.
    throw new TryLater('Another worker has a newer META_ACCESS_TOKEN.', 30_000, { isOfConnection: true });
  }
  const known = deps.secrets && connection.token !== null && (await decrypt(deps.secrets, connection.token));
  if (known) return known.text;
  deps.logger.error(
    { connectionId: connection.id },
    'Neither AUTH_SECRET nor a fallback fits a token of Meta',
  );
  return stopped('operator', ownProblem(TOKEN_PROBLEMS[1]));
}

const WORDS: Record<TokenTrouble, (isOurs: boolean) => string> = {
  token_refused: (isOurs) =>
    `Meta does not take the token of the WhatsApp Business Account any more. ${renewal(isOurs)}`,
  permission_missing: (isOurs) =>
    `The token lacks a permission at Meta: it needs whatsapp_business_management and whatsapp_business_messaging, and access to the WhatsApp Business Account. ${renewal(isOurs)}`,
};

function renewal(isOurs: boolean): string {
  return isOurs
    ? 'Set a new META_ACCESS_TOKEN and start the workers again.'
    : 'An admin of the account sends a new one: PUT /v1/meta-connection.';
}

/** Stops all calls with a connection's token, and tells who has to know. */
export async function stopCalls(
  deps: MetaDeps,
  connection: MetaConnectionRow,
  trouble: { state: TokenTrouble; error: GraphError },
): Promise<Stopped> {
  const isOurs = connection.accountId === null;
  const { state, error } = trouble;
  const problem = problemOf(error, WORDS[state](isOurs));
  const isNews = await stopToken(deps.db, connection, { state, problem }, hearersOf(deps.config));
  if (isNews) {
    const { id: connectionId, accountId } = connection;
    deps.logger.error(
      { connectionId, accountId, state, ...error.toJSON() },
      'Calls to Meta with a token stop',
    );
  } else if (await hasNewToken(deps.db, connection)) {
    // Refused was the one before: nobody would let the number go on for a token that is there.
    throw new TryLater('Meta refused a token that was replaced meanwhile.', 1_000);
  }
  return stopped(isOurs ? 'operator' : 'customer', problem);
}

/** Who is written to of what happens to a connection. */
export function hearersOf(config: MetaDeps['config']): Hearers {
  const staffLane = config.ESCALATION_EMAIL?.length
    ? 'escalation'
    : config.SUPPORT_EMAIL?.length
      ? 'support'
      : null;
  return { staffLane, mailDomain: mailDomain(config.MAIL_FROM) };
}

/**
 * Keeps the row of our own WhatsApp Business Account as the settings name it, when a process starts. A token that is
 * another one than before is tried again.
 */
export async function keepOurConnection({
  db,
  config,
  logger,
}: Pick<MetaDeps, 'db' | 'config' | 'logger'>): Promise<void> {
  const { META_WABA_ID: wabaId, META_ACCESS_TOKEN: token } = config;
  if (wabaId === undefined || token === undefined) return;
  const before = await findConnection(db, null);
  const tokenHash = hashOf(token);
  if (before?.wabaId === wabaId && before.tokenHash === tokenHash) return;
  const keep = (id: string) =>
    db.transaction((tx) =>
      keepConnection(tx, null, { wabaId: id, name: before?.name ?? null, token: null, tokenHash }, null),
    );
  const kept = await keep(wabaId);
  if (kept === 'taken') {
    logger.error(
      { wabaId },
      'An account has connected the WhatsApp Business Account of META_WABA_ID as its own',
    );
  }
  if (kept === 'in_use' && before) {
    const { wabaId: usedWabaId } = before;
    logger.error({ wabaId, usedWabaId }, 'META_WABA_ID counts only when no numbers live in the one before');
    // The token may be a new one all the same.
    if (before.tokenHash !== tokenHash) await keep(usedWabaId);
  }
}
