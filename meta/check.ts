/** Whether a WhatsApp Business Account can be worked with by a token, before it is kept. */
import type { Graph } from './graph.ts';
import { GraphError } from './graph-error.ts';
import { meaningOf } from './meanings.ts';

const PERMISSIONS = ['whatsapp_business_management', 'whatsapp_business_messaging'];

/** What is wrong with what was sent: a JSON pointer into it, a word, and what to do. */
export interface ConnectionFault {
  pointer: '/wabaId' | '/accessToken';
  code: string;
  detail: string;
}

/** Meta is away, or does not take our own app's token: nothing is said of what was sent. */
export class CheckFailed extends Error {
  override name = 'CheckFailed';
}

interface Asked {
  wabaId: string;
  accessToken: string;
}

/**
 * Checks a token and the account with it at Meta, and has our app hear the account's webhooks. Throws CheckFailed.
 */
export async function checkConnection(
  graph: Graph,
  appId: string,
  asked: Asked,
): Promise<{ name: string | null } | ConnectionFault> {
  const fault = await tokenFault(graph, appId, asked);
  if (fault) return fault;
  const { accessToken, wabaId } = asked;
  try {
    const account = await graph.readAccount(accessToken, wabaId);
    await graph.subscribe(accessToken, wabaId);
    return account;
  } catch (error) {
    return faultOf(error);
  }
}

async function tokenFault(
  graph: Graph,
  appId: string,
  { wabaId, accessToken }: Asked,
): Promise<ConnectionFault | null> {
  const token = await graph.checkToken(accessToken).catch((error: unknown) => {
    // So Meta answers about a token of another app.
    if (error instanceof GraphError && error.code === 100) return null;
    throw new CheckFailed('The token could not be checked at Meta', { cause: error });
  });
  if (token === null || (token.isValid && token.appId !== appId)) {
    return faulty('/accessToken', 'other_app', 'The token is of another app. Make one for ours.');
  }
  if (!token.isValid) {
    return faulty(
      '/accessToken',
      'not_valid',
      'Meta does not take the token. It may have expired; make a new one.',
    );
  }
  const missing = PERMISSIONS.filter((scope) => !token.scopes.includes(scope));
  if (missing.length > 0) {
    const detail = `The token lacks ${missing.join(' and ')}. Make one that has it.`;
    return faulty('/accessToken', 'permission_missing', detail);
  }
  const isCovered = PERMISSIONS.every((scope) => token.targetsOf(scope)?.includes(wabaId) ?? true);
  return isCovered
    ? null
    : faulty('/wabaId', 'not_covered', 'The token is not for this WhatsApp Business Account. Check the id.');
}

function faultOf(error: unknown): ConnectionFault {
  if (!(error instanceof GraphError)) throw error;
  const meaning = meaningOf(error);
  if (meaning.kind === 'passes') throw new CheckFailed(error.message, { cause: error });
  if (meaning.kind === 'token' && meaning.state === 'token_refused') {
    return faulty('/accessToken', 'not_valid', 'Meta does not take the token. Make a new one.');
  }
  const trace = [`code ${error.code}`, ...(error.fbtraceId ? [`trace id ${error.fbtraceId}`] : [])];
  const detail = `The token cannot read the WhatsApp Business Account, or not subscribe our app to it (${trace.join(', ')}). Check the id and the rights of the token's system user.`;
  return faulty('/wabaId', 'not_readable', detail);
}

function faulty(pointer: ConnectionFault['pointer'], code: string, detail: string): ConnectionFault {
  return { pointer, code, detail };
}
